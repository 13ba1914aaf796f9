package imports_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/imports"
	"cloudconfig/datasources/metadatatest"
)

// client is one that trusts the server, with a clock that only pauses move.
func client(server *httptest.Server) (*httpget.Client, *metadatatest.Clock) {
	clock := metadatatest.NewClock()
	env := datasources.Env{
		Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: 20 * time.Second},
		Transport: server.Client().Transport,
	}
	return httpget.New(env, httpget.Options{}), clock
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		name     string
		body     string
		want     []string
		wantText string
	}{
		{name: "two keys", body: `[{"id":1,"key":"ssh-ed25519 AAAA"},{"id":2,"key":"ssh-rsa BBBB me\n"}]`, want: []string{"ssh-ed25519 AAAA", "ssh-rsa BBBB me"}},
		{name: "a user without keys", body: `[]`, want: []string{}},
		{name: "a message in place of a list", body: `{"message": "rate limit"}`, wantText: `the answer is not a JSON list`},
		{name: "no JSON", body: `ssh-ed25519 AAAA`, wantText: `the answer is not a JSON list`},
		{name: "nothing", body: ``, wantText: `the answer is not a JSON list`},
		{name: "a key that is empty", body: `[{"id":1,"key":""}]`, wantText: "key 0 of the answer is not one line"},
		{name: "a key that would be two lines", body: `[{"key":"ssh-rsa A"},{"key":"ssh-rsa A\nssh-rsa B"}]`, wantText: "key 1 of the answer is not one line"},
		{name: "a key beyond all measure", body: `[{"key":"` + strings.Repeat("a", 17<<10) + `"}]`, wantText: "key 0 of the answer is not one line"},
		{name: "more keys than anyone has", body: `[` + strings.Repeat(`{"key":"a"},`, 1000) + `{"key":"a"}]`, wantText: "more than 1000 keys"},
		{name: "far too much", body: strings.Repeat(" ", 1<<20+1), wantText: "larger than 1 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) }))
			defer server.Close()
			address := server.URL + "/users/me/keys?token=s3cret"
			c, clock := client(server)
			keys, err := imports.Keys(t.Context(), c, []string{address, address}, imports.Options{})
			if clock.Since() != 0 {
				t.Errorf("asked again")
			}
			if tt.wantText != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantText) || !strings.Contains(err.Error(), "/users/me/keys?token=...: ") {
					t.Errorf("error %v, want %q", err, tt.wantText)
				}
				if strings.Contains(err.Error(), "s3cret") || strings.Count(err.Error(), "import keys") != 1 {
					t.Errorf("error %q", err)
				}
				return
			}
			if diff := cmp.Diff(map[string][]string{address: tt.want}, keys); diff != "" || err != nil {
				t.Errorf("error %v, %s", err, diff)
			}
		})
	}
}

func TestKeysOfMany(t *testing.T) {
	var clock *metadatatest.Clock
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/nobody":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/later" && clock.Since() < 5*time.Second:
			w.WriteHeader(http.StatusForbidden)
		default:
			fmt.Fprintf(w, `[{"key":"ssh-rsa %s"}]`, strings.TrimPrefix(r.URL.Path, "/"))
		}
	}))
	defer server.Close()
	c, clock2 := client(server)
	clock = clock2
	var urls []string
	want := map[string][]string{}
	for _, name := range []string{"a", "b", "nobody", "later", "c", "d", "e"} {
		u := server.URL + "/" + name
		urls = append(urls, u)
		if name != "nobody" {
			want[u] = []string{"ssh-rsa " + name}
		}
	}
	keys, err := imports.Keys(t.Context(), c, urls, imports.Options{})
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "/nobody: status 404") {
		t.Errorf("error %v", err)
	}
}

func TestSchemes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[{"key":"k"}]`) }))
	defer server.Close()
	for _, tt := range []struct {
		name, url string
		loopback  bool
		want      string
	}{
		{"http", server.URL, false, "keys are taken by https only"},
		{"http of this machine, where allowed", server.URL, true, ""},
		{"http of another machine, all the same", "http://192.0.2.1/", true, "keys are taken by https only"},
		{"http of a name that says it is this machine", "http://localhost/", true, "keys are taken by https only"},
		{"no URL", "https://[", false, "the address is not a URL"},
		{"a file", "file:///etc/passwd", true, "keys are taken by https only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := client(server)
			_, err := imports.Keys(t.Context(), c, []string{tt.url}, imports.Options{Loopback: tt.loopback})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTooManyAddresses(t *testing.T) {
	urls := make([]string, 101)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://192.0.2.1/%d", i)
	}
	_, err := imports.Keys(t.Context(), httpget.New(datasources.Env{}, httpget.Options{}), urls, imports.Options{})
	if err == nil || !strings.Contains(err.Error(), "from 101 addresses") {
		t.Errorf("error %v", err)
	}
}
