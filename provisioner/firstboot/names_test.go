package firstboot_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// An agent is not started before the names in its settings can be looked up, on no boot.
func TestAgentsWaitForNames(t *testing.T) {
	const cfg = "#cloud-config\ncoreos:\n  etcd2: {discovery: \"https://discovery.example.com/0123456789abcdef0123456789abcdef\"}\n" +
		"  units: [{name: etcd2.service, command: start, content: \"[Service]\\nExecStart=/bin/true\\n\"}]\n"
	for _, test := range []struct {
		name  string
		err   error
		tries int
		told  bool
	}{
		{"the resolver starts late", errors.New("connection refused"), 3, true},
		{"the name does not exist, which is an answer", &net.DNSError{IsNotFound: true}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := fromFile(t, cfg)
			var events []string
			withResolver := func(env *firstboot.Env) {
				asked := 0
				env.LookUp = func(_ context.Context, name string) error {
					if asked++; asked >= 3 {
						events = append(events, "found "+name)
						return nil
					}
					events = append(events, "asked "+name)
					return test.err
				}
			}
			for boot := range 2 {
				events = nil
				m.run(firstboot.BootMain, withResolver)
				r, calls := m.run(firstboot.BootHandoff, withResolver)
				if r.State != report.Done || !slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, "start etcd2.service") }) {
					t.Errorf("boot %d: %s, %q\n%s", boot, r.State, calls, m.console.String())
				}
				if len(events) != test.tries || !strings.HasSuffix(events[0], " discovery.example.com") {
					t.Errorf("boot %d: %q", boot, events)
				}
				if told := strings.Contains(m.console.String(), "waiting up to 30s until names can be looked up: discovery.example.com"); told != test.told {
					t.Errorf("boot %d: told %t\n%s", boot, told, m.console.String())
				}
				m.reboot()
			}
		})
	}
}
