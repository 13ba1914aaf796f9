package vmware

import (
	"context"

	"cloudconfig/datasources"
)

// Channel is the way to a hypervisor.
type Channel struct {
	Call  func(ctx context.Context, command string) (string, error)
	Close func()
}

type testChannel struct{ *Channel }

func (c testChannel) call(ctx context.Context, command string) (string, error) {
	return c.Call(ctx, command)
}
func (c testChannel) close() { c.Close() }

// NewAt makes the source of the variables behind a channel.
func NewAt(env datasources.Env, open func() (*Channel, error)) datasources.Source {
	return &guest{env: env, open: func(string) (channel, error) {
		c, err := open()
		if err != nil {
			return nil, err
		}
		return testChannel{c}, nil
	}}
}
