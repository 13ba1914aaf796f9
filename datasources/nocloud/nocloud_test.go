package nocloud_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/nocloud"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fetch(t *testing.T, env datasources.Env, arg string) (datasources.Data, error) {
	t.Helper()
	source, err := nocloud.New(env, arg)
	if err != nil {
		t.Fatal(err)
	}
	if source.Name() != "nocloud" {
		t.Errorf("its name is %q", source.Name())
	}
	return source.Fetch(t.Context())
}

const example = `instance-id: iid-local01
local-hostname: web1
hostname: another
public-keys:
  - ssh-rsa A
  - ssh-rsa B
network-interfaces: |
  iface eth0 inet dhcp
`

func TestDirectory(t *testing.T) {
	type files = map[string]string
	for _, tt := range []struct {
		name   string
		files  files
		behind string
		want   datasources.Data // without what is the same for all
		err    string
		absent bool
	}{
		{
			name:  "everything",
			files: files{"user-data": "#cloud-config\n", "meta-data": example, "vendor-data": "#!/bin/sh\n", "network-config": "version: 2\n"},
			want: datasources.Data{
				UserData: []byte("#cloud-config\n"),
				Meta:     schema.Metadata{InstanceID: "iid-local01", Hostname: "web1", SSHKeys: []string{"ssh-rsa A", "ssh-rsa B"}},
				Vendor:   []datasources.Document{{Name: "vendor-data", Bytes: []byte("#!/bin/sh\n")}},
				Network: []datasources.Document{
					{Name: "network-config", Kind: "cloud-init", Bytes: []byte("version: 2\n")}, {Name: "network-config", Kind: "debian", Bytes: []byte("iface eth0 inet dhcp\n")},
				},
			},
		},
		{name: "what the command line says counts more", files: files{"user-data": "x", "meta-data": example}, behind: ";h=web9;i=i-9",
			want: datasources.Data{UserData: []byte("x"), Meta: schema.Metadata{InstanceID: "i-9", Hostname: "web9", SSHKeys: []string{"ssh-rsa A", "ssh-rsa B"}},
				Network: []datasources.Document{{Name: "network-config", Kind: "debian", Bytes: []byte("iface eth0 inet dhcp\n")}}}},
		{name: "JSON", files: files{"user-data": "", "meta-data": `{"instance-id": "i-1", "public-keys": {"a": "ssh-rsa A", "b": ["ssh-rsa B"]}, "local-ipv4": "10.0.0.5"}`},
			want: datasources.Data{Meta: schema.Metadata{InstanceID: "i-1", PrivateIPv4: "10.0.0.5", SSHKeys: []string{"ssh-rsa A", "ssh-rsa B"}}}},
		{name: "keys in one text, and as EC2 has them", files: files{"user-data": "", "meta-data": "public-keys: \"ssh-rsa A\\nssh-rsa B\\n\"\npublic_keys: {0: {openssh-key: ssh-rsa C}}\n"},
			want: datasources.Data{Meta: schema.Metadata{SSHKeys: []string{"ssh-rsa A", "ssh-rsa B", "ssh-rsa C"}}}},
		{name: "empty files", files: files{"user-data": "", "meta-data": "", "vendor-data": "", "network-config": "\n"}},
		{name: "nothing but comments", files: files{"user-data": "", "meta-data": "# none\n"}},
		{name: "an id that is a number", files: files{"user-data": "", "meta-data": "instance-id: 007\n"}, want: datasources.Data{Meta: schema.Metadata{InstanceID: "007"}}},
		{name: "no meta-data", files: files{"user-data": "x"}, err: "the seed has no meta-data", absent: true},
		{name: "no user-data", files: files{"meta-data": ""}, err: "the seed has no user-data", absent: true},
		{name: "meta-data that is no YAML", files: files{"user-data": "", "meta-data": "a: b\n\tpassword: s3cret\n"}, err: "meta-data:2:1: "},
		{name: "the same key twice", files: files{"user-data": "", "meta-data": "instance-id: s3cret\ninstance-id: b\n"}, err: "[duplicate-key]"},
		{name: "a list", files: files{"user-data": "", "meta-data": "[a]\n"}, err: "meta-data: not a mapping"},
		{name: "an id that is a list", files: files{"user-data": "", "meta-data": "instance-id: [a]\n"}, err: "meta-data: instance-id: it is not a text"},
		{name: "a hostname that is a path", files: files{"user-data": "", "meta-data": "hostname: ../etc\n"}, err: `meta-data: local-hostname: "../etc" is not a hostname`},
		{name: "large meta-data", files: files{"user-data": "", "meta-data": strings.Repeat("# x\n", 1<<18+1)}, err: "meta-data: larger than 1024 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := fetch(t, datasources.Env{Root: t.TempDir()}, tree(t, tt.files)+tt.behind)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || errors.Is(err, datasources.ErrAbsent) != tt.absent || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			want := tt.want
			want.Name, want.Meta.Version, want.Meta.Datasource = "user-data", 1, "nocloud"
			got.Tree = nil
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v, %s", err, diff)
			}
		})
	}
}

