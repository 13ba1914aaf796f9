package plan_test

import (
	"slices"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

// TestLookUps looks at which names a plan has looked up before it starts what it starts.
func TestLookUps(t *testing.T) {
	const agents = `  etcd2:
    discovery: https://discovery.example.com/token
    initial-cluster: a=http://a.example.com:2380,b=http://192.0.2.2:2380,c=http://[2001:db8::1]:2380
    listen-client-urls: http://localhost:2379,http://a.example.com:2379
  fleet:
    etcd-servers: http://fleet.example.com:2379
`
	for _, test := range []struct {
		name, units string
		want        []string
	}{
		{"the agent is started", "  units: [{name: etcd2.service, command: start}]\n", []string{"discovery.example.com", "a.example.com"}},
		{"the agent is stopped", "  units: [{name: etcd2.service, command: stop}]\n", nil},
		{"nothing is started", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := "#cloud-config\ncoreos:\n" + agents + test.units
			cfg, found := schema.Decode(schema.Input{Files: []*source.File{{Name: "user-data", Bytes: []byte(text)}}})
			if found.HasErrors() {
				t.Fatal(found)
			}
			p, _ := newDisk(nil).compute(t, plan.Input{Config: cfg})
			if !slices.Equal(p.Hosts, test.want) {
				t.Errorf("looks up %q, want %q", p.Hosts, test.want)
			}
		})
	}
}
