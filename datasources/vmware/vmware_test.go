package vmware_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/trust"
	"cloudconfig/datasources/vmware"
	"cloudconfig/datasources/xmltree"
	"cloudconfig/schema"
)

// variables is the name of the environment variable that makes this program one of VMware's tools: the file of the
// variables of guestinfo, as JSON.
const variables = "TEST_GUESTINFO"

func TestMain(m *testing.M) {
	if file := os.Getenv(variables); file != "" {
		os.Exit(asTool(file))
	}
	if commands := os.Getenv(asking); commands != "" {
		os.Exit(asGuest(commands))
	}
	os.Exit(m.Run())
}

// asTool does as vmware-rpctool and vmtoolsd do.
func asTool(file string) int {
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == "vmtoolsd" {
		if len(args) != 2 || args[0] != "--cmd" {
			fmt.Fprintln(os.Stderr, "usage")
			return 1
		}
		args = args[1:]
	}
	values := map[string]string{}
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &values) != nil || len(args) != 1 {
		fmt.Fprintln(os.Stderr, "Failed to open a channel")
		return 1
	}
	g := metadatatest.NewGuestinfo(values)
	status, reply, _ := strings.Cut(g.RPCI(args[0]), " ")
	if text, err = json.Marshal(g.Values()); err != nil || os.WriteFile(file, text, 0o600) != nil {
		return 1
	}
	if status != "1" {
		fmt.Fprintln(os.Stderr, reply)
		return 1
	}
	fmt.Println(reply)
	return 0
}

func at(g *metadatatest.Guestinfo) datasources.Source {
	env := metadatatest.NewQuiet()
	env.Trust.Insecure = true
	return vmware.NewAt(env, func() (*vmware.Channel, error) {
		return &vmware.Channel{Call: func(_ context.Context, c string) (string, error) { return g.RPCI(c), nil }, Close: func() {}}, nil
	})
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func gz(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

type values = map[string]string

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"

func TestUserData(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values values
		want   string
	}{
		{"coreos-cloudinit's", values{"coreos.config.data": "#!a"}, "#!a"},
		{"cloud-init's", values{"userdata": b64("#!b"), "userdata.encoding": "base64"}, "#!b"},
		{"the first wins", values{"coreos.config.data": "#!a", "userdata": "#!b"}, "#!a"},
		{"compressed: for others to unpack", values{"userdata": b64(gz("#!c")), "userdata.encoding": "gzip+base64"}, gz("#!c")},
		{"the short names, over lines", values{"coreos.config.data": b64(gz("#!c"))[:8] + "\n" + b64(gz("#!c"))[8:], "coreos.config.data.encoding": "gz+b64"}, gz("#!c")},
		{"of any case", values{"CoreOS.Config.Data": "#!a"}, "#!a"},
		{"Ignition's is given on, if there is no other", values{"ignition.config.data": `{"ignition": {"version": "3.0.0"}}`}, `{"ignition": {"version": "3.0.0"}}`},
		{"ours comes before Ignition's", values{"ignition.config.data": `{"ignition": {}}`, "coreos.config.data": "#!a"}, "#!a"},
		{"that was taken away", values{"coreos.config.data": "---", "coreos.config.data.encoding": " "}, ""},
		{"a blank", values{"userdata": " \n"}, ""},
		{"metadata alone", values{"metadata": "instance-id: i-1\n"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := at(metadatatest.NewGuestinfo(tt.values)).Fetch(t.Context())
			if err != nil || string(data.UserData) != tt.want || tt.want == "" && data.UserData != nil {
				t.Errorf("user-data %q, error %v", data.UserData, err)
			}
			if told := len(data.Notes) > 0; told != (tt.values["ignition.config.data"] != "") {
				t.Errorf("notes %q", data.Notes)
			}
		})
	}
}

func whole() values {
	return values{
		"userdata": "#cloud-config\n", "vendordata": b64("#!v"), "vendordata.encoding": "b64",
		"metadata": "instance-id: i-1\nlocal-hostname: other\npublic-keys: [" + key + "]\nnetwork:\n  version: 2\n  ethernets: {nics: {dhcp4: true}}\n",
		"hostname": "web1", "dns.server.0": "8.8.8.8", "dns.server.1": "1.1.1.1", "dns.domain.0": "example.com",
		"interface.0.name": "ens192", "interface.0.role": "public", "interface.0.dhcp": "no",
		"interface.0.ip.0.address": "203.0.113.7/24", "interface.0.ip.1.address": "2001:db8::7/64",
		"interface.0.route.0.gateway": "203.0.113.1", "interface.0.route.0.destination": "0.0.0.0/0",
		"interface.1.mac": "00:50:56:00:00:02", "interface.1.role": "private", "interface.1.ip.0.address": "10.0.0.5/8", "interface.1.ip.1.address": "fd00::5/64",
	}
}

func wholeData() datasources.Data {
	return datasources.Data{
		UserData: []byte("#cloud-config\n"), Name: "user-data",
		Meta: schema.Metadata{
			Version: 1, Datasource: "vmware", InstanceID: "i-1", Hostname: "web1", SSHKeys: []string{key},
			PublicIPv4: "203.0.113.7", PublicIPv6: "2001:db8::7", PrivateIPv4: "10.0.0.5", PrivateIPv6: "fd00::5",
		},
		Vendor: []datasources.Document{{Name: "vendor-data", Bytes: []byte("#!v")}},
		Network: []datasources.Document{
			{Name: "network-config", Kind: "cloud-init", Bytes: []byte("version: 2\nethernets:\n  nics:\n    dhcp4: true\n")},
			{Name: "guestinfo", Kind: "vmware", Bytes: []byte(`dns.server.0=8.8.8.8
dns.server.1=1.1.1.1
dns.domain.0=example.com
interface.0.name=ens192
interface.0.dhcp=no
interface.0.role=public
interface.0.ip.0.address=203.0.113.7/24
interface.0.ip.1.address=2001:db8::7/64
interface.0.route.0.gateway=203.0.113.1
interface.0.route.0.destination=0.0.0.0/0
interface.1.mac=00:50:56:00:00:02
interface.1.role=private
interface.1.ip.0.address=10.0.0.5/8
interface.1.ip.1.address=fd00::5/64
`)},
		},
		Tree: map[string]any{"meta_data": map[string]any{
			"instance-id": "i-1", "local-hostname": "other", "public-keys": []any{key},
			"network": map[string]any{"version": 2.0, "ethernets": map[string]any{"nics": map[string]any{"dhcp4": true}}},
		}},
	}
}

func TestEverything(t *testing.T) {
	data, err := at(metadatatest.NewGuestinfo(whole())).Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeData(), data); diff != "" {
		t.Error(diff)
	}
}

