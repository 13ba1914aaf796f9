package openstack_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/openstack"
	"cloudconfig/schema"
)

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeOpenStack, New: openstack.New, Requests: 9, Series: 2,
	})
}

func fetch(t *testing.T, i metadatatest.OpenStackInstance) (datasources.Data, *metadatatest.World, error) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.OpenStack(i), 0)
	source, err := openstack.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	data, err := source.Fetch(t.Context())
	return data, w, err
}

func TestFetch(t *testing.T) {
	i := metadatatest.OpenStackExample()
	data, w, err := fetch(t, i)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := data.Tree["meta_data"].(map[string]any)["random_seed"]; ok {
		t.Error("random bytes are for no template")
	}
	data.Tree = nil
	want := datasources.Data{
		Name: "user-data", UserData: i.UserData,
		Meta: schema.Metadata{
			Version: 1, Datasource: "openstack", InstanceID: i.ID, Hostname: "web1.novalocal", PublicIPv4: i.PublicIPv4, PrivateIPv4: i.LocalIPv4,
			Zone: "nova", InstanceType: "m1.small", SSHKeys: []string{i.Keys[0].OpenSSH},
		},
		Vendor: []datasources.Document{
			{Name: "vendor-data", Bytes: []byte("#cloud-config\nhostname: vendor\n")},
			{Name: "vendor-data 2", Bytes: []byte("#cloud-config\n{}\n")},
		},
		Network: []datasources.Document{{Name: "network-config", Kind: "openstack", Bytes: []byte(i.NetworkData)}},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(w.Handler.Requests(), "GET /openstack/2025-04-04/meta_data.json") {
		t.Errorf("not the newest version: %q", w.Handler.Requests())
	}
}

// What was answered is kept only until all is there.
func TestUserDataLate(t *testing.T) {
	i := metadatatest.OpenStackExample()
	w := metadatatest.NewWorld(t, metadatatest.OpenStack(i, metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/openstack/2025-04-04/user_data", Times: 1}), 0)
	s, err := openstack.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Fetch(t.Context())
	if !errors.Is(err, datasources.ErrNotReady) || data.Meta.InstanceID != i.ID || data.Meta.PrivateIPv4 == "" || data.UserData != nil {
		t.Errorf("data %+v, error %v", data, err)
	}
	if data, err = s.Fetch(t.Context()); err != nil || string(data.UserData) != string(i.UserData) || len(w.Handler.Requests()) != 10 {
		t.Errorf("user-data %q, error %v, requests %q", data.UserData, err, w.Handler.Requests())
	}
}

func TestFetchAgainAsksAgain(t *testing.T) {
	w := metadatatest.NewWorld(t, metadatatest.OpenStack(metadatatest.OpenStackExample()), 0)
	source, err := openstack.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := source.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.Handler.Requests()); n != 18 {
		t.Errorf("%d requests", n)
	}
}

func TestInstances(t *testing.T) {
	type instance = metadatatest.OpenStackInstance
	for _, tt := range []struct {
		name   string
		change func(*instance)
		check  func(*testing.T, datasources.Data)
		want   string // of the error
		later  bool   // the error says to ask again
	}{
		{name: "no floating address, no key, no vendor data", change: func(i *instance) {
			i.PublicIPv4, i.Keys, i.VendorData, i.VendorData2, i.NetworkData = "", nil, "", "", "{}"
		}, check: func(t *testing.T, d datasources.Data) {
			if d.Meta.PublicIPv4 != "" || d.Meta.SSHKeys != nil || d.Vendor != nil || d.Network != nil {
				t.Errorf("%+v", d)
			}
		}},
		{name: "an old service", change: func(i *instance) { i.Versions = openStackUntil("2013-10-17") }, check: func(t *testing.T, d datasources.Data) {
			if len(d.Vendor) != 1 || d.Network != nil || d.Meta.InstanceID == "" {
				t.Errorf("%+v", d)
			}
		}},
		{name: "a service with nothing but latest", change: func(i *instance) { i.Versions = []string{"latest"} }, check: func(t *testing.T, d datasources.Data) {
			if len(d.Vendor) != 2 || d.Meta.InstanceID == "" {
				t.Errorf("%+v", d)
			}
		}},
		{name: "versions of years to come", change: func(i *instance) { i.Versions = []string{"2018-08-27", "2099-01-01", "latest"} }, check: func(t *testing.T, d datasources.Data) {
			if d.Meta.InstanceID == "" {
				t.Errorf("%+v", d)
			}
		}},
		{name: "no version at all", change: func(i *instance) { i.Versions = []string{"2099-01-01"} }, want: "/openstack: it is not a list of versions"},
		{name: "the instance is not known yet", change: func(i *instance) { i.Versions = []string{"2012-08-10"}; i.MetaData = " " }, want: "meta_data.json: it is empty"},
		{name: "injected interfaces", change: func(i *instance) {
			i.More = map[string]any{"network_config": map[string]any{"name": "network_config", "content_path": "/content/0000"}}
			i.Content = map[string]string{"0000": "auto lo\n"}
		}, check: func(t *testing.T, d datasources.Data) {
			if len(d.Network) != 2 || d.Network[1].Kind != "debian" || string(d.Network[1].Bytes) != "auto lo\n" {
				t.Errorf("%q", d.Network)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := metadatatest.OpenStackExample()
			tt.change(&i)
			d, _, err := fetch(t, i)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, datasources.ErrNotReady) != tt.later {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.check(t, d)
		})
	}
}

func openStackUntil(last string) (all []string) {
	for _, v := range []string{"2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15"} {
		if v <= last {
			all = append(all, v)
		}
	}
	return append(all, "latest")
}

// The proxy of Neutron answers before it knows the instance.
func TestInstanceIsLate(t *testing.T) {
	h := metadatatest.OpenStack(metadatatest.OpenStackExample(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 404, Path: "/openstack/2025-04-04", Times: 5})
	w := metadatatest.NewWorld(t, h, 0)
	source, err := openstack.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context()); !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "no meta_data.json of this instance") {
		t.Errorf("error %v", err)
	}
	if d, err := source.Fetch(t.Context()); err != nil || d.UserData == nil || d.Vendor == nil {
		t.Errorf("%+v, error %v: an absence was kept with an answer that was none", d, err)
	}
}

// links answers for hosts; what is not there is refused.
type links struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	asked []string
}

