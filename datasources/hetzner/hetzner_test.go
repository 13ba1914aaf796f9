package hetzner_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/hetzner"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
)

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeHetzner, New: hetzner.New, Requests: 3, Series: 1,
	})
}

func fetch(t *testing.T, s metadatatest.Server, faults ...metadatatest.Fault) (datasources.Data, error) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.Hetzner(s, faults...), 0)
	source, err := hetzner.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	return source.Fetch(t.Context())
}

func TestEverything(t *testing.T) {
	data, err := fetch(t, metadatatest.ExampleServer())
	if err != nil {
		t.Fatal(err)
	}
	network, tree := data.Network, data.Tree
	data.Network, data.Tree = nil, nil
	want := datasources.Data{
		UserData: []byte("#cloud-config\nhostname: web1\n"), Name: "user-data",
		Meta: schema.Metadata{
			Version: 1, Datasource: "hetzner", InstanceID: "4200042", Hostname: "my-server", Region: "eu-central", Zone: "hel1-dc2",
			PublicIPv4: "203.0.113.7", PublicIPv6: "2001:db8:c010:aaaa::1", PrivateIPv4: "10.0.0.2",
			SSHKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"},
		},
		Vendor: []datasources.Document{{Name: "vendor-data", Bytes: []byte("#cloud-config\nmanage_etc_hosts: localhost\n")}},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
	if len(network) != 1 || network[0].Kind != "hetzner" ||
		!strings.Contains(string(network[0].Bytes), `"version":1`) || !strings.Contains(string(network[0].Bytes), `"mac_address":"86:00:00:2a:7d:e0"`) {
		t.Errorf("network %q", network)
	}
	meta, _ := tree["meta_data"].(map[string]any)
	if meta["instance-id"] != 4200042.0 || meta["vendor_data"] != nil || meta["network-config"] == nil {
		t.Errorf("tree %v", tree)
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		name, metadata, networks string
		want                     schema.Metadata
		wantText                 string // of the error
		notReady                 bool
	}{
		{name: "next to nothing", metadata: "instance-id: 7\n", want: schema.Metadata{InstanceID: "7"}},
		{name: "in JSON", metadata: "{\"instance-id\": 7,\n\t\"hostname\": \"a\"}", want: schema.Metadata{InstanceID: "7", Hostname: "a"}},
		{name: "no address outside", metadata: "instance-id: 7\npublic-ipv4: ''\n", networks: "[]\n", want: schema.Metadata{InstanceID: "7"}},
		{name: "an interface inside a network alone", metadata: "instance-id: 7\n", networks: "- ip: 10.0.0.2\n- ip: 10.1.0.2\n", want: schema.Metadata{InstanceID: "7", PrivateIPv4: "10.0.0.2"}},
		{name: "a description of the network of another form", metadata: "instance-id: 7\nnetwork-config: {config: {a: [b]}, version: 9}\n", want: schema.Metadata{InstanceID: "7"}},
		{name: "no id", metadata: "hostname: a\n", wantText: "no instance-id", notReady: true},
		{name: "an id of many", metadata: "instance-id: [a, b]\n", wantText: "no instance-id", notReady: true},
		{name: "no YAML", metadata: "a: s3cret: b\n", wantText: "metadata: it is not the YAML of a server"},
		{name: "a list", metadata: "- s3cret\n", wantText: "metadata: it is not the YAML of a server"},
		{name: "the same key twice", metadata: "instance-id: 7\ninstance-id: 8\n", wantText: "not the YAML of a server"},
		{name: "networks that are no list", metadata: "instance-id: 7\n", networks: "a: b\n", wantText: "private-networks: it is not the YAML of a server"},
		{name: "a hostname with an escape", metadata: "instance-id: 7\nhostname: \"\\e[31m\"\n", wantText: `hostname: "\x1b[31m" is not a hostname`},
		{name: "an id of two words", metadata: "instance-id: a b\n", wantText: "instance-id"},
		{name: "a zone with a line end", metadata: "instance-id: 7\navailability-zone: \"a\\nb\"\n", wantText: "availability-zone"},
		{name: "a private address that is none", metadata: "instance-id: 7\n", networks: "- ip: 0.0.0.0\n", wantText: "private-networks"},
		{name: "a public address that is none", metadata: "instance-id: 7\npublic-ipv4: 169.254.1.1\n", wantText: "public-ipv4"},
		{name: "keys without end", metadata: "instance-id: 7\npublic-keys:\n" + strings.Repeat("- a\n", 65), wantText: "more than 64 keys"},
		{name: "aliases without end", metadata: "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
			"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n" +
			"f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\ninstance-id: 7\n", wantText: "not the YAML of a server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := fetch(t, metadatatest.Server{Metadata: tt.metadata, Networks: tt.networks})
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) != tt.notReady || errors.Is(err, datasources.ErrAbsent) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
					t.Errorf("the error cannot be printed: %q", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Version, tt.want.Datasource = 1, "hetzner"
			if diff := cmp.Diff(tt.want, data.Meta); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// User-data that is late keeps nobody from logging in.
func TestUserDataLate(t *testing.T) {
	data, err := fetch(t, metadatatest.ExampleServer(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/hetzner/v1/userdata"})
	if !errors.Is(err, datasources.ErrNotReady) || data.Meta.Hostname != "my-server" || data.UserData != nil {
		t.Errorf("data %+v, error %v", data, err)
	}
}

func TestNew(t *testing.T) {
	if s, err := hetzner.New(datasources.Env{}, ""); err != nil || s.Name() != "hetzner" {
		t.Error(err)
	}
	if _, err := hetzner.New(datasources.Env{}, "http://a/b"); err == nil || !strings.Contains(err.Error(), "more than a scheme and a host") {
		t.Errorf("error %v", err)
	}
}

func FuzzMetadata(f *testing.F) {
	s := metadatatest.ExampleServer()
	f.Add([]byte(s.Metadata), []byte(s.Networks))
	f.Add([]byte("{instance-id: &a 7, b: *a}"), []byte("- {ip: 10.0.0.1}"))
	f.Fuzz(func(t *testing.T, text, networks []byte) {
		data, err := hetzner.Decode(text, networks)
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error cannot be printed: %q", err)
		}
		if err == nil && (data.Meta.InstanceID == "" || len(data.Meta.SSHKeys) > 64) {
			t.Errorf("took %+v", data.Meta)
		}
	})
}