// environment is variables as an OVF environment.
func environment(v values) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id="web1">
  <PlatformSection><Kind>VMware ESXi</Kind></PlatformSection>
  <PropertySection>`)
	for name, text := range v {
		b.WriteString(`<Property oe:key="guestinfo.` + name + `" oe:value="` + strings.ReplaceAll(xmltree.Escape(text), "\n", "&#10;") + `"/>` + "\n")
	}
	return b.String() + "</PropertySection></Environment>\n"
}

func TestOVF(t *testing.T) {
	// Of guestinfo: all other variables count for nothing.
	g := metadatatest.NewGuestinfo(values{"ovfenv": environment(whole()), "coreos.config.data": "#!other", "userdata": "#!other", "hostname": "other"})
	source := at(g)
	data, err := source.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeData(), data); diff != "" {
		t.Error(diff)
	}
	if err := source.(datasources.Reporter).Report(t.Context(), true, ""); err != nil || g.Values()["userdata"] != "#!other" {
		t.Errorf("what was not used is taken away: %v, error %v", g.Values(), err)
	}
	// Of a file.
	file := filepath.Join(t.TempDir(), "ovf-env.xml")
	if err := os.WriteFile(file, []byte(environment(whole())), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err = fetchFile(t, file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wholeData(), data); diff != "" {
		t.Error(diff)
	}
}

func fetchFile(t *testing.T, file string) (datasources.Data, error) {
	t.Helper()
	s, err := vmware.New(datasources.Env{}, file)
	if err != nil || s.Name() != "vmware" {
		t.Fatal(err)
	}
	if _, ok := s.(datasources.Reporter); ok {
		t.Error("a file is not for us to change")
	}
	return s.Fetch(t.Context())
}

