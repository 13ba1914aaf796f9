package digitalocean_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/digitalocean"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
)

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeDigitalOcean, New: digitalocean.New, Requests: 2, Series: 1,
	})
}

func fetch(t *testing.T, droplet string, userData []byte, faults ...metadatatest.Fault) (datasources.Data, error) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.DigitalOcean(droplet, userData, faults...), 0)
	s, err := digitalocean.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	return s.Fetch(t.Context())
}

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"

func TestEverything(t *testing.T) {
	data, err := fetch(t, metadatatest.ExampleDroplet, []byte("#!/bin/sh\n"))
	if err != nil {
		t.Fatal(err)
	}
	network := data.Network
	data.Network = nil
	want := datasources.Data{
		UserData: []byte("#!/bin/sh\n"), Name: "user-data",
		Meta: schema.Metadata{
			Version: 1, Datasource: "digitalocean", InstanceID: "2756294", Hostname: "sample-droplet", Region: "nyc3",
			PublicIPv4: "104.131.20.105", PublicIPv6: "2604:a880:800:10::17d:2001", PrivateIPv4: "10.132.255.113", SSHKeys: []string{key},
		},
		Vendor: []datasources.Document{{Name: "vendor-data", Bytes: []byte("#cloud-config\nmanage_etc_hosts: localhost\n")}},
		Tree: map[string]any{"meta_data": map[string]any{
			"droplet_id": "2756294", "hostname": "sample-droplet", "region": "nyc3", "tags": []any{"web", "blue"}, "public_keys": []any{key},
		}},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
	if len(network) != 1 || network[0].Kind != "digitalocean" || !strings.Contains(string(network[0].Bytes), `"gateway":"104.131.0.1"`) ||
		!strings.Contains(string(network[0].Bytes), `"nameservers":["2001`) || strings.Contains(string(network[0].Bytes), "s3cret") {
		t.Errorf("network %+v", network)
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		name, droplet string
		userData      []byte
		wantData      string
		want          schema.Metadata
		wantText      string // of the error
		notReady      bool
	}{
		{name: "next to nothing", droplet: `{"droplet_id": 7}`, want: schema.Metadata{InstanceID: "7"}},
		{name: "user-data of the one answer where there is no other", droplet: `{"droplet_id": 7, "user_data": "#!a"}`, wantData: "#!a", want: schema.Metadata{InstanceID: "7"}},
		{name: "the other answer is exact to the byte", droplet: `{"droplet_id": 7, "user_data": "#!a"}`, userData: []byte("#!b\xff"), wantData: "#!b\xff", want: schema.Metadata{InstanceID: "7"}},
		{name: "IPv6 alone, inside", droplet: `{"droplet_id": 7, "interfaces": {"private": [{"ipv6": {"ip_address": "fd00::7"}}], "public": [{"ipv4": null}]}}`, want: schema.Metadata{InstanceID: "7", PrivateIPv6: "fd00::7"}},
		{name: "no id", droplet: `{"hostname": "a"}`, wantText: "no droplet_id", notReady: true},
		{name: "not JSON", droplet: `{"droplet_id": 7, "user_data": "s3cret`, wantText: "metadata/v1.json: it is not the JSON of a Droplet"},
		{name: "another kind of JSON", droplet: `["s3cret"]`, wantText: "not the JSON of a Droplet"},
		{name: "an id that is a path", droplet: `{"droplet_id": "../7"}`, wantText: "not the JSON of a Droplet"},
		{name: "a hostname that is a path", droplet: `{"droplet_id": 7, "hostname": "../b"}`, wantText: `hostname: "../b" is not a hostname`},
		{name: "a hostname with an escape", droplet: `{"droplet_id": 7, "hostname": "\u001b[31m"}`, wantText: `hostname: "\x1b[31m"`},
		{name: "a region of two words", droplet: `{"droplet_id": 7, "region": "a b"}`, wantText: "region"},
		{name: "an address that no machine has", droplet: `{"droplet_id": 7, "interfaces": {"public": [{"ipv4": {"ip_address": "127.0.0.1"}}]}}`, wantText: "interfaces.public.ipv4"},
		{name: "an address of the other family", droplet: `{"droplet_id": 7, "interfaces": {"public": [{"ipv4": {"ip_address": "fd00::1"}}]}}`, wantText: "interfaces.public.ipv4"},
		{name: "a list of keys without end", droplet: `{"droplet_id": 7, "public_keys": ["` + strings.Repeat(`a","`, 65) + `a"]}`, wantText: "public_keys: more than 64 keys"},
		{name: "an enormous key", droplet: `{"droplet_id": 7, "public_keys": ["` + strings.Repeat("a", 20<<10) + `"]}`, wantText: "a key of more than 16 KiB"},
		{name: "nested without end", droplet: `{"droplet_id": 7, "interfaces": ` + strings.Repeat("[", 20000), wantText: "not the JSON of a Droplet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := fetch(t, tt.droplet, tt.userData)
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
			tt.want.Version, tt.want.Datasource = 1, "digitalocean"
			if diff := cmp.Diff(tt.want, data.Meta); diff != "" || string(data.UserData) != tt.wantData {
				t.Errorf("%s user-data %q", diff, data.UserData)
			}
		})
	}
}

// User-data that is late keeps nobody from logging in, and the metadata is not asked for again.
func TestUserDataLate(t *testing.T) {
	droplet := strings.Replace(metadatatest.ExampleDroplet, `"tags"`, `"user_data": "#!not so exact", "tags"`, 1)
	w := metadatatest.NewWorld(t, metadatatest.DigitalOcean(droplet, []byte("#!x"),
		metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/metadata/v1/", Times: 1}), 0)
	s, err := digitalocean.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Fetch(t.Context())
	if !errors.Is(err, datasources.ErrNotReady) || data.Meta.InstanceID == "" || data.UserData != nil {
		t.Errorf("data %+v, error %v", data, err)
	}
	data, err = s.Fetch(t.Context())
	if err != nil || string(data.UserData) != "#!x" || len(w.Handler.Requests()) != 3 {
		t.Errorf("user-data %q, error %v, requests %q", data.UserData, err, w.Handler.Requests())
	}
	if _, err := s.Fetch(t.Context()); err != nil || len(w.Handler.Requests()) != 5 {
		t.Errorf("what was answered is kept after all was there: %q", w.Handler.Requests())
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"the default", "", ""},
		{"another port", "http://127.0.0.1:8080/", ""},
		{"no scheme", "169.254.169.254", "no URL"},
		{"a path", "http://169.254.169.254/metadata", "more than a scheme and a host"},
		{"a password", "http://me:s3cret@host", "more than a scheme and a host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := digitalocean.New(datasources.Env{}, tt.url)
			if tt.want == "" && (err != nil || s.Name() != "digitalocean") {
				t.Errorf("error %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(metadatatest.ExampleDroplet))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := digitalocean.Decode(text)
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error cannot be printed: %q", err)
		}
		if err == nil && (data.Meta.InstanceID == "" || len(data.Meta.SSHKeys) > 64) {
			t.Errorf("took %+v", data.Meta)
		}
	})
}
