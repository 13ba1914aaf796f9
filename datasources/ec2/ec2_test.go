package ec2_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/ec2"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
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
		Serve:     metadatatest.ServeEC2,
		New:       ec2.New,
		Forbidden: "the metadata service is switched off",
		Requests:  12, Series: 3,
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
		{name: "200", requests: 11},
		{name: "200 with an empty body", faults: faults{{Trouble: metadatatest.Oversize, Path: "/latest/user-data"}}, noData: true, requests: 11},
		{name: "404 for user-data", faults: faults{{Trouble: metadatatest.Status, Code: 404, Path: "/latest/user-data"}}, noData: true, requests: 11},
		{name: "404 for the token is another platform", faults: faults{{Trouble: metadatatest.Status, Code: 404, Method: "PUT"}}, want: datasources.ErrAbsent, wantText: "no session tokens, so no IMDSv2", requests: 1},
		{name: "404 for everything is another platform", faults: faults{{Trouble: metadatatest.Status, Code: 404}}, want: datasources.ErrAbsent, wantText: "status 404", requests: 1},
		{name: "a token that expired", faults: faults{{Trouble: metadatatest.Expire, Path: "/latest/user-data", Times: 1}}, within: time.Millisecond},
		{name: "401 once, then a new token", faults: faults{{Trouble: metadatatest.Status, Code: 401, Path: "/latest/user-data", Times: 1}}, within: time.Millisecond},
		{name: "401 for ever", faults: faults{{Trouble: metadatatest.Status, Code: 401, Path: "/latest/user-data"}}, want: datasources.ErrNotReady, wantText: "user-data: status 401 Unauthorized"},
		{name: "401 for the token", faults: faults{{Trouble: metadatatest.Status, Code: 401, Method: "PUT"}}, want: datasources.ErrNotReady, wantText: "api/token: status 401"},
		{name: "403 for a value for ever", faults: faults{{Trouble: metadatatest.Status, Code: 403, Path: "/latest/user-data"}}, want: datasources.ErrNotReady, wantText: "user-data: status 403 Forbidden"},
		{name: "403 for the token now and then", faults: faults{{Trouble: metadatatest.Status, Code: 403, Method: "PUT", Times: 4}}, within: 4 * time.Second, requests: 15},
		{name: "403 for the token, but not always", faults: faults{
			{Trouble: metadatatest.Status, Code: 403, Method: "PUT", Times: 4}, {Trouble: metadatatest.Status, Code: 503, Method: "PUT", Times: 1},
			{Trouble: metadatatest.Status, Code: 403, Method: "PUT", Times: 4},
		}, within: 9 * time.Second},
		{name: "405 for the token is another platform", faults: faults{{Trouble: metadatatest.Status, Code: 405, Method: "PUT"}}, want: datasources.ErrAbsent, wantText: "status 405 Method Not Allowed", requests: 1},
		{name: "400 for the token", faults: faults{{Trouble: metadatatest.Status, Code: 400, Method: "PUT"}}, wantText: "status 400 Bad Request", requests: 1},
		{name: "a redirect is not followed", faults: faults{{Trouble: metadatatest.Status, Code: 302, Path: "/latest/user-data"}}, wantText: "user-data: status 302 Found"},
		{name: "429 with Retry-After", faults: faults{{Trouble: metadatatest.Status, Code: 429, RetryAfter: "3", Path: "/latest/user-data", Times: 2}}, within: 7 * time.Second, requests: 13},
		{name: "503 for 5 s", faults: faults{{Trouble: metadatatest.Status, Code: 503, Until: 5 * time.Second}}, within: 6500 * time.Millisecond},
		{name: "503 for the token for 5 s", faults: faults{{Trouble: metadatatest.Status, Code: 503, Method: "PUT", Until: 5 * time.Second}}, within: 6500 * time.Millisecond},
		{name: "503 for one value in the middle", faults: faults{{Trouble: metadatatest.Status, Code: 503, Path: "/latest/meta-data/public-keys/0", Times: 2}}, within: 2 * time.Second, requests: 13},
		{name: "503 for ever", faults: faults{{Trouble: metadatatest.Status, Code: 503}}, want: datasources.ErrNotReady, wantText: "status 503 Service Unavailable"},
		{name: "refused for 5 s", after: 5 * time.Second, within: 6500 * time.Millisecond, requests: 11},
		{name: "refused for ever", after: time.Hour, want: datasources.ErrNotReady, wantText: "connection refused"},
		{name: "reset", faults: faults{{Trouble: metadatatest.Reset, Times: 3}}, within: 4 * time.Second},
		{name: "a hang", faults: faults{{Trouble: metadatatest.Hang, Times: 1}}, within: 2 * time.Second},
		{name: "a hang of one value", faults: faults{{Trouble: metadatatest.Hang, Path: "/latest/meta-data/hostname", Times: 1}}, within: 2 * time.Second, requests: 12},
		{name: "a body that stalls", faults: faults{{Trouble: metadatatest.Stall, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second, requests: 12},
		{name: "a body that trickles", faults: faults{{Trouble: metadatatest.Slow, Delay: 3 * time.Second, Path: "/latest/user-data"}}, within: 12 * time.Second, requests: 11},
		{name: "HTML once", faults: faults{{Trouble: metadatatest.HTML, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second},
		{name: "HTML for ever", faults: faults{{Trouble: metadatatest.HTML}}, want: datasources.ErrNotReady, wantText: "page of HTML"},
		{name: "HTML in place of user-data", faults: faults{{Trouble: metadatatest.HTML, Path: "/latest/user-data"}}, want: datasources.ErrNotReady, wantText: "user-data: the answer is a page of HTML"},
		{name: "a garbled token", faults: faults{{Trouble: metadatatest.Garbage, Method: "PUT"}}, want: datasources.ErrNotReady, wantText: "the answer is no token"},
		{name: "a garbled hostname", faults: faults{{Trouble: metadatatest.Garbage, Path: "/latest/meta-data/hostname"}}, wantText: `meta-data/hostname: "\x00\xff\xfe" is not a hostname`},
		{name: "a garbled document", faults: faults{{Trouble: metadatatest.Garbage, Path: "/latest/dynamic/"}}, wantText: "is not the JSON of an identity document"},
		{name: "an oversize value", faults: faults{{Trouble: metadatatest.Oversize, Bytes: 65 << 10, Path: "/latest/meta-data/hostname"}}, wantText: "hostname: the answer is larger than 64 KiB", requests: 11},
		{name: "oversize user-data", faults: faults{{Trouble: metadatatest.Oversize, Bytes: 16<<20 + 1, Path: "/latest/user-data"}}, wantText: "user-data: the answer is larger than 16 MiB", requests: 11},
		{name: "cut short", faults: faults{{Trouble: metadatatest.Truncate, Path: "/latest/user-data", Times: 1}}, within: 2 * time.Second, requests: 12},
		{name: "a token cut short", faults: faults{{Trouble: metadatatest.Truncate, Method: "PUT", Times: 1}}, within: 2 * time.Second, requests: 12},
		{name: "every answer 2 s late by its own clock", faults: faults{{Trouble: metadatatest.Late, Delay: 2 * time.Second}}, requests: 11},
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
			data.Tree = nil // TestTree's
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
		{name: "more keys than anyone has", change: func(i *instance) { i.Keys = make([]metadatatest.Key, 65) }, wantText: "meta-data/public-keys/: more than 64"},
		{
			name: "tags, with whatever text they have",
			change: func(i *instance) {
				i.Tags = map[string]string{"Name": "web 1 \u00e9\n", "a:b/c"[:3]: "x", "_index": ""}
			},
			want: func(m *schema.Metadata) {
				m.Tags = map[string]string{"Name": "web 1 \u00e9\n", "a:b": "x", "_index": ""}
			},
		},
		{name: "a tag that leads away", change: func(i *instance) { i.Tags = map[string]string{"..": "x"} }, wantText: `meta-data/tags/instance/: ".." is not the name of a tag`},
		{name: "a tag with a blank", change: func(i *instance) { i.Tags = map[string]string{"a b": "x"} }, wantText: `"a b" is not the name of a tag`},
		{name: "a tag longer than any", change: func(i *instance) { i.Tags = map[string]string{"a": strings.Repeat("x", 1025)} }, wantText: "is not the value of a tag"},
		{name: "a tag that is no text", change: func(i *instance) { i.Tags = map[string]string{"a": "\xff"} }, wantText: `"\xff" is not the value of a tag`},
		{name: "an interface without an address", change: func(i *instance) { i.MAC = "eth0" }, wantText: `"eth0/" is not the MAC address`},
		{name: "an interface that would be a directive", change: func(i *instance) {
			i.Others = []metadatatest.Interface{{MAC: "06:12:34:56:78:9b", DeviceNumber: "1\x1b", LocalIPv4s: "10.0.0.6"}}
		}, wantText: "device-number"},
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
			most := 12
			if i.NoDocument || i.Document != "" {
				most = 14
			}
			if n := len(w.Handler.Requests()); n > most && len(i.Keys) < 2 && len(i.Tags) < 2 {
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
		requests   int
	}{{"EC2", false, 12}, {"a service without a document", true, 14}} {
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
			if n := len(w.Handler.Requests()); n > tt.requests {
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

// Five refusals in a row, and it is said what they mean.
func TestSwitchedOff(t *testing.T) {
	w := newWorld(t, metadatatest.Example(), 0, metadatatest.Fault{Trouble: metadatatest.Status, Code: 403})
	_, err := w.fetch(t)
	const want = "the metadata service is switched off in the instance's metadata options (http-endpoint): put "
	if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, datasources.ErrAbsent) || errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("error %v, want %q", err, want)
	}
	if n := w.count(""); n != 5 {
		t.Errorf("%d requests: %q", n, w.Handler.Requests())
	}
}

// The token does not come, but the service answers that it wants one. It is the second time that makes it certain.
func TestHopLimit(t *testing.T) {
	const text = "the hop limit of the instance's metadata options is too low (http-put-response-hop-limit)"
	for _, tt := range []struct {
		name  string
		times int
		other metadatatest.Fault
		want  bool
	}{
		{"a token never comes", 0, metadatatest.Fault{}, true},
		{"a token does not come once", 1, metadatatest.Fault{}, false},
		{"nothing ever comes", 0, metadatatest.Fault{Trouble: metadatatest.Hang}, false},
		{"the service is not well", 0, metadatatest.Fault{Trouble: metadatatest.Status, Code: 503}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			faults := []metadatatest.Fault{{Trouble: metadatatest.Hang, Method: "PUT", Times: tt.times}}
			if tt.other.Trouble != "" {
				faults = append(faults, tt.other)
			}
			w := newWorld(t, metadatatest.Example(), 0, faults...)
			w.Handler.Patience = 4 * time.Second
			var mu sync.Mutex
			var told []string
			w.Env.Waiting = func(what string) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, what)
			}
			_, err := w.fetch(t)
			if said := err != nil && strings.Contains(err.Error(), text); said != tt.want {
				t.Errorf("error %v", err)
			}
			if tt.want && !errors.Is(err, datasources.ErrNotReady) {
				t.Errorf("the options can be changed, but the error ends the search: %v", err)
			}
			if said := strings.Contains(strings.Join(told, "\n"), text); said && !tt.want {
				t.Errorf("told %q", told)
			}
		})
	}
}

// Version 1 is taken only if the settings allow it, only where the service says that it has no tokens, and is told.
func TestVersion1(t *testing.T) {
	const note = "it answered; version 1 of the service was taken, as the settings allow: it has no session tokens"
	for _, tt := range []struct {
		name          string
		tokens        metadatatest.Tokens
		allow         bool
		fault         metadatatest.Fault
		reason        string // how the decision's begins
		tokenless, ok bool
	}{
		{name: "not allowed", tokens: metadatatest.Unknown, reason: "ec2: no session tokens, so no IMDSv2, and the settings do not allow version 1 (imdsv1): put "},
		{name: "allowed", tokens: metadatatest.Unknown, allow: true, reason: note, tokenless: true, ok: true},
		{name: "405 for the token", tokens: metadatatest.Optional, allow: true, fault: metadatatest.Fault{Trouble: metadatatest.Status, Code: 405, Method: "PUT"}, reason: note, tokenless: true, ok: true},
		{name: "there are tokens", tokens: metadatatest.Optional, allow: true, reason: "it answered", ok: true},
		{name: "tokens that come late", tokens: metadatatest.Optional, allow: true, fault: metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Method: "PUT", Until: 5 * time.Second}, reason: "it answered", ok: true},
		{name: "tokens that are refused", tokens: metadatatest.Optional, allow: true, fault: metadatatest.Fault{Trouble: metadatatest.Status, Code: 403, Method: "PUT"}, reason: "ec2: the metadata service is switched off"},
		{name: "another platform", tokens: metadatatest.Unknown, allow: true, fault: metadatatest.Fault{Trouble: metadatatest.Status, Code: 404}, reason: "ec2: the service has no instance id, so it is none of this kind", tokenless: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.Example()
			i.Tokens = tt.tokens
			w := newWorld(t, i, 0, tt.fault)
			w.Env.Policy.IMDSv1 = tt.allow
			var tokenless atomic.Bool
			w.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
				if r.Method == "GET" && r.Header.Get("X-Aws-Ec2-Metadata-Token") == "" {
					tokenless.Store(true)
				}
				return http.DefaultTransport.RoundTrip(r)
			})
			data, decisions, err := catalog.Fetch(t.Context(), w.Env, []string{"ec2=" + w.URL})
			if (err == nil) != tt.ok || tokenless.Load() != tt.tokenless {
				t.Errorf("error %v, asked without a token: %v", err, tokenless.Load())
			}
			if reason := decisions[0].Reason; !strings.HasPrefix(reason, tt.reason) || tt.ok && reason != tt.reason {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
			if diff := cmp.Diff(wholeMetadata(), data.Meta); tt.ok && diff != "" {
				t.Error(diff)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The service's two addresses are asked for a token at the same time, and the one that gives it for everything else.
func TestBothFamilies(t *testing.T) {
	const v4, v6 = "169.254.169.254", "[fd00:ec2::254]"
	noRoute := &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}
	for _, tt := range []struct {
		name     string
		fails    func(r *http.Request, n int) error // of the n-th request to this host
		faults   []metadatatest.Fault
		from     string // where everything but the token is from
		wantText string
		requests int
	}{
		{name: "both", from: "", requests: 12},
		{name: "IPv6 only", from: v6, requests: 12, fails: func(r *http.Request, _ int) error { return when(r.Host == v4, noRoute) }},
		{name: "IPv4 only", from: v4, requests: 12, fails: func(r *http.Request, _ int) error { return when(r.Host == v6, noRoute) }},
		{name: "IPv4 comes later", from: v6, fails: func(r *http.Request, n int) error { return when(r.Host == v4 && n < 3, noRoute) }},
		{name: "both come later", fails: func(r *http.Request, n int) error { return when(n < 3, noRoute) }},
		{
			name: "neither", fails: func(*http.Request, int) error { return noRoute },
			wantText: "put http://169.254.169.254/latest/api/token: no connection: network is unreachable; put http://[fd00:ec2::254]/latest/api/token: no connection: network is unreachable",
		},
		{
			name:     "IPv6 that refuses says nothing of IPv4, which may come",
			fails:    func(r *http.Request, _ int) error { return when(r.Host == v4, noRoute) },
			faults:   []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 403, Method: "PUT"}},
			wantText: "gave up after",
		},
		{
			name:   "IPv6 that knows of no tokens, and IPv4 that comes later",
			fails:  func(r *http.Request, n int) error { return when(r.Host == v4 && n < 3, noRoute) },
			faults: []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 404, Method: "PUT", Times: 2}},
		},
		{
			name:     "what IPv4 says counts",
			fails:    func(r *http.Request, _ int) error { return when(r.Host == v6, noRoute) },
			faults:   []metadatatest.Fault{{Trouble: metadatatest.Status, Code: 403, Method: "PUT"}},
			wantText: "switched off in the instance's metadata options (http-endpoint): put http://169.254.169.254/latest/api/token: status 403",
		},
		{
			name: "an address that is lost after the token",
			fails: func(r *http.Request, _ int) error {
				return when(r.Host == v6 || r.Host == v4 && r.Method == "GET", noRoute)
			},
			from: "", wantText: "no connection",
		},
		{
			name: "an address that is lost after the token, and the other is there",
			fails: func(r *http.Request, _ int) error {
				return when(r.Host == v6 && r.Method == "PUT" || r.Host == v4 && r.Method == "GET", noRoute)
			},
			from: v6,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, metadatatest.Example(), 0, tt.faults...)
			server := strings.TrimPrefix(w.URL, "http://")
			var mu sync.Mutex
			count, from, asked := map[string]int{}, map[string]bool{}, 0
			w.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
				host := r.URL.Host
				mu.Lock()
				count[host]++
				asked++
				n := count[host]
				mu.Unlock()
				named := r.Clone(r.Context())
				named.Host = host
				if tt.fails != nil {
					if err := tt.fails(named, n); err != nil {
						return nil, err
					}
				}
				if r.Method == "GET" {
					mu.Lock()
					from[host] = true
					mu.Unlock()
				}
				to := r.Clone(r.Context())
				to.URL.Host, to.Host = server, ""
				return http.DefaultTransport.RoundTrip(to)
			})
			data, _, err := catalog.Fetch(t.Context(), w.Env, []string{"ec2"})
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wholeMetadata(), data.Meta); diff != "" || data.Routed {
				t.Errorf("routed %v %s", data.Routed, diff)
			}
			if len(from) != 1 || tt.from != "" && !from[tt.from] {
				t.Errorf("asked %v", from)
			}
			if tt.requests > 0 && asked > tt.requests {
				t.Errorf("%d requests", asked)
			}
		})
	}
}