func TestOVFRefused(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
		is               error
	}{
		{"no file", "", "no such file", datasources.ErrAbsent},
		{"nothing for us", `<Environment><PropertySection><Property key="a" value="b"/></PropertySection></Environment>`, "no variable of guestinfo is set", datasources.ErrAbsent},
		{"not XML", "s3cret", "OVF environment: the XML is not one element", nil},
		{"another document", "<s3cret/>", "it is another document", nil},
		{"a document type", `<!DOCTYPE e [<!ENTITY a "s3cret">]><Environment/>`, "document type", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ovf-env.xml")
			if tt.text != "" {
				if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := fetchFile(t, file)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, datasources.ErrAbsent) != (tt.is != nil) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := fetchFile(t, t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("error %v", err)
	}
}

func TestValues(t *testing.T) {
	many := values{}
	for i := range 1000 {
		many[fmt.Sprintf("dns.server.%d", i)] = "1.1.1.1"
		many[fmt.Sprintf("interface.%d.name", i)] = "a"
		many[fmt.Sprintf("interface.0.ip.%d.address", i)] = "10.0.0.1/8"
		many[fmt.Sprintf("interface.0.route.%d.gateway", i)] = "10.0.0.1"
	}
	bomb := b64(gz(strings.Repeat("a: b\n", 1<<20)))
	for _, tt := range []struct {
		name     string
		values   values
		want     schema.Metadata
		wantText string
	}{
		{name: "metadata in JSON, with tabs", values: values{"metadata": "{\n\t\"instance-id\": \"i-1\",\n\t\"local-hostname\": \"a\", \"public-keys-data\": \"k1\\nk2\\n\"\n}"},
			want: schema.Metadata{InstanceID: "i-1", Hostname: "a", SSHKeys: []string{"k1", "k2"}}},
		{name: "metadata compressed", values: values{"metadata": b64(gz("instance-id: i-1\nlocal-ipv4: 10.0.0.1\nlocal-ipv6: fd00::1\n")), "metadata.encoding": "gz+b64"},
			want: schema.Metadata{InstanceID: "i-1", PrivateIPv4: "10.0.0.1", PrivateIPv6: "fd00::1"}},
		{name: "keys by names", values: values{"metadata": "instance-id: i-1\npublic_keys: {a: k1, b: [k2]}\n"}, want: schema.Metadata{InstanceID: "i-1", SSHKeys: []string{"k1", "k2"}}},
		{name: "lists without end", values: many},
		{name: "an encoding that is none", values: values{"userdata": "a", "userdata.encoding": "rot13\x1b"}, wantText: `userdata.encoding: "rot13\x1b" is not one of base64`},
		{name: "not what its encoding says", values: values{"userdata": "s3cret!", "userdata.encoding": "base64"}, wantText: "userdata: it is not base64"},
		{name: "metadata that is a list", values: values{"metadata": "[s3cret]"}, wantText: "metadata: it is not a mapping"},
		{name: "metadata that is no YAML", values: values{"metadata": "a: s3cret: b"}, wantText: "metadata: it is not a mapping"},
		{name: "metadata that unpacks without end", values: values{"metadata": bomb, "metadata.encoding": "gzip+base64"}, wantText: "metadata: it is not a mapping"},
		{name: "metadata that is cut short", values: values{"metadata": b64(gz("a: b")[:20]), "metadata.encoding": "gzip+base64"}, wantText: "metadata: it cannot be unpacked"},
		{name: "a hostname that is a path", values: values{"hostname": "../b"}, wantText: `hostname: "../b" is not a hostname`},
		{name: "an id of two words", values: values{"metadata": "instance-id: a b\n"}, wantText: "instance-id"},
		{name: "an address without its network", values: values{"interface.0.ip.0.address": "10.0.0.1"}, wantText: "interface.0.ip"},
		{name: "an address that no machine has", values: values{"interface.0.ip.0.address": "127.0.0.1/8"}, wantText: "interface.0.ip"},
		{name: "another role", values: values{"interface.0.role": "dmz", "interface.0.ip.0.address": "10.0.0.1/8"}, wantText: `interface.0.role: "dmz" is not public or private`},
		{name: "a name of two lines", values: values{"interface.0.name": "a\n[Match]"}, wantText: `interface.0.name: "a\n[Match]" is not one line`},
		{name: "an enormous name", values: values{"interface.0.name": strings.Repeat("a", 2000)}, wantText: "interface.0.name"},
		{name: "an address that is no URL", values: values{"coreos.config.url": "s3cret"}, wantText: "begins with none of http://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := metadatatest.NewGuestinfo(tt.values)
			data, err := at(g).Fetch(t.Context())
			if n := len(g.Commands()); n > 1000 {
				t.Errorf("%d questions", n)
			}
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) || errors.Is(err, datasources.ErrAbsent) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) || strings.Contains(fmt.Sprint(err), "s3cret") {
					t.Errorf("the error cannot be printed: %q", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Version, tt.want.Datasource = 1, "vmware"
			if diff := cmp.Diff(tt.want, data.Meta); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "#!url") }))
	defer server.Close()
	g := metadatatest.NewGuestinfo(values{"coreos.config.url": server.URL + "/?token=s3cret", "userdata": "#!other"})
	data, err := at(g).Fetch(t.Context())
	if err != nil || string(data.UserData) != "#!url" {
		t.Errorf("user-data %q, error %v", data.UserData, err)
	}
	if data.Proof != trust.None || data.From != server.URL+"/?token=s3cret" {
		t.Errorf("proof %q, from %q", data.Proof, data.From)
	}
	server.Close()
	if _, err := at(g).Fetch(t.Context()); !errors.Is(err, datasources.ErrNotReady) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error %v", err)
	}
}

