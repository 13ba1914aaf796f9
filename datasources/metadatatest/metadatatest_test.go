package metadatatest_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources/metadatatest"
)

// What the tests of datasources rely on: the service answers as the real one.
func TestEC2(t *testing.T) {
	clock := metadatatest.NewClock()
	h := metadatatest.EC2(metadatatest.Example())
	h.Now = clock.Now
	ask := func(method, path string, header map[string]string) (int, string, http.Header) {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Result().Body)
		return w.Code, string(body), w.Header()
	}
	const (
		ttl   = "X-aws-ec2-metadata-token-ttl-seconds"
		token = "X-aws-ec2-metadata-token"
	)
	_, good, _ := ask("PUT", "/latest/api/token", map[string]string{ttl: "60"})

	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		code               int
		body               string // "..." at its end: how it begins
	}{
		{"a token", "PUT", "/latest/api/token", map[string]string{ttl: "21600"}, 200, "AQAE..."},
		{"a token without a time", "PUT", "/latest/api/token", nil, 400, "<?xml..."},
		{"a token for too long", "PUT", "/latest/api/token", map[string]string{ttl: "21601"}, 400, "<?xml..."},
		{"a token for somebody behind a proxy", "PUT", "/latest/api/token", map[string]string{ttl: "1", "X-Forwarded-For": "192.0.2.1"}, 403, "<?xml..."},
		{"a token by GET", "GET", "/latest/api/token", nil, 405, "<?xml..."},
		{"no token", "GET", "/latest/meta-data/", nil, 401, "<?xml..."},
		{"another's token", "GET", "/latest/meta-data/", map[string]string{token: "AQAE"}, 401, "<?xml..."},
		{"versions", "GET", "/", map[string]string{token: good}, 200, "1.0\n2007-01-19\n..."},
		{"a version", "GET", "/2009-04-04/", map[string]string{token: good}, 200, "dynamic\nmeta-data\nuser-data"},
		{"no version", "GET", "/2009-04-05/", map[string]string{token: good}, 404, "<?xml..."},
		{"a value", "GET", "/latest/meta-data/local-ipv4", map[string]string{token: good}, 200, "10.0.0.5"},
		{"a value of an old version", "GET", "/2009-04-04/meta-data/local-ipv4", map[string]string{token: good}, 200, "10.0.0.5"},
		{"a value taken for a directory", "GET", "/latest/meta-data/local-ipv4/", map[string]string{token: good}, 404, "<?xml..."},
		{"an index", "GET", "/latest/meta-data/placement/", map[string]string{token: good}, 200, "availability-zone\nregion"},
		{"an index without the slash", "GET", "/latest/meta-data/placement", map[string]string{token: good}, 200, "availability-zone\nregion"},
		{"keys", "GET", "/latest/meta-data/public-keys/", map[string]string{token: good}, 200, "0=admin"},
		{"a key's formats", "GET", "/latest/meta-data/public-keys/0/", map[string]string{token: good}, 200, "openssh-key"},
		{"a key", "GET", "/latest/meta-data/public-keys/0/openssh-key", map[string]string{token: good}, 200, "ssh-ed25519 AAAA..."},
		{"the document", "GET", "/latest/dynamic/instance-identity/document", map[string]string{token: good}, 200, "{\n  \"accountId\" : \"123456789012\",..."},
		{"nothing", "GET", "/latest/meta-data/no-such", map[string]string{token: good}, 404, "<?xml..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, body, header := ask(tt.method, tt.path, tt.header)
			start, open := strings.CutSuffix(tt.body, "...")
			if code != tt.code || !strings.HasPrefix(body, start) || !open && body != tt.body {
				t.Errorf("status %d, body %q; want %d %q", code, body, tt.code, tt.body)
			}
			if header.Get("Server") != "EC2ws" {
				t.Errorf("server %q", header.Get("Server"))
			}
		})
	}
	_, body, _ := ask("GET", "/latest/meta-data/", map[string]string{token: good})
	if want := "\nnetwork/\nplacement/\npublic-ipv4\npublic-keys/\n"; !strings.Contains(body, want) {
		t.Errorf("index %q lacks %q", body, want)
	}
	if err := clock.Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := ask("GET", "/latest/meta-data/", map[string]string{token: good}); code != 401 {
		t.Errorf("status %d for a token that has expired", code)
	}
}

// A service that is not started yet refuses connections, and its port is its own meanwhile.
func TestListener(t *testing.T) {
	l, err := metadatatest.NewListener(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := http.Get("http://" + l.Addr); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("before it is started: error %v", err)
	}
	if other, err := net.Listen("tcp", l.Addr); err == nil && runtime.GOOS == "linux" {
		_ = other.Close()
		t.Error("another has got its port")
	}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + l.Addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}
