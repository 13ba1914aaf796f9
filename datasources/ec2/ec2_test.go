package ec2_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/ec2"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
)

// world is a service and a client.
type world struct{ *metadatatest.World }

func newWorld(t *testing.T, i metadatatest.Instance, after time.Duration, faults ...metadatatest.Fault) *world {
	t.Helper()
	return &world{metadatatest.NewWorld(t, metadatatest.EC2(i, faults...), after)}
}

func (w *world) fetch(t *testing.T) (datasources.Data, error) {
	t.Helper()
	data, decisions, err := catalog.Fetch(t.Context(), w.Env, []string{"ec2=" + w.URL})
	if len(decisions) != 1 || decisions[0].Taken != (err == nil) || decisions[0].Reason == "" {
		t.Errorf("decisions %+v with error %v", decisions, err)
	}
	return data, err
}

func (w *world) count(request string) int {
	n := 0
	for _, r := range w.Handler.Requests() {
		if strings.HasPrefix(r, request) {
			n++
		}
	}
	return n
}

func wholeMetadata() schema.Metadata {
	i := metadatatest.Example()
	return schema.Metadata{
		Version: 1, Datasource: "ec2", InstanceID: i.ID, Hostname: i.Hostname,
		PublicIPv4: i.PublicIPv4, PrivateIPv4: i.LocalIPv4, PublicIPv6: i.IPv6,
		Region: i.Region, Zone: i.Zone, InstanceType: i.Type, SSHKeys: []string{i.Keys[0].OpenSSH},
	}
}

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: func(userData []byte, faults ...metadatatest.Fault) *metadatatest.Handler {
			i := metadatatest.Example()
			i.UserData = userData
			return metadatatest.EC2(i, faults...)
		},
		New:      ec2.New,
		Requests: 12, Series: 3,
	})
}