func TestAbsent(t *testing.T) {
	if _, err := at(metadatatest.NewGuestinfo(nil)).Fetch(t.Context()); !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "no variable of guestinfo is set") {
		t.Errorf("error %v", err)
	}
	// What was taken away is still there to be seen: a later boot does not look elsewhere.
	data, err := at(metadatatest.NewGuestinfo(values{"userdata": "---"})).Fetch(t.Context())
	if err != nil || data.UserData != nil || data.Meta.Datasource != "vmware" {
		t.Errorf("%+v, error %v", data, err)
	}
}

// What can be the matter with the hypervisor.
func TestTrouble(t *testing.T) {
	notYet := fmt.Errorf("no channel: %w", datasources.ErrNotReady)
	for _, tt := range []struct {
		name  string
		open  error
		reply string
		err   error
		is    error
		want  string
	}{
		{name: "no guest of VMware's", open: fmt.Errorf("not here: %w", datasources.ErrAbsent), is: datasources.ErrAbsent, want: "not here"},
		{name: "every channel is taken", open: notYet, is: datasources.ErrNotReady, want: "no channel"},
		{name: "a channel that breaks", err: notYet, is: datasources.ErrNotReady, want: "get ovfenv: no channel"},
		{name: "a reply of another form", reply: "\x1b[31ms3cret", is: datasources.ErrNotReady, want: "reply is of another form"},
		{name: "no reply", reply: "", is: datasources.ErrNotReady, want: "reply is of another form"},
		{name: "another refusal", reply: "0 Permission denied", is: datasources.ErrNotReady, want: `the hypervisor says "Permission denied"`},
		{name: "a refusal that wants to be printed", reply: "0 \x1b[31m", is: datasources.ErrNotReady, want: `the hypervisor says "\x1b[31m"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened := 0
			s := vmware.NewAt(metadatatest.NewQuiet(), func() (*vmware.Channel, error) {
				if tt.open != nil {
					return nil, tt.open
				}
				opened++
				return &vmware.Channel{
					Call:  func(context.Context, string) (string, error) { return tt.reply, tt.err },
					Close: func() { opened-- },
				}, nil
			})
			_, err := s.Fetch(t.Context())
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) || strings.ContainsFunc(err.Error(), unicode.IsControl) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if opened != 0 {
				t.Errorf("%d channels stay open", opened)
			}
		})
	}
}

func TestTakenAway(t *testing.T) {
	start := values{
		"userdata": b64("#!a"), "userdata.encoding": "base64", "vendordata": "#!v", "metadata": "instance-id: i-1\n",
		"ignition.config.data": "{}", "coreos.config.url": "",
	}
	g := metadatatest.NewGuestinfo(start)
	s := at(g)
	if err := s.(datasources.Reporter).Report(t.Context(), true, ""); err != nil || g.Values()["userdata"] == "---" {
		t.Errorf("taken away before it was used; error %v", err)
	}
	if _, err := s.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.(datasources.Reporter).Report(t.Context(), false, "refused"); err != nil || g.Values()["userdata"] != start["userdata"] {
		t.Errorf("taken away though nothing was committed; error %v", err)
	}
	if err := s.(datasources.Reporter).Report(t.Context(), true, ""); err != nil {
		t.Fatal(err)
	}
	want := values{"userdata": "---", "userdata.encoding": " ", "vendordata": "---", "metadata": "instance-id: i-1\n", "ignition.config.data": "{}", "coreos.config.url": ""}
	if diff := cmp.Diff(want, g.Values()); diff != "" {
		t.Error(diff)
	}
	data, err := s.Fetch(t.Context())
	if err != nil || data.Meta.InstanceID != "i-1" || string(data.UserData) != "{}" || data.Vendor != nil {
		t.Errorf("on a later boot: %+v, error %v", data, err)
	}
	// A hypervisor that does not let us says so, once.
	g = metadatatest.NewGuestinfo(start)
	g.ReadOnly = true
	s = at(g)
	if _, err := s.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = s.(datasources.Reporter).Report(t.Context(), true, "")
	if err == nil || !strings.Contains(err.Error(), "set userdata: the hypervisor says \"Disabled by configuration\"") {
		t.Errorf("error %v", err)
	}
}

// The programs of VMware's tools, which are links to this one.
func TestTools(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dmi := filepath.Join(root, "sys/class/dmi/id")
	if err := os.MkdirAll(dmi, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vmware-rpctool", "vmtoolsd"} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
				t.Skip(err)
			}
			t.Setenv("PATH", bin)
			t.Setenv("GORACE", "atexit_sleep_ms=0") // a race detector ends slowly
			file := filepath.Join(bin, "variables.json")
			text, _ := json.Marshal(whole())
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv(variables, file)
			env := metadatatest.NewQuiet()
			env.Root = root
			fetch := func() (datasources.Data, error) {
				data, _, err := catalog.Fetch(t.Context(), env, []string{"vmware"})
				return data, err
			}
			if err := os.WriteFile(filepath.Join(dmi, "sys_vendor"), []byte("QEMU\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := fetch(); !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "no guest of VMware's") {
				t.Fatalf("error %v", err)
			}
			if err := os.WriteFile(filepath.Join(dmi, "sys_vendor"), []byte("VMware, Inc.\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			data, err := fetch()
			if err != nil {
				t.Fatal(err)
			}
			reporter := data.Reporter
			data.Reporter = nil
			if diff := cmp.Diff(wholeData(), data); diff != "" {
				t.Error(diff)
			}
			if err := reporter.Report(t.Context(), true, ""); err != nil {
				t.Error(err)
			}
			text, _ = os.ReadFile(file)
			var now values
			if json.Unmarshal(text, &now) != nil || now["userdata"] != "---" || now["hostname"] != "web1" {
				t.Errorf("now %v", now)
			}
			// One that fails has not said that there is nothing.
			if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
				t.Fatal(err)
			}
			env.Limits.Overall = time.Second
			if _, err := fetch(); !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "Failed to open a channel") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzMetadata(f *testing.F) {
	for name, text := range whole() {
		f.Add(name, text)
	}
	f.Add("metadata", "network: aa\nnetwork.encoding: base64\npublic-keys: {a: [b]}")
	f.Fuzz(func(t *testing.T, name, text string) {
		v := whole()
		v[name] = text
		delete(v, "ovfenv")
		delete(v, "coreos.config.url")
		data, err := at(metadatatest.NewGuestinfo(v)).Fetch(t.Context())
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error cannot be printed: %q", err)
		}
		for _, n := range data.Network {
			if n.Kind == "vmware" && strings.Count(string(n.Bytes), "\n") > 2*strings.Count(string(wholeData().Network[1].Bytes), "\n") {
				t.Errorf("lines %q", n.Bytes)
			}
		}
	})
}

func FuzzOVF(f *testing.F) {
	f.Add(environment(whole()))
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "url") {
			return
		}
		data, err := at(metadatatest.NewGuestinfo(values{"ovfenv": text})).Fetch(t.Context())
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the error cannot be printed: %q", err)
		}
		if len(data.UserData) > len(text) {
			t.Errorf("more comes out than went in")
		}
	})
}
