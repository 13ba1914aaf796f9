package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/record"
	"cloudconfig/datasources/trust"
)

// The sources themselves, two at a time, on a machine and a network of their own. Each has user-data with its name in
// it, so that what was taken shows whose it is.
const (
	userData = "#cloud-config\nhostname: %s\n"
	link     = "169.254.169.254"
)

// order is the documented one: docs/datasources.md.
const order = "file replay url cmdline nocloud configdrive vmware ec2 gce openstack azure digitalocean hetzner brightbox"

// firmware is what tells a platform: its DMI files.
var firmware = map[string][2]string{
	"vmware": {"sys_vendor", "VMware, Inc."}, "ec2": {"sys_vendor", "Amazon EC2"}, "gce": {"product_name", "Google Compute Engine"},
	"openstack": {"product_name", "OpenStack Nova"}, "azure": {"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"},
	"digitalocean": {"sys_vendor", "DigitalOcean"}, "hetzner": {"sys_vendor", "Hetzner"}, "brightbox": {"product_serial", "srv-1.gb1.brightbox.com"},
}

var labels = map[string]string{"nocloud": "cidata", "configdrive": "config-2"}

// services are the servers of what is asked over a network, with their addresses where they are named.
var services = map[string]struct {
	serve     func(userData []byte, faults ...metadatatest.Fault) *metadatatest.Handler
	host, url string
}{
	"url":          {metadatatest.ServeURL, "10.0.0.1", "http://10.0.0.1/web1.yaml"},
	"cmdline":      {metadatatest.ServeURL, "10.0.0.2", ""},
	"ec2":          {metadatatest.ServeEC2, "10.0.0.3", "http://10.0.0.3"},
	"gce":          {metadatatest.ServeGCE, "10.0.0.4", "http://10.0.0.4"},
	"openstack":    {metadatatest.ServeOpenStack, "10.0.0.5", "http://10.0.0.5"},
	"azure":        {metadatatest.ServeAzure, "10.0.0.6", "http://10.0.0.6"},
	"digitalocean": {metadatatest.ServeDigitalOcean, "10.0.0.7", "http://10.0.0.7"},
	"hetzner":      {metadatatest.ServeHetzner, "10.0.0.8", "http://10.0.0.8"},
	"brightbox":    {metadatatest.ServeBrightbox, "10.0.0.9", "http://10.0.0.9"},
}

// places are the files of what is not asked over a network, by source; a place that does not exist is an absence.
func places(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	text := func(name string) string { return fmt.Sprintf(userData, name) }
	rec, err := record.NewRecorder(time.Now).JSON("", nil, datasources.Data{UserData: []byte(text("replay"))}, true)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		"file": text("file"), "replay": string(rec),
		"nocloud/user-data": text("nocloud"), "nocloud/meta-data": "instance-id: i-1\n",
		"configdrive/openstack/latest/meta_data.json": `{"uuid": "u"}`, "configdrive/openstack/latest/user_data": text("configdrive"),
		"vmware": `<Environment><PropertySection><Property key="guestinfo.userdata" value="` + strings.ReplaceAll(text("vmware"), "\n", "&#10;") + `"/></PropertySection></Environment>`,
	})
	all := map[string]string{}
	for _, name := range []string{"file", "replay", "nocloud", "configdrive", "vmware"} {
		all[name] = filepath.Join(dir, name)
	}
	return all
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pair is a machine on which two sources are there at once, and the specs that are to be asked, in their order.
type pair struct {
	first, second string
	isNamed       bool // by the settings, in this order, with places and addresses
	want          []string
}

// pairs are all pairs that are named, in either order, and all that a machine can have at once by disk, firmware and
// command line: it has one firmware, and who names a source on the command line is heard alone.
func pairs(specs map[string]string) (named, detected []pair) {
	names := strings.Fields(order)
	for i, a := range names {
		for j, b := range names {
			if i != j {
				named = append(named, pair{a, b, true, []string{specs[a], specs[b]}})
			}
			_, isPlatform := firmware[b]
			switch canBe := isPlatform || labels[b] != ""; {
			case a == "cmdline" && canBe:
				detected = append(detected, pair{a, b, false, []string{a}})
			case i < j && labels[a] != "" && canBe:
				detected = append(detected, pair{a, b, false, []string{a, b}})
			}
		}
	}
	return named, detected
}

// evidence is what the machine of a pair shows, below its root.
func (p pair) evidence(t *testing.T, root string) detect.Evidence {
	t.Helper()
	files := map[string]string{"sys/class/dmi/id/board_vendor": "HPE\n"}
	e := detect.Evidence{Sources: strings.Fields(order)}
	var disks []detect.Disk
	for _, name := range []string{p.second, p.first} {
		if f, ok := firmware[name]; ok {
			files = map[string]string{"sys/class/dmi/id/" + f[0]: f[1] + "\n"}
		}
		if label := labels[name]; label != "" {
			disks = append(disks, detect.Disk{Name: "vdb", Label: label})
		}
	}
	if p.first == "cmdline" || p.second == "cmdline" {
		files["proc/cmdline"] = "quiet cloud-config-url=http://" + services["cmdline"].host + "/web1.yaml\n"
	}
	write(t, root, files)
	m, err := machine.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	e.Machine = m
	e.Disks = func() ([]detect.Disk, error) { return disks, nil }
	if p.isNamed {
		e.Settings = p.want
	}
	return e
}