func TestTree(t *testing.T) {
	got, err := fetch(t, datasources.Env{}, tree(t, map[string]string{"user-data": "", "meta-data": "a: {b-c: [1, x]}\n"}))
	want := map[string]any{"meta_data": map[string]any{"a": map[string]any{"b-c": []any{1.0, "x"}}}}
	if diff := cmp.Diff(want, got.Tree); diff != "" || err != nil {
		t.Errorf("error %v, %s", err, diff)
	}
}

func TestNoDisk(t *testing.T) {
	if _, err := fetch(t, datasources.Env{Root: t.TempDir()}, ""); !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "no disk labelled cidata or CIDATA") {
		t.Errorf("error %v", err)
	}
	if _, err := fetch(t, datasources.Env{Root: t.TempDir()}, "/nonexistent/seed"); !errors.Is(err, datasources.ErrAbsent) {
		t.Errorf("error %v", err)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"", ""},
		{";h=web1;i=i-1", ""},
		{";i=i-1", ""},
		{"s=http://10.0.0.1/;h=web1", ""},
		{"/seed", ""},
		{"file:///seed/", ""},
		{"https://me:s3cret@host/__dmi.system-serial-number__/?a=b", ""},
		{"ftp://host/", "neither a directory nor a URL"},
		{"http:///x", "neither a directory nor a URL"},
		{"http://host/__dmi.shoe-size__/", "not known"},
		{"http://host/__dmi.system-uuid", "not known"},
		{"/seed;h=web1;x=s3cret", "there may be ;h=NAME and ;i=ID"},
	} {
		_, err := nocloud.New(datasources.Env{}, tt.arg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: error %v, want %q", tt.arg, err, tt.want)
		}
	}
}

// seeds serves files by their paths, and keeps what was asked for.
type seeds struct {
	mu    sync.Mutex
	files map[string]string
	asked []string
}

func (s *seeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
	text, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, text)
}

