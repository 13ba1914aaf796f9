// Package cmdline reads user-data from the URL that the kernel command line has in cloud-config-url=, as machines have
// it that are booted by PXE.
package cmdline

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/address"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/trust"
)

const parameter = "cloud-config-url"

// New makes the datasource. It takes no argument.
func New(env datasources.Env, arg string) (datasources.Source, error) {
	if arg != "" {
		return nil, errors.New("it takes no argument: the URL is on the kernel command line")
	}
	return &source{env: env}, nil
}

type source struct {
	env  datasources.Env
	told bool
	from *remote.Fetcher // nil before the first attempt
}

// Name is "cmdline".
func (*source) Name() string { return "cmdline" }

// Fetch asks once for the document at cloud-config-url= (or cloud_config_url=; the last one wins), with the variables
// of package address, and by the trust that cloud-config-ca=, -pin=, -digest= and -sig= give it. It wraps
// datasources.ErrAbsent if there is no such parameter, or nothing at the URL.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	data, err := s.fetch(ctx)
	if err != nil {
		return datasources.Data{}, fmt.Errorf("cmdline: %w", err)
	}
	data.Meta.Datasource = s.Name()
	return data, nil
}

func (s *source) fetch(ctx context.Context) (datasources.Data, error) {
	var none datasources.Data
	m, err := machine.Read(s.env.Root)
	if err != nil {
		return none, err
	}
	rawURL, ok := m.Cmdline.Get(parameter)
	switch {
	case m.Container != "":
		return none, fmt.Errorf("the kernel command line is not that of this container: %w", datasources.ErrAbsent)
	case !ok || rawURL == "":
		return none, fmt.Errorf("the kernel command line has no %s=: %w", parameter, datasources.ErrAbsent)
	}
	env := s.env
	if env.Trust, err = env.Trust.FromCommandLine(m.Cmdline.Settings(), trust.ReadFile(env.Root)); err != nil {
		return none, err
	}
	if err := address.Check(rawURL); err != nil {
		return none, fmt.Errorf("%s=: %w", parameter, err)
	}
	if !s.told && hasSecret(rawURL) && env.Waiting != nil {
		s.told = true
		env.Waiting("the URL on the kernel command line seems to hold a secret, and everybody on the machine can read it there")
	}
	if s.from == nil {
		s.from = remote.New(env, env.Trust)
	}
	return address.Fetch(ctx, env, s.from, rawURL)
}

// hasSecret says that a URL has a password, or a query value that is called as secrets are.
func hasSecret(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	if _, has := u.User.Password(); has {
		return true
	}
	for key := range u.Query() {
		for _, name := range []string{"token", "secret", "password", "passwd", "key", "auth", "sig"} {
			if strings.Contains(strings.ToLower(key), name) {
				return true
			}
		}
	}
	return false
}