// network has servers by their hosts. An answer takes a moment, so that those which are asked for at the same time come
// in any order.
type network map[string]http.Handler

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	h := n[r.URL.Hostname()]
	if h == nil {
		return nil, syscall.ECONNREFUSED
	}
	time.Sleep(rand.N(100 * time.Microsecond))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// run is one boot of the machine of a pair: what the first and the second are struck by.
func (p pair) run(ctx context.Context, root string, specs []string, first, second metadatatest.Fault) (datasources.Data, []datasources.Decision, error) {
	clock := metadatatest.NewClock()
	n := network{}
	for name, fault := range map[string]metadatatest.Fault{p.first: first, p.second: second} {
		s, ok := services[name]
		if !ok {
			continue
		}
		h := s.serve([]byte(fmt.Sprintf(userData, name)), fault)
		h.Now, h.Sleep = clock.Now, func(d time.Duration) { _ = clock.Sleep(ctx, d) }
		h.Start()
		if host := s.host; p.isNamed || name == "cmdline" {
			n[host] = h
		} else {
			n[link] = h
		}
	}
	env := datasources.Env{Root: root, Transport: n, Now: clock.Now, Sleep: clock.Sleep, Trust: trust.Policy{Insecure: true}}
	return catalog.Fetch(ctx, env, specs)
}

// late is answers that all take a while, and slow a service that is not ready for a while.
func late() metadatatest.Fault {
	return metadatatest.Fault{Trouble: metadatatest.Late, Delay: rand.N(3 * time.Second)}
}

func slow() metadatatest.Fault {
	return metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Until: 1 + rand.N(6*time.Second)}
}

// TestAllPairs: whichever of two sources answers first, the choice is the documented one, every time; and the second
// is taken if the first is absent.
func TestAllPairs(t *testing.T) {
	where := places(t)
	specs := map[string]string{}
	for _, name := range strings.Fields(order) {
		specs[name] = name
		if arg := where[name] + services[name].url; arg != "" {
			specs[name] += "=" + arg
		}
	}
	named, detected := pairs(specs)
	for _, tt := range []struct {
		name  string
		pairs []pair
		count int
	}{
		{"named", named, 14 * 13},
		{"detected", detected, 10 + 1 + 2*8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.pairs) != tt.count {
				t.Errorf("%d pairs, want %d", len(tt.pairs), tt.count)
			}
			runs := 0
			for _, p := range tt.pairs {
				runs += p.check(t, where)
			}
			if runs < 1000 {
				t.Errorf("only %d runs", runs)
			}
		})
	}
}

// check says how many runs it made.
func (p pair) check(t *testing.T, where map[string]string) (runs int) {
	t.Helper()
	root := t.TempDir()
	found, err := detect.Detect(p.evidence(t, root))
	if err != nil {
		t.Fatal(err)
	}
	var specs []string
	for _, c := range found.Candidates {
		specs = append(specs, c.Spec)
	}
	if strings.Join(specs, " ") != strings.Join(p.want, " ") {
		t.Errorf("%s and %s: detected %q, want %q", p.first, p.second, specs, p.want)
		return 0
	}
	missing := append([]string(nil), specs...)
	for i, spec := range specs {
		name, _, _ := strings.Cut(spec, "=")
		if place := where[name]; place != "" { // instead of a disk and a hypervisor
			specs[i], missing[i] = name+"="+place, name+"="+place+".none"
		}
	}
	missing = append(missing[:1], specs[1:]...)

	takes := func(name string, specs []string, first, second metadatatest.Fault) {
		t.Helper()
		runs++
		data, decisions, err := p.run(t.Context(), root, specs, first, second)
		taken := ""
		for _, d := range decisions {
			if d.Taken {
				taken, _, _ = strings.Cut(d.Source, "=")
			}
		}
		if want := fmt.Sprintf(userData, name); name != "" && (err != nil || taken != name || string(data.UserData) != want) || name == "" && (err == nil || taken != "") {
			t.Errorf("%s and %s (%+v, %+v): took %q, %q, error %v", p.first, p.second, first, second, taken, data.UserData, err)
		}
	}
	each := 2
	if !p.isNamed {
		each = 13 // there are fewer such pairs
	}
	for range each {
		takes(p.first, specs, late(), late())
		takes(p.first, specs, slow(), late())
		takes(p.first, specs, late(), slow())
	}
	if second := p.second; len(specs) == 2 {
		absent := metadatatest.Fault{Trouble: metadatatest.Status, Code: 404}
		if p.first == "azure" {
			second = "" // which has 404 while it starts, so that it never is absent
		}
		takes(second, missing, absent, late())
		takes(second, missing, absent, slow())
	}
	return runs
}
