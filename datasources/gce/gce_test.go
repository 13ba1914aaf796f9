package gce_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/gce"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
)

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve:    metadatatest.ServeGCE,
		New:      gce.New,
		Requests: 2, Series: 1,
	})
}

func fetch(t *testing.T, i metadatatest.GCEInstance, faults ...metadatatest.Fault) (*metadatatest.World, datasources.Data, []datasources.Decision, error) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.GCE(i, faults...), 0)
	data, decisions, err := catalog.Fetch(t.Context(), w.Env, []string{"gce=" + w.URL})
	return w, data, decisions, err
}

func wholeMetadata() schema.Metadata {
	i := metadatatest.ExampleGCE()
	return schema.Metadata{
		Version: 1, Datasource: "gce", InstanceID: i.ID, Hostname: i.Hostname, PublicIPv4: i.ExternalIP, PrivateIPv4: i.IP,
		PublicIPv6: i.IPv6s[0], Region: "us-central1", Zone: "us-central1-a", InstanceType: "e2-micro",
		SSHKeys: []string{metadatatest.Example().Keys[0].OpenSSH},
	}
}

func TestFetch(t *testing.T) {
	w, data, _, err := fetch(t, metadatatest.ExampleGCE())
	if err != nil {
		t.Fatal(err)
	}
	tree := data.Tree
	data.Tree = nil
	want := datasources.Data{
		Name: "user-data", UserData: metadatatest.Example().UserData, Meta: wholeMetadata(),
		Network: []datasources.Document{{Name: "network-interfaces", Kind: "gce", Bytes: []byte(
			`[{"accessConfigs":[{"externalIp":"203.0.113.7","type":"ONE_TO_ONE_NAT"}],"ip":"10.128.0.5","ipv6s":["2001:db8::5"],` +
				`"mac":"42:01:0a:80:00:05","mtu":1460,"network":"projects/123456789012/networks/default"}]`)}},
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
	instance := tree["meta_data"].(map[string]any)["instance"].(map[string]any)
	if id, ok := instance["id"].(json.Number); !ok || id.String() != want.Meta.InstanceID {
		t.Errorf("templates see the id %v", instance["id"])
	}
	if _, ok := instance["attributes"].(map[string]any)["user-data"]; ok {
		t.Error("templates see user-data itself")
	}
	project := tree["meta_data"].(map[string]any)["project"]
	if diff := cmp.Diff(map[string]any{"attributes": map[string]any{"enable-guest-attributes": "FALSE"}}, project); diff != "" {
		t.Error(diff)
	}
	if n := len(w.Handler.Requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestValues(t *testing.T) {
	type instance = metadatatest.GCEInstance
	whole := wholeMetadata()
	for _, tt := range []struct {
		name     string
		change   func(*instance)
		want     func(*schema.Metadata)
		userData string // "" is that of the example
		wantText string // of an error that ends the search
	}{
		{
			name:   "an instance inside",
			change: func(i *instance) { i.ExternalIP, i.IPv6s = "", nil },
			want:   func(m *schema.Metadata) { m.PublicIPv4, m.PublicIPv6 = "", "" },
		},
		{
			name:   "an instance of IPv6 alone, with an address of its network",
			change: func(i *instance) { i.IP, i.ExternalIP, i.IPv6s = "", "", []string{"fd20::5"} },
			want: func(m *schema.Metadata) {
				m.PrivateIPv4, m.PublicIPv4, m.PublicIPv6, m.PrivateIPv6 = "", "", "", "fd20::5"
			},
		},
		{
			name:   "nothing but an id",
			change: func(i *instance) { *i = instance{ID: "1"} },
			want: func(m *schema.Metadata) {
				*m = schema.Metadata{Version: 1, Datasource: "gce", InstanceID: "1"}
			},
			userData: "none",
		},
		{
			name: "user-data in base64, in lines",
			change: func(i *instance) {
				text := base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\x00\xff"))
				i.Attributes["user-data"], i.Attributes["user-data-encoding"] = text[:4]+"\n"+text[4:]+"\n", "base64"
			},
			userData: "#!/bin/sh\x00\xff",
		},
		{
			name: "user-data that is said to be base64",
			change: func(i *instance) {
				i.Attributes["user-data"], i.Attributes["user-data-encoding"] = "s3cret: #", "base64"
			},
			wantText: "gce: user-data: it is not base64",
		},
		{name: "another encoding", change: func(i *instance) { i.Attributes["user-data-encoding"] = "gzip" }, wantText: `user-data-encoding: "gzip" is not "base64", the only one there is`},
		{name: "an address that is none", change: func(i *instance) { i.IP = "10.0.0.256" }, wantText: `instance/network-interfaces/0/ip: "10.0.0.256" is not the IPv4 address of a machine`},
		{name: "an address of no machine", change: func(i *instance) { i.ExternalIP = "127.0.0.1" }, wantText: "external-ip"},
		{name: "an IPv6 address with a zone", change: func(i *instance) { i.IPv6s = []string{"fe80::1%eth0"} }, wantText: "ipv6s"},
		{name: "a name with a slash", change: func(i *instance) { i.Hostname = "../etc" }, wantText: `instance/hostname: "../etc" is not a hostname`},
		{name: "a zone with a new line", change: func(i *instance) { i.Zone = "projects/1/zones/a\nb" }, wantText: "instance/zone"},
		{name: "a type with a direction mark", change: func(i *instance) { i.MachineType = "e2\u202e" }, wantText: `"e2\u202e"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.ExampleGCE()
			tt.change(&i)
			_, data, _, err := fetch(t, i)
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if strings.Contains(tt.wantText, "user-data") && data.Meta.Hostname == "" {
					t.Error("user-data that cannot be read takes the metadata along")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := whole
			if tt.want != nil {
				tt.want(&want)
			}
			if diff := cmp.Diff(want, data.Meta); diff != "" {
				t.Error(diff)
			}
			userData := string(metadatatest.Example().UserData)
			switch tt.userData {
			case "":
			case "none":
				userData = ""
			default:
				userData = tt.userData
			}
			if string(data.UserData) != userData {
				t.Errorf("user-data %q", data.UserData)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	const (
		later = `{"userName":"joe@example.com","expireOn":"2026-01-01T00:00:01+0000"}` // the clock of a World stands at 2026-01-01
		now   = `{"userName":"joe@example.com","expireOn":"2026-01-01T00:00:00+0000"}`
		zulu  = `{"userName":"joe@example.com","expireOn":"2026-01-01T00:00:01Z"}`
	)
	type attributes = map[string]string
	for _, tt := range []struct {
		name              string
		instance, project attributes
		want              []string
		reason            string // of the decision
	}{
		{
			name:     "of the instance, then of its project, whosever they are",
			instance: attributes{"ssh-keys": "a:ssh-ed25519 A me@a\n\n b:ssh-ed25519 B \r\n"},
			project:  attributes{"ssh-keys": "c:ssh-ed25519 C a:b\na:ssh-ed25519 A me@a"},
			want:     []string{"ssh-ed25519 A me@a", "ssh-ed25519 B", "ssh-ed25519 C a:b"},
		},
		{
			name:     "the project's are blocked",
			instance: attributes{"ssh-keys": "a:ssh-ed25519 A", "block-project-ssh-keys": "TRUE"},
			project:  attributes{"ssh-keys": "c:ssh-ed25519 C", "sshKeys": "d:ssh-ed25519 D"},
			want:     []string{"ssh-ed25519 A"},
		},
		{
			name:     "the project's are not blocked",
			instance: attributes{"ssh-keys": "a:ssh-ed25519 A", "block-project-ssh-keys": "FALSE"},
			project:  attributes{"ssh-keys": "c:ssh-ed25519 C", "sshKeys": "d:ssh-ed25519 D"},
			want:     []string{"ssh-ed25519 A", "ssh-ed25519 C", "ssh-ed25519 D"},
		},
		{
			name:     "the old name blocks them",
			instance: attributes{"ssh-keys": "a:ssh-ed25519 A", "sshKeys": "b:ssh-ed25519 B"},
			project:  attributes{"ssh-keys": "c:ssh-ed25519 C"},
			want:     []string{"ssh-ed25519 A", "ssh-ed25519 B"},
		},
		{
			name: "keys that end",
			instance: attributes{"ssh-keys": "a:ssh-ed25519 A google-ssh " + later + "\nb:ssh-ed25519 B google-ssh " + now +
				"\nc:ssh-ed25519 C google-ssh " + zulu},
			want:   []string{"ssh-ed25519 A google-ssh", "ssh-ed25519 C google-ssh"},
			reason: "SSH keys that have expired and were left out: 1",
		},
		{
			name: "an end that cannot be read is not no end",
			instance: attributes{"ssh-keys": `a:ssh-ed25519 A google-ssh {"expireOn":"soon"}` + "\n" + `b:ssh-ed25519 B google-ssh {` +
				"\n" + `c:ssh-ed25519 C google-ssh {"userName":"s3cret"}`},
			reason: "lines of ssh-keys that are not USER:KEY, or whose expiry cannot be read, and were left out: 3",
		},
		{
			name:     "lines that are no keys",
			instance: attributes{"ssh-keys": "ssh-ed25519 A me\n:ssh-ed25519 A\na:\nssh-ed25519 A a:b\n# a: comment"},
			reason:   "left out: 4",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.ExampleGCE()
			i.Attributes, i.Project = tt.instance, tt.project
			_, data, decisions, err := fetch(t, i)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, data.Meta.SSHKeys); diff != "" {
				t.Error(diff)
			}
			reason := decisions[0].Reason
			if tt.reason == "" && reason != "it answered" || !strings.Contains(reason, tt.reason) || strings.Contains(reason, "s3cret") {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
		})
	}
	t.Run("more than anyone has", func(t *testing.T) {
		i := metadatatest.ExampleGCE()
		var all strings.Builder
		for n := range 1025 {
			all.WriteString("a:ssh-ed25519 " + strings.Repeat("x", n+1) + "\n")
		}
		i.Attributes["ssh-keys"] = all.String()
		if _, _, _, err := fetch(t, i); err == nil || !strings.Contains(err.Error(), "ssh-keys: more than 1024") {
			t.Errorf("error %v", err)
		}
	})
}

// What can be the matter with one of the two answers.
func TestFaults(t *testing.T) {
	type fault = metadatatest.Fault
	const instance, project = "/computeMetadata/v1/instance/", "/computeMetadata/v1/project/"
	for _, tt := range []struct {
		name     string
		fault    fault
		want     error
		wantText string // of the error; "" is success
		requests int
	}{
		{name: "no attributes of the project", fault: fault{Trouble: metadatatest.Status, Code: 404, Path: project}, requests: 2},
		{name: "the project is late", fault: fault{Trouble: metadatatest.Status, Code: 503, Path: project, Times: 2}, requests: 4},
		{name: "no instance", fault: fault{Trouble: metadatatest.Status, Code: 404, Path: instance}, want: datasources.ErrAbsent, wantText: "gce: the server knows of no instance", requests: 2},
		{name: "a redirect is not followed", fault: fault{Trouble: metadatatest.Status, Code: 302, Path: instance}, wantText: "status 302", requests: 2},
		{name: "400", fault: fault{Trouble: metadatatest.Status, Code: 400, Path: project}, wantText: "project/attributes/?recursive=...&alt=...: status 400", requests: 2},
		{name: "half of the JSON for good", fault: fault{Trouble: metadatatest.Garbage, Path: instance}, want: datasources.ErrNotReady, wantText: "lacks Metadata-Flavor"},
		{name: "more than attributes can be", fault: fault{Trouble: metadatatest.Oversize, Bytes: 4<<20 + 1, Path: project}, wantText: "the answer is larger than 4 MiB", requests: 2},
		{name: "zeros", fault: fault{Trouble: metadatatest.Oversize, Bytes: 10, Path: instance}, wantText: "instance: the answer is not the JSON of an instance", requests: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, data, _, err := fetch(t, metadatatest.ExampleGCE(), tt.fault)
			if tt.wantText == "" {
				if diff := cmp.Diff(wholeMetadata(), data.Meta); err != nil || diff != "" {
					t.Errorf("error %v %s", err, diff)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.wantText) || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && errors.Is(err, datasources.ErrNotReady) {
				t.Errorf("error %v, want %q", err, tt.wantText)
			}
			if n := len(w.Handler.Requests()); tt.requests > 0 && n != tt.requests {
				t.Errorf("%d requests, want %d: %q", n, tt.requests, w.Handler.Requests())
			}
		})
	}
}

func TestNoID(t *testing.T) {
	i := metadatatest.ExampleGCE()
	i.ID = ""
	if _, _, _, err := fetch(t, i); !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "no instance id") {
		t.Errorf("error %v", err)
	}
}

// A server that answers to everybody in the same words is not Google's.
func TestStranger(t *testing.T) {
	service := metadatatest.GCE(metadatatest.ExampleGCE())
	h := metadatatest.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service.ServeHTTP(&withoutFlavor{ResponseWriter: w}, r)
	}))
	w := metadatatest.NewWorld(t, h, 0)
	_, _, err := catalog.Fetch(t.Context(), w.Env, []string{"gce=" + w.URL})
	if !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "the answer is somebody else's: it lacks Metadata-Flavor: Google") {
		t.Errorf("error %v", err)
	}
}

type withoutFlavor struct{ http.ResponseWriter }

func (w *withoutFlavor) Write(b []byte) (int, error) {
	w.Header().Del("Metadata-Flavor")
	return w.ResponseWriter.Write(b)
}

// The library would let the environment say where the server is, and ask again by itself.
func TestLibrary(t *testing.T) {
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	w, _, _, err := fetch(t, metadatatest.ExampleGCE(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Until: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.Handler.Requests()); n != 4 {
		t.Errorf("%d requests: %q", n, w.Handler.Requests())
	}
}

// Without a URL, and by the server's name, it is the literal address that is asked.
func TestAddress(t *testing.T) {
	for _, spec := range []string{"gce", "gce=http://metadata.google.internal/"} {
		var asked atomic.Value // two questions go out at the same time
		env := datasources.Env{Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked.Store(r.URL.Host)
			return nil, errors.New("enough")
		})}
		env.Limits.Overall = 200 * time.Millisecond
		if _, _, err := catalog.Fetch(t.Context(), env, []string{spec}); err == nil || asked.Load() != "169.254.169.254" {
			t.Errorf("%s: asked %v, error %v", spec, asked.Load(), err)
		}
	}
	for _, url := range []string{"169.254.169.254", "http://me:s3cret@host", "http://h/computeMetadata"} {
		if _, err := gce.New(datasources.Env{}, url); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v", url, err)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
