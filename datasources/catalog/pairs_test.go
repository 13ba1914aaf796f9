package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
)

// late is a source that has its answer after a while, and until then is not ready or takes its time.
type late struct {
	name  string
	after time.Duration // on the clock
	slow  time.Duration // of each question
	clock *metadatatest.Clock
}

func (l late) Name() string { return l.name }

func (l late) Fetch(ctx context.Context) (datasources.Data, error) {
	if err := l.clock.Sleep(ctx, l.slow); err != nil {
		return datasources.Data{}, err
	}
	if l.clock.Since() < l.after {
		return datasources.Data{}, fmt.Errorf("%s: %w", l.name, datasources.ErrNotReady)
	}
	return datasources.Data{Meta: schema.Metadata{Datasource: l.name}}, nil
}

// present is a machine on which two datasources are there at once, and the one that the documentation says is taken:
// docs/datasources.md has the order.
type present struct {
	first, second string
	evidence      detect.Evidence
}

// pairs are all pairs of datasources that a machine can have at once.
func pairs() []present {
	order := strings.Fields("file replay url cmdline nocloud configdrive vmware ec2 gce openstack azure digitalocean hetzner brightbox")
	dmi := map[string]machine.DMI{
		"vmware": {SystemVendor: "VMware, Inc."}, "ec2": {SystemVendor: "Amazon EC2"}, "gce": {ProductName: "Google Compute Engine"},
		"openstack": {ProductName: "OpenStack Nova"}, "azure": {ChassisAssetTag: "7783-7084-3265-9085-8269-3286-77"},
		"digitalocean": {SystemVendor: "DigitalOcean"}, "hetzner": {SystemVendor: "Hetzner"}, "brightbox": {ProductSerial: "srv-1.gb1.brightbox.com"},
	}
	labels := map[string]string{"nocloud": "cidata", "configdrive": "config-2"}
	var all []present
	for i, a := range order {
		for j, b := range order {
			if i == j {
				continue
			}
			// Named, in either order: the order given counts.
			all = append(all, present{a, b, detect.Evidence{Machine: &machine.Machine{DMI: dmi[b]}, Settings: []string{a, b}}})
			if i > j {
				continue
			}
			// There, by disk and firmware: the catalog's order counts. One machine has one firmware.
			e := detect.Evidence{Machine: &machine.Machine{DMI: machine.DMI{SystemVendor: "HPE"}}}
			var disks []detect.Disk
			there := 0
			for _, name := range []string{a, b} {
				if label := labels[name]; label != "" {
					disks = append(disks, detect.Disk{Name: "vdb", Label: label})
					there++
				}
				if d, known := dmi[name]; known && dmi[a] != (machine.DMI{}) != (dmi[b] != machine.DMI{}) {
					e.Machine.DMI = d
					there++
				}
			}
			e.Disks = func() ([]detect.Disk, error) { return disks, nil }
			if there == 2 {
				all = append(all, present{a, b, e})
			}
			if a == "cmdline" { // whoever names one on the command line is heard alone
				e.Machine.Cmdline = machine.ParseCmdline("cloud-config-url=http://10.0.0.1/a")
				all = append(all, present{a, "", e})
			}
		}
	}
	for i := range all {
		all[i].evidence.Sources = order
	}
	return all
}

// TestAllPairs: whichever answers first, the choice is the documented one, every time.
func TestAllPairs(t *testing.T) {
	const runs = 1000
	all := pairs()
	for _, p := range all {
		found, err := detect.Detect(p.evidence)
		if err != nil {
			t.Fatal(err)
		}
		var specs []string
		for _, c := range found.Candidates {
			specs = append(specs, c.Spec)
		}
		want := strings.TrimSpace(p.first + " " + p.second)
		if got := strings.Join(specs, " "); got != want {
			t.Errorf("detected %q, want %q", got, want)
			continue
		}
		for run := range runs {
			clock := metadatatest.NewClock()
			env := datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: 5 * time.Minute}}
			var sources []datasources.Source
			for _, spec := range specs {
				sources = append(sources, late{spec, rand.N(20 * time.Second), rand.N(2 * time.Second), clock})
			}
			data, decisions, err := catalog.Ask(t.Context(), env, sources)
			if err != nil || data.Meta.Datasource != p.first || !decisions[0].Taken {
				t.Fatalf("run %d of %s: %q, %+v, %v", run, want, data.Meta.Datasource, decisions, err)
			}
		}
	}
	if len(all) < 14*13 {
		t.Errorf("only %d pairs", len(all))
	}
}

// A first source that is really absent lets the second answer, whichever is faster.
func TestAllPairsWithoutTheFirst(t *testing.T) {
	for _, p := range pairs() {
		if p.second == "" {
			continue
		}
		clock := metadatatest.NewClock()
		env := datasources.Env{Now: clock.Now, Sleep: clock.Sleep}
		data, decisions, err := catalog.Ask(t.Context(), env, []datasources.Source{absent(p.first), late{p.second, rand.N(20 * time.Second), 0, clock}})
		if err != nil || data.Meta.Datasource != p.second || decisions[0].Taken || !strings.Contains(decisions[0].Reason, "absent") {
			t.Errorf("%s, %s: %q, %+v, %v", p.first, p.second, data.Meta.Datasource, decisions, err)
		}
	}
}

type absent string

func (a absent) Name() string { return string(a) }
func (a absent) Fetch(context.Context) (datasources.Data, error) {
	return datasources.Data{}, fmt.Errorf("%s: %w", string(a), datasources.ErrAbsent)
}
