package handoff

import (
	"context"
	"fmt"

	godbus "github.com/godbus/dbus/v5"
)

// callBus looks whether there is a message bus.
func callBus(ctx context.Context) error {
	conn, err := bus(ctx)
	if err == nil {
		conn.Close()
	}
	return err
}

// callNetworkd calls a method that answers nothing.
func callNetworkd(ctx context.Context, method string, args ...any) error {
	return askNetworkd(ctx, method, args)
}

// askNetworkd calls a method, and stores what it answers.
func askNetworkd(ctx context.Context, method string, args []any, answers ...any) error {
	conn, err := bus(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	object := conn.Object("org.freedesktop.network1", "/org/freedesktop/network1")
	if err := object.CallWithContext(ctx, "org.freedesktop.network1.Manager."+method, 0, args...).Store(answers...); err != nil {
		return fmt.Errorf("systemd-networkd: %s: %w", method, err)
	}
	return nil
}

// linksOfNetworkd are the names of the links that it knows, by their numbers.
func linksOfNetworkd(ctx context.Context) (map[int]string, error) {
	var links []struct {
		Index int32
		Name  string
		Path  godbus.ObjectPath
	}
	if err := askNetworkd(ctx, "ListLinks", nil, &links); err != nil {
		return nil, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[int(l.Index)] = l.Name
	}
	return names, nil
}

func bus(ctx context.Context) (*godbus.Conn, error) {
	conn, err := godbus.ConnectSystemBus(godbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoBus, err)
	}
	return conn, nil
}