func when(so bool, err error) error {
	if so {
		return err
	}
	return nil
}

// Templates see what the service said, by its own names.
func TestTree(t *testing.T) {
	i := metadatatest.Example()
	i.Tags = map[string]string{"Name": "web"}
	i.Others = []metadatatest.Interface{{MAC: "06:12:34:56:78:9b", DeviceNumber: "1", LocalIPv4s: "10.0.1.6\n10.0.1.7", Subnet: "10.0.1.0/24"}}
	w := newWorld(t, i, 0)
	data, err := w.fetch(t)
	if err != nil {
		t.Fatal(err)
	}
	macs := map[string]any{
		"06:12:34:56:78:9a": map[string]any{"device-number": "0", "local-ipv4s": "10.0.0.5", "ipv6s": "2001:db8::5"},
		"06:12:34:56:78:9b": map[string]any{"device-number": "1", "local-ipv4s": "10.0.1.6\n10.0.1.7", "subnet-ipv4-cidr-block": "10.0.1.0/24"},
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(`{
		"accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "eu-central-1a", "billingProducts": null,
		"devpayProductCodes": null, "marketplaceProductCodes": null, "imageId": "ami-0123456789abcdef0",
		"instanceId": "i-0123456789abcdef0", "instanceType": "t3.micro", "kernelId": null, "pendingTime": "2026-01-01T00:00:00Z",
		"privateIp": "10.0.0.5", "ramdiskId": null, "region": "eu-central-1", "version": "2017-09-30"}`), &document); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"meta_data": map[string]any{
			"instance-id": i.ID, "instance-type": i.Type, "hostname": i.Hostname, "local-ipv4": i.LocalIPv4,
			"public-ipv4": i.PublicIPv4, "ipv6": i.IPv6, "tags": map[string]any{"instance": map[string]any{"Name": "web"}},
			"placement":   map[string]any{"availability-zone": i.Zone, "region": i.Region},
			"public-keys": map[string]any{"0": map[string]any{"openssh-key": i.Keys[0].OpenSSH}},
			"network":     map[string]any{"interfaces": map[string]any{"macs": macs}},
		},
		"dynamic": map[string]any{"instance-identity": map[string]any{"document": document}},
	}
	if diff := cmp.Diff(want, data.Tree); diff != "" {
		t.Error(diff)
	}
	const network = `{"interfaces":{"macs":{` +
		`"06:12:34:56:78:9a":{"device-number":"0","ipv6s":"2001:db8::5","local-ipv4s":"10.0.0.5"},` +
		`"06:12:34:56:78:9b":{"device-number":"1","local-ipv4s":"10.0.1.6\n10.0.1.7","subnet-ipv4-cidr-block":"10.0.1.0/24"}}}}`
	if diff := cmp.Diff([]datasources.Document{{Name: "network", Kind: "ec2", Bytes: []byte(network)}}, data.Network); diff != "" {
		t.Error(diff)
	}
}

