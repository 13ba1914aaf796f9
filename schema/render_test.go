package schema

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// The decode of a print is the same: whatever is merged, printed and read again means the same, but for where it
// was written.
func TestPrintedMeansTheSame(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"testdata/ok/*.yaml", "../examples/*.yaml"} {
		found, _ := filepath.Glob(pattern)
		paths = append(paths, found...)
	}
	everything, err := os.ReadFile("testdata/ok/everything.yaml")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files, error %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		alone := []*source.File{{Name: "a", Bytes: text}}
		for _, files := range [][]*source.File{alone, append(alone, &source.File{Name: "b", Bytes: everything})} {
			d := newDecoder()
			root := d.decode(Input{Files: files})
			if root == nil {
				continue
			}
			var printed bytes.Buffer
			printed.WriteString("#cloud-config\n")
			if err := yamltree.Print(&printed, root, nil); err != nil {
				t.Fatal(err)
			}
			again, found := Decode(Input{Files: []*source.File{{Name: "printed", Bytes: printed.Bytes()}}})
			if found.HasErrors() {
				t.Errorf("%s: %s %s\n%s", path, found[0].Subject, found[0].Summary, &printed)
			}
			anywhere := cmp.Transformer("", func(source.Range) int { return 0 })
			lines := cmp.Comparer(func(a, b source.Lines) bool { return true })
			addresses := cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})
			if diff := cmp.Diff(d.config, again, anywhere, lines, addresses); diff != "" {
				t.Errorf("%s of %d: %s\n%s", path, len(files), diff, &printed)
			}
		}
	}
}

// printed is a configuration as it is shown.
func printed(t *testing.T, values Values, text string) string {
	t.Helper()
	r, found := Render(Input{Files: []*source.File{{Name: "a", Bytes: []byte("#cloud-config\n" + text)}}}, values)
	if found.HasErrors() {
		t.Fatal(found)
	}
	var b strings.Builder
	if err := yamltree.Print(&b, r.Root, func(n *yamltree.Node) string {
		var names []string
		for _, v := range r.Variables[n] {
			names = append(names, v.Name+"="+v.Value)
		}
		return "#" + strings.Join(names, " ")
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRenderVariables(t *testing.T) {
	const text = `hostname: host-$instance_zone
x-note: $private_ipv4
write_files:
  - {path: /a, content: "$private_ipv4 $public_ipv6 $instance_zone \\$private_ipv4 $private_ipv4x"}
  - {path: /b, content: $instance_zone, template: true}
  - {path: /c, content: JHByaXZhdGVfaXB2NA==, encoding: b64}
coreos:
  etcd2: {name: $private_ipv4}
  update: {group: $instance_zone}
  units:
    - name: a.service
      content: |
        # $private_ipv4 and $private_ipv4
      drop_ins: [{name: a.conf, content: ;$instance_zone}]
`
	const want = `hostname: host-z1  #instance_zone=z1
x-note: $private_ipv4  #
write_files:
  - path: /a  #
    content: "10.0.0.1 $public_ipv6 $instance_zone \\$private_ipv4 $private_ipv4x"  #private_ipv4=10.0.0.1 public_ipv6=
  - path: /b  #
    content: z1  #instance_zone=z1
    template: true  #
  - path: /c  #
    content: JHByaXZhdGVfaXB2NA==  #
    encoding: b64  #
coreos:
  etcd2:
    name: 10.0.0.1  #private_ipv4=10.0.0.1
  update:
    group: z1  #instance_zone=z1
  units:
    - name: a.service  #
      content: |  #private_ipv4=10.0.0.1
        # 10.0.0.1 and 10.0.0.1
      drop_ins:
        - name: a.conf  #
          content: ;z1  #instance_zone=z1
`
	values := Values{"private_ipv4": "10.0.0.1", "instance_zone": "z1"}
	if diff := cmp.Diff(want, printed(t, values, text)); diff != "" {
		t.Error(diff)
	}
	if got := printed(t, nil, text); strings.Contains(got, "10.0.0.1") || !strings.Contains(got, "host-$instance_zone  #\n") {
		t.Error(got)
	}
}

func TestRenderShowsNoSecret(t *testing.T) {
	got := printed(t, nil, `users: [{name: anna, passwd: "$6$hush$JjZ.1GkGuHzOqbZ6zKXrYgJTKdwUwlNs0ndQBVLJ8rOKsJc4bFgS0ZWVnqOlWjZ4v7FsxBkCGnXJQhO/9wRZy."}]
write_files:
  - {path: /a, permissions: "0600", content: hush}
  - {path: /b, secret: true, content: hush}
  - path: /c
    content: |
      -----BEGIN PRIVATE KEY-----
      hush
coreos: {fleet: {etcd_password: hush, etcd_servers: "http://a:hush@b"}}
x-key: |
  -----BEGIN PRIVATE KEY-----
  hush
`)
	if strings.Contains(got, "hush") || strings.Count(got, "(secret)") != 7 {
		t.Error(got)
	}
}

// Whatever the decoder takes for a secret is not shown.
func TestRenderKnowsEverySecret(t *testing.T) {
	for _, pattern := range []string{"testdata/ok/*.yaml", "../examples/*.yaml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := Input{Files: []*source.File{{Name: "a", Bytes: text}}}
			c, _ := Decode(in)
			r, _ := Render(in, nil)
			var b bytes.Buffer
			if err := yamltree.Print(&b, r.Root, nil); err != nil {
				t.Fatal(err)
			}
			for _, secret := range secretsIn(reflect.ValueOf(c)) {
				if secret != "" && bytes.Contains(b.Bytes(), []byte(secret)) {
					t.Errorf("%s: %q is shown", path, secret)
				}
			}
		}
	}
}

func secretsIn(v reflect.Value) (out []string) {
	switch v.Kind() {
	case reflect.Pointer:
		out = secretsIn(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			out = append(out, secretsIn(v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, secretsIn(v.Index(i))...)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[Secret]() {
			out = []string{v.String()}
		}
	}
	return out
}
