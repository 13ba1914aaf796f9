package links_test

import (
	"context"
	"errors"
	"testing"

	"cloudconfig/provisioner/links"
)

func TestLoopback(t *testing.T) {
	all, err := links.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Name == "lo" {
			if i.Index != 1 || !i.Loopback || i.MAC != "" || i.Kind != "" || i.Master != "" || i.Parent != "" {
				t.Errorf("lo is %+v", i)
			}
			return
		}
	}
	t.Errorf("no lo among %d interfaces", len(all))
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := links.Read(ctx); !errors.Is(err, context.Canceled) || err.Error() != "read the network interfaces: context canceled" {
		t.Errorf("got %v", err)
	}
}