// What the service says of the network is there only if DHCP alone does not do, and is a network without a fault.
func TestNetwork(t *testing.T) {
	other := metadatatest.Interface{MAC: "06:12:34:56:78:9b", DeviceNumber: "1", LocalIPv4s: "10.0.1.6", Subnet: "10.0.1.0/24"}
	for _, tt := range []struct {
		name   string
		change func(*metadatatest.Instance)
		want   string // the addresses of each link
	}{
		{name: "one interface with one address", change: func(*metadatatest.Instance) {}},
		{name: "one interface with several", change: func(i *metadatatest.Instance) {
			i.LocalIPv4, i.Document = "10.0.0.5\n10.0.0.6", `{"instanceId": "i-1", "privateIp": "10.0.0.5"}`
		}, want: "06:12:34:56:78:9a DHCP both 10.0.0.6/32\n"},
		{name: "the same without a document", change: func(i *metadatatest.Instance) { i.NoDocument = true }},
		{name: "two interfaces", change: func(i *metadatatest.Instance) { i.Others = []metadatatest.Interface{other} }, want: "06:12:34:56:78:9a DHCP both\n06:12:34:56:78:9b DHCP IPv4\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := metadatatest.Example()
			tt.change(&i)
			data, err := newWorld(t, i, 0).fetch(t)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, d := range data.Network {
				n, found := schema.DecodeNetwork(&source.File{Name: d.Name, Bytes: d.Bytes}, d.Kind)
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				for _, l := range n.Links {
					got += l.Match.MAC + map[bool]string{true: " DHCP both", false: " DHCP IPv4"}[l.DHCP.V6]
					for _, a := range l.Addresses {
						got += " " + a.Prefix.String()
					}
					got += "\n"
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
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

// The service at an address of IPv6.
func TestIPv6(t *testing.T) {
	h := metadatatest.ServeEC2([]byte("x"))
	l, err := metadatatest.NewListenerAt(h, "::1")
	if err == nil {
		err = l.Open()
	}
	if err != nil {
		t.Skip("missing: IPv6 on the loopback: " + err.Error())
	}
	defer l.Close()
	data, _, err := catalog.Fetch(t.Context(), datasources.Env{}, []string{"ec2=http://" + l.Addr})
	if err != nil || string(data.UserData) != "x" || data.Routed {
		t.Errorf("error %v, user-data %q, routed %v", err, data.UserData, data.Routed)
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
