package netplan_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"cloudconfig/schema/source"
)

// FuzzNetplan: nothing panics, every finding is inside its file, and unless there is an error, every text that gets
// into the network is one line without control characters, and every name of an interface one that the kernel takes.
func FuzzNetplan(f *testing.F) {
	for _, pattern := range []string{"../../testdata/ok/network.yaml", "../../testdata/bad/network-*.yaml", "../../../examples/network.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add(`{"network": {"version": 2, "ethernets": {"eth0": {"dhcp4": true, "match": {"name": "a\nb"}}}}}`)
	f.Add("ethernets: {\"a\\nb\": {match: {driver: \"x\\ny\"}}, e: {addresses: [{\"192.0.2.1/24\": {label: \"a\\nb\"}}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		n, found := read(text)
		for _, d := range found {
			r := d.Subject
			if r.IsZero() || r.Start.Offset > r.End.Offset || r.End.Offset > len(text) {
				t.Errorf("%s: range %+v of a text of %d bytes", d.Rule.ID, r, len(text))
			}
		}
		if n == nil || found.HasErrors() {
			return
		}
		for i := range n.Links {
			l := &n.Links[i]
			if name := l.Name(); len(name) > 127 || strings.ContainsAny(name, "/:%") {
				t.Errorf("an interface called %q", name)
			}
		}
		texts(t, reflect.ValueOf(n))
	})
}

// texts looks at every text in a value.
func texts(t *testing.T, v reflect.Value) {
	switch v.Interface().(type) {
	case source.Range, netip.Addr, netip.Prefix:
		return
	}
	switch v.Kind() {
	case reflect.String:
		if strings.ContainsFunc(v.String(), unicode.IsControl) {
			t.Errorf("a text that is not one line: %q", v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			texts(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			texts(t, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			texts(t, v.Index(i))
		}
	}
}