func (l *links) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.asked = append(l.asked, r.URL.Host)
	l.mu.Unlock()
	h := l.hosts[r.URL.Host]
	if h == nil {
		return nil, errors.New("refused")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func TestEveryLink(t *testing.T) {
	root := t.TempDir()
	for name, carrier := range map[string]string{"eth0": "1", "eth1": "1", "eth2": "0", "lo": "1"} {
		dir := filepath.Join(root, "sys/class/net", name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "carrier"), []byte(carrier), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := metadatatest.OpenStack(metadatatest.OpenStackExample())
	absent := http.NotFoundHandler()
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	const v4, eth0, eth1 = "169.254.169.254", "[fe80::a9fe:a9fe%eth0]", "[fe80::a9fe:a9fe%eth1]"
	for _, tt := range []struct {
		name  string
		hosts map[string]http.Handler
		want  error
	}{
		{"only on IPv4", map[string]http.Handler{v4: good}, nil},
		{"only on one link", map[string]http.Handler{eth1: good}, nil},
		{"on a link while IPv4 is dead", map[string]http.Handler{v4: hang, eth1: good}, nil},
		{"on a link while IPv4 is not what it should be", map[string]http.Handler{v4: broken, eth0: good}, nil},
		{"on IPv4 while a link hangs", map[string]http.Handler{v4: good, eth0: hang}, nil},
		{"nowhere", nil, datasources.ErrNotReady},
		{"another service on IPv4", map[string]http.Handler{v4: absent}, datasources.ErrAbsent},
		{"a link that hangs does not hold up the answer of IPv4", map[string]http.Handler{v4: absent, eth0: hang}, datasources.ErrAbsent},
		{"a link never says that IPv4 is not there", map[string]http.Handler{eth0: absent}, datasources.ErrNotReady},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &links{hosts: tt.hosts}
			source, err := openstack.New(datasources.Env{Root: root, Transport: l}, "")
			if err != nil {
				t.Fatal(err)
			}
			data, err := source.Fetch(t.Context())
			if tt.want != nil {
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
			} else if err != nil || data.Meta.InstanceID == "" || data.Routed {
				t.Errorf("%+v, error %v", data, err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, host := range l.asked {
				if host != v4 && host != eth0 && host != eth1 {
					t.Errorf("asked %s", host)
				}
			}
			// Who is asked at the same time as one that answers well may not have been asked yet.
			if tt.want != nil && !slices.Contains(l.asked, v4) {
				t.Errorf("asked only %q", l.asked)
			}
		})
	}
}

// A service on IPv6 that is slow is heard, too.
func TestSlowLink(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/class/net/eth0")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "carrier"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	good := metadatatest.OpenStack(metadatatest.OpenStackExample())
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openstack" {
			select {
			case <-r.Context().Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
		good.ServeHTTP(w, r)
	})
	source, err := openstack.New(datasources.Env{Root: root, Transport: &links{hosts: map[string]http.Handler{"[fe80::a9fe:a9fe%eth0]": slow}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := source.Fetch(t.Context()); !errors.Is(err, datasources.ErrNotReady) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := source.Fetch(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"the default", "", ""},
		{"IPv6", "http://[fe80::a9fe:a9fe%25eth0]/", ""},
		{"no URL", "169.254.169.254", "no URL"},
		{"a path", "http://169.254.169.254/openstack", "more than a scheme and a host"},
		{"a password", "http://me:s3cret@169.254.169.254", "more than a scheme and a host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := openstack.New(datasources.Env{Root: t.TempDir()}, tt.url)
			if tt.want == "" {
				if err != nil || source.Name() != "openstack" {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRouted(t *testing.T) {
	l := &links{hosts: map[string]http.Handler{"10.0.0.1": metadatatest.OpenStack(metadatatest.OpenStackExample())}}
	source, err := openstack.New(datasources.Env{Transport: l}, "http://10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if data, err := source.Fetch(context.Background()); err != nil || !data.Routed {
		t.Errorf("routed %v, error %v", data.Routed, err)
	}
}