// What can be the matter with one answer of the service's.
func TestFaults(t *testing.T) {
	type faults = []metadatatest.Fault
	const put = "PUT /latest/api/token"
	for _, tt := range []struct {
		name     string
		faults   faults
		after    time.Duration
		noData   bool
		want     error  // of a failure, with wantText; nil and "" for success
		wantText string // of the error
		within   time.Duration
		requests int // at most; 0 is not looked at
	}{
		{name: "200", requests: 8},
		{name: "200 with an empty body", faults: faults{{Trouble: metadatatest.Oversize, Path: "/latest/user-data"}}, noData: true, requests: 8},
		{name: "404 for user-data", faults: faults{{Trouble: metadatatest.Status, Code: 404, Path: "/latest/user-data"}}, noData: true, requests: 8},
		{name: "404 for the token is another platform", faults: faults{{Trouble: metadatatest.Status, Code: 404, Method: "PUT"}}, want: datasources.ErrAbsent, wantText: "no session tokens, so no IMDSv2", requests: 1},
		{name: "404 for everything is another platform", faults: faults{{Trouble: metadatatest.Status, Code: 404}}, want: datasources.ErrAbsent, wantText: "status 404", requests: 1},
		{name: "a token that expired", faults: faults{{Trouble: metadatatest.Expire, Path: "/latest/user-data", Times: 1}}, within: time.Millisecond},
		{name: "401 once, then a new token", faults: faults{{Trouble: metadatatest.Status, Code: 401, Path: "/latest/user-data", Times: 1}}, within: time.Millisecond},
		{name: "401 for ever", faults: faults{{Trouble: metadatatest.Status, Code: 401, Path: "/latest/user-data"}}, want: datasources.ErrNotReady, wantText: "user-data: status 401 Unauthorized"},
		{name: "401 for the token", faults: faults{{Trouble: metadatatest.Status, Code: 401, Method: "PUT"}}, want: datasources.ErrNotReady, wantText: "api/token: status 401"},
		{name: "403 for ever", faults: faults{{Trouble: metadatatest.Status, Code: 403}}, want: datasources.ErrNotReady, wantText: "status 403 Forbidden"},
		{name: "400 for the token", faults: faults{{Trouble: metadatatest.Status, Code: 400, Method: "PUT"}}, wantText: "status 400 Bad Request", requests: 1},
		{name: "a redirect is not followed", faults: faults{{Trouble: metadatatest.Status, Code: 302, Path: "/latest/user-data"}}, wantText: "user-data: status 302 Found"},
		{name: "429 with Retry-After", faults: faults{{Trouble: metadatatest.Status, Code: 429, RetryAfter: "3", Path: "/latest/user-data", Times: 2}}, within: 7 * time.Second, requests: 10},
		{name: "503 for 5 s", faults: faults{{Trouble: metadatatest.Status, Code: 503, Until: 5 * time.Second}}, within: 6500 * time.Millisecond},
		{name: "503 for the token for 5 s", faults: faults{{Trouble: metadatatest.Status, Code: 503, Method: "PUT", Until: 5 * time.Second}}, within: 6500 * time.Millisecond},
		{name: "503 for one value in the middle", faults: faults{{Trouble: metadatatest.Status, Code: 503, Path: "/latest/meta-data/public-keys/0", Times: 2}}, within: 2 * time.Second, requests: 10},
		{name: "503 for ever", faults: faults{{Trouble: metadatatest.Status, Code: 503}}, want: datasources.ErrNotReady, wantText: "status 503 Service Unavailable"},
		{name: "refused for 5 s", after: 5 * time.Second, within: 6500 * time.Millisecond, requests: 8},
		{name: "refused for ever", after: time.Hour, want: datasources.ErrNotReady, wantText: "connection refused"},
		{name: "reset", faults: faults{{Trouble: metadatatest.Reset, Times: 3}}, within: 4 * time.Second},
		{name: "a hang", faults: faults{{Trouble: metadatatest.Hang, Times: 1}}, within: 2 * time.Second},
		{name: "a hang of one value", faults: faults{{Trouble: metadatatest.Hang, Path: "/latest/meta-data/hostname", Times: 1}}, within: 2 * time.Second, requests: 9},
		{name: "a body that stalls", faults: faults{{Trouble: metadatatest.Stall, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second, requests: 9},
		{name: "HTML once", faults: faults{{Trouble: metadatatest.HTML, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second},
		{name: "HTML for ever", faults: faults{{Trouble: metadatatest.HTML}}, want: datasources.ErrNotReady, wantText: "page of HTML"},
		{name: "HTML in place of user-data", faults: faults{{Trouble: metadatatest.HTML, Path: "/latest/user-data"}}, want: datasources.ErrNotReady, wantText: "user-data: the answer is a page of HTML"},
		{name: "a garbled token", faults: faults{{Trouble: metadatatest.Garbage, Method: "PUT"}}, want: datasources.ErrNotReady, wantText: "the answer is no token"},
		{name: "a garbled hostname", faults: faults{{Trouble: metadatatest.Garbage, Path: "/latest/meta-data/hostname"}}, wantText: `meta-data/hostname: "\x00\xff\xfe" is not a hostname`},
		{name: "a garbled document", faults: faults{{Trouble: metadatatest.Garbage, Path: "/latest/dynamic/"}}, wantText: "is not the JSON of an identity document"},
		{name: "an oversize value", faults: faults{{Trouble: metadatatest.Oversize, Bytes: 65 << 10, Path: "/latest/meta-data/hostname"}}, wantText: "hostname: the answer is larger than 64 KiB", requests: 8},
		{name: "oversize user-data", faults: faults{{Trouble: metadatatest.Oversize, Bytes: 16<<20 + 1, Path: "/latest/user-data"}}, wantText: "user-data: the answer is larger than 16 MiB", requests: 8},
		{name: "cut short", faults: faults{{Trouble: metadatatest.Truncate, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second, requests: 9},
		{name: "a token cut short", faults: faults{{Trouble: metadatatest.Truncate, Method: "PUT", Times: 1}}, within: 2 * time.Second, requests: 9},
		{name: "every answer 2 s late by its own clock", faults: faults{{Trouble: metadatatest.Late, Delay: 2 * time.Second}}, requests: 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, metadatatest.Example(), tt.after, tt.faults...)
			data, err := w.fetch(t)
			if n := len(w.Handler.Requests()); tt.requests > 0 && n > tt.requests {
				t.Errorf("%d requests, want at most %d: %q", n, tt.requests, w.Handler.Requests())
			}
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) {
					t.Fatalf("error %v, want %q", err, tt.wantText)
				}
				if tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && errors.Is(err, datasources.ErrNotReady) {
					t.Errorf("error %v is not %v", err, tt.want)
				}
				if errors.Is(err, datasources.ErrNotReady) && w.Clock.Since() < 19*time.Second {
					t.Errorf("gave up after %v", w.Clock.Since())
				}
				if n := w.count(put); tt.want == nil && n != 1 {
					t.Errorf("asked again, although it changes nothing: %q", w.Handler.Requests())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.within > 0 && w.Clock.Since() > tt.within {
				t.Errorf("took %v, want at most %v", w.Clock.Since(), tt.within)
			}
			want := datasources.Data{Name: "user-data", UserData: metadatatest.Example().UserData, Meta: wholeMetadata()}
			if tt.noData {
				want.UserData = nil
			}
			if diff := cmp.Diff(want, data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValues(t *testing.T) {
	type instance = metadatatest.Instance
	key := func(n int) string { return strings.Repeat("k", n) }
	for _, tt := range []struct {
		name     string
		change   func(*instance)
		want     func(*schema.Metadata)
		wantText string // of an error that ends the search
	}{
		{
			name:   "without a document the values are asked for one by one",
			change: func(i *instance) { i.NoDocument = true },
			want:   func(m *schema.Metadata) { m.Region = "" },
		},
		{
			name:   "a document without an address",
			change: func(i *instance) { i.Document = `{"instanceId": "i-1", "privateIp": null, "pendingTime": "soon"}` },
			want:   func(m *schema.Metadata) { m.InstanceID, m.Region = "i-1", "" },
		},
		{
			name: "an instance inside, without a key",
			change: func(i *instance) {
				i.PublicIPv4, i.IPv6, i.Keys = "", "", nil
			},
			want: func(m *schema.Metadata) { m.PublicIPv4, m.PublicIPv6, m.SSHKeys = "", "", nil },
		},
		{
			name:   "a unique local IPv6 address is private",
			change: func(i *instance) { i.IPv6 = "FD00:0::7" },
			want:   func(m *schema.Metadata) { m.PublicIPv6, m.PrivateIPv6 = "", "fd00::7" },
		},
		{
			name:   "the first of several names",
			change: func(i *instance) { i.Hostname = "web1.example.com web1.internal\n" },
			want:   func(m *schema.Metadata) { m.Hostname = "web1.example.com" },
		},
		{
			name:   "no name",
			change: func(i *instance) { i.Hostname = " " },
			want:   func(m *schema.Metadata) { m.Hostname = "" },
		},
		{
			name: "all keys, in order",
			change: func(i *instance) {
				i.Keys = nil
				for n := 1; n <= 12; n++ {
					i.Keys = append(i.Keys, metadatatest.Key{Name: "a=b", OpenSSH: key(n) + "\r"})
				}
			},
			want: func(m *schema.Metadata) {
				m.SSHKeys = nil
				for n := 1; n <= 12; n++ {
					m.SSHKeys = append(m.SSHKeys, key(n))
				}
			},
		},
		{name: "an address that is none", change: func(i *instance) { i.PublicIPv4 = "203.0.113.256" }, wantText: `meta-data/public-ipv4: "203.0.113.256" is not the IPv4 address of a machine`},
		{name: "an address of another family", change: func(i *instance) { i.PublicIPv4 = "2001:db8::5" }, wantText: "meta-data/public-ipv4"},
		{name: "an address with a second line", change: func(i *instance) { i.PublicIPv4 = "203.0.113.7\nx" }, wantText: `"203.0.113.7\nx"`},
		{name: "an address that no machine has", change: func(i *instance) { i.PublicIPv4 = "127.0.0.1" }, wantText: "meta-data/public-ipv4"},
		{name: "an IPv6 address with a zone", change: func(i *instance) { i.IPv6 = "fe80::1%eth0" }, wantText: "meta-data/ipv6"},
		{name: "a name with a slash", change: func(i *instance) { i.Hostname = "../etc" }, wantText: "meta-data/hostname"},
		{name: "a name with a long label", change: func(i *instance) { i.Hostname = strings.Repeat("a", 64) }, wantText: "meta-data/hostname"},
		{name: "an id with a blank", change: func(i *instance) { i.ID = "i 1" }, wantText: `meta-data/instance-id: "i 1" is not one word`},
		{name: "an id with a direction mark", change: func(i *instance) { i.ID = "i\u202e1" }, wantText: `"i\u202e1"`},
		{name: "a type with a new line", change: func(i *instance) { i.Type = "t3\nx" }, wantText: "meta-data/instance-type"},
		{name: "more keys than anyone has", change: func(i *instance) { i.Keys = make([]metadatatest.Key, 65) }, wantText: "more than 64 keys"},
		{name: "an enormous id is not printed whole", change: func(i *instance) { i.ID = strings.Repeat("x", 1000) }, wantText: `xxx..." is not one word`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.Example()
			tt.change(&i)
			w := newWorld(t, i, 0)
			data, err := w.fetch(t)
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || errors.Is(err, datasources.ErrNotReady) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := wholeMetadata()
			tt.want(&want)
			if diff := cmp.Diff(want, data.Meta); diff != "" {
				t.Error(diff)
			}
			if n := len(w.Handler.Requests()); n > 12 && len(i.Keys) < 2 {
				t.Errorf("%d requests: %q", n, w.Handler.Requests())
			}
		})
	}
}

func TestNoInstanceID(t *testing.T) {
	i := metadatatest.Example()
	i.ID, i.NoDocument = "", true
	w := newWorld(t, i, 0)
	if _, err := w.fetch(t); !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "no instance id") {
		t.Errorf("error %v", err)
	}
}

// Twelve requests at most and three answers in series, so that slow answers do not add up; user-data is in the
// second of the three.
func TestAnswersInSeries(t *testing.T) {
	for _, tt := range []struct {
		name       string
		noDocument bool
	}{{"EC2", false}, {"a service without a document", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.Example()
			i.NoDocument = tt.noDocument
			w := newWorld(t, i, 0)
			var mu sync.Mutex
			deepest, answered := 0, 0 // in answers that had to be there before a request was made
			depths := map[string]int{}
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				mu.Lock()
				depth := answered + 1
				deepest = max(deepest, depth)
				depths[r.URL.Path] = depth
				mu.Unlock()
				time.Sleep(100 * time.Millisecond) // all that were asked at one time are here before the first is answered
				mu.Lock()
				answered = max(answered, depth)
				mu.Unlock()
				w.Handler.ServeHTTP(rw, r)
			}))
			defer server.Close()
			w.URL = server.URL
			if _, err := w.fetch(t); err != nil {
				t.Fatal(err)
			}
			if deepest > 3 {
				t.Errorf("%d answers in series: %v", deepest, depths)
			}
			if depths["/latest/user-data"] != 2 {
				t.Errorf("user-data is asked for in place %d", depths["/latest/user-data"])
			}
			if n := len(w.Handler.Requests()); n > 12 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A service that does not hand out tokens is asked for one once in each round, however many values are wanted.
func TestTokenFailsOnceForAll(t *testing.T) {
	w := newWorld(t, metadatatest.Example(), 0, metadatatest.Fault{Trouble: metadatatest.Hang, Method: "PUT", Times: 1})
	if _, err := w.fetch(t); err != nil {
		t.Fatal(err)
	}
	if n := w.count("PUT"); n != 2 {
		t.Errorf("%d tokens asked for, want 2: %q", n, w.Handler.Requests())
	}
}

func TestNeverWithoutToken(t *testing.T) {
	w := newWorld(t, metadatatest.Example(), 0, metadatatest.Fault{Trouble: metadatatest.Status, Code: 403, Method: "PUT"})
	_, _ = w.fetch(t)
	if slices.ContainsFunc(w.Handler.Requests(), func(r string) bool { return !strings.HasPrefix(r, "PUT ") }) {
		t.Errorf("fell back to the version without tokens: %q", w.Handler.Requests())
	}
}

func TestEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("AWS_EC2_METADATA_V1_DISABLED", "false")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	w := newWorld(t, metadatatest.Example(), 0)
	if _, err := w.fetch(t); err != nil {
		t.Error(err)
	}
}

// What was answered is kept only until all is there.
func TestFetchAgainAsksAgain(t *testing.T) {
	w := newWorld(t, metadatatest.Example(), 0)
	source, err := ec2.New(w.Env, w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := source.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count("GET /latest/user-data"); n != 2 {
		t.Errorf("user-data was asked for %d times", n)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"the default", "", ""},
		{"a closing slash", "http://169.254.169.254/", ""},
		{"IPv6", "http://[fd00:ec2::254]", ""},
		{"no scheme", "169.254.169.254", "no URL"},
		{"another scheme", "file:///etc/passwd", "no URL"},
		{"a path", "http://169.254.169.254/2009-04-04/", "more than a scheme and a host"},
		{"a password", "http://me:s3cret@host", "more than a scheme and a host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := ec2.New(datasources.Env{}, tt.url)
			if tt.want == "" {
				if err != nil || source.Name() != "ec2" {
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