// RoundTrip answers for any host.
func (s *seeds) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestURL(t *testing.T) {
	root := tree(t, map[string]string{"sys/class/dmi/id/product_serial": "CZ 3/4&\n", "sys/class/dmi/id/bios_date": "To be filled by O.E.M."})
	insecure := datasources.Env{Root: root, Trust: trust.Policy{Insecure: true}}
	for _, tt := range []struct {
		name, url string
		env       datasources.Env
		files     map[string]string
		asked     []string
		routed    bool
		want      string // of the error
		is        error
	}{
		{name: "everything", url: "http://10.0.0.1/seed/", env: insecure, routed: true,
			files: map[string]string{"/seed/user-data": "x", "/seed/meta-data": "instance-id: i-1", "/seed/vendor-data": "v", "/seed/network-config": "n"},
			asked: []string{"/seed/meta-data", "/seed/network-config", "/seed/user-data", "/seed/vendor-data"}},
		{name: "without a closing slash, and with a query", url: "http://10.0.0.1/seed?a=b", env: insecure, routed: true,
			files: map[string]string{"/seed/user-data": "x", "/seed/meta-data": "instance-id: i-1"},
			asked: []string{"/seed/meta-data?a=b", "/seed/network-config?a=b", "/seed/user-data?a=b", "/seed/vendor-data?a=b"}},
		{name: "what the firmware says", url: "http://10.0.0.1/__dmi.system-serial-number__/__dmi.bios-release-date__x/", env: insecure, routed: true,
			files: map[string]string{"/CZ 3/4&/x/user-data": "x", "/CZ 3/4&/x/meta-data": "instance-id: i-1"},
			asked: []string{"/CZ%203%2F4%26/x/meta-data", "/CZ%203%2F4%26/x/network-config", "/CZ%203%2F4%26/x/user-data", "/CZ%203%2F4%26/x/vendor-data"}},
		{name: "on the link", url: "http://169.254.1.1/", env: insecure, files: map[string]string{"/user-data": "x", "/meta-data": "instance-id: i-1"}},
		{name: "over TLS", url: "https://10.0.0.1/", files: map[string]string{"/user-data": "x", "/meta-data": "instance-id: i-1"}},
		{name: "plain http is for no stranger", url: "http://10.0.0.1/", files: map[string]string{"/user-data": "x", "/meta-data": ""}, want: "http://10.0.0.1/user-data"},
		{name: "no user-data", url: "http://10.0.0.1/", env: insecure, files: map[string]string{"/meta-data": ""}, want: "the seed has no user-data", is: datasources.ErrAbsent},
		{name: "no seed", url: "http://10.0.0.1/", env: insecure, want: "the seed has no user-data", is: datasources.ErrAbsent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &seeds{files: tt.files}
			tt.env.Transport = s
			got, err := fetch(t, tt.env, tt.url)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || got.Meta.InstanceID != "i-1" || string(got.UserData) != "x" || got.Routed != tt.routed {
				t.Errorf("%+v, error %v", got, err)
			}
			sort.Strings(s.asked)
			if diff := cmp.Diff(tt.asked, s.asked); diff != "" && tt.asked != nil {
				t.Error(diff)
			}
		})
	}
}

// A digest is that of user-data, and of nothing else.
func TestDigest(t *testing.T) {
	s := &seeds{files: map[string]string{"/user-data": "x", "/meta-data": "instance-id: i-1"}}
	for digest, want := range map[string]string{fmt.Sprintf("%x", sha256.Sum256([]byte("x"))): "", strings.Repeat("0", 64): "https://10.0.0.1/user-data"} {
		root := tree(t, map[string]string{"proc/cmdline": "cloud-config-digest=sha256-" + digest})
		data, err := fetch(t, datasources.Env{Root: root, Transport: s}, "https://10.0.0.1/")
		if want == "" && (err != nil || data.Proof != trust.Digest) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("proof %q, error %v, want %q", data.Proof, err, want)
		}
	}
}

// What was answered is kept until all is there, and no longer.
func TestFetchAgain(t *testing.T) {
	s := &seeds{files: map[string]string{"/user-data": "x", "/meta-data": "instance-id: i-1"}}
	h := metadatatest.New(s, metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/meta-data", Times: 1})
	w := metadatatest.NewWorld(t, h, 0)
	w.Env.Root, w.Env.Trust.Insecure = t.TempDir(), true
	source, err := nocloud.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{4, 5, 9} {
		_, err := source.Fetch(t.Context())
		if errors.Is(err, datasources.ErrNotReady) != (n == 0) {
			t.Errorf("error %v", err)
		}
		if got := len(h.Requests()); got != want {
			t.Errorf("%d requests, want %d", got, want)
		}
	}
}

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeNoCloud,
		New: func(env datasources.Env, url string) (datasources.Source, error) {
			env.Root, env.Trust.Insecure = t.TempDir(), true
			return nocloud.New(env, url+"/seed/")
		},
		Requests: 4, Series: 1,
	})
}

func FuzzNoCloudMetaData(f *testing.F) {
	f.Add([]byte(example), "/seed;h=web1")
	f.Add([]byte(`{"instance-id": 1, "public-keys": {"a": {"openssh-key": "x"}}}`), ";i=x")
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "user-data"), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte, arg string) {
		_, _ = nocloud.New(datasources.Env{}, arg)
		if err := os.WriteFile(filepath.Join(dir, "meta-data"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := nocloud.New(datasources.Env{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		data, err := source.Fetch(context.Background())
		if err != nil {
			return
		}
		for _, word := range []string{data.Meta.InstanceID, data.Meta.Hostname, data.Meta.Zone} {
			if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("took %q", word)
			}
		}
	})
}
