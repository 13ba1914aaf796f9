//go:build !linux

package handoff

import "context"

func callBus(context.Context) error { return errNoBus }

func callNetworkd(context.Context, string, ...any) error { return errNoBus }

func linksOfNetworkd(context.Context) (map[int]string, error) { return nil, errNoBus }
