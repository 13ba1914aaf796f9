package metadatatest_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"cloudconfig/datasources/metadatatest"
)

func TestGCE(t *testing.T) {
	h := metadatatest.GCE(metadatatest.ExampleGCE())
	for _, tt := range []struct {
		name, method, path string
		stranger           bool // the request does not say Metadata-Flavor
		code               int
		body               string // "..." at its end: how it begins
	}{
		{"what there is", "GET", "/", true, 200, "computeMetadata/\n"},
		{"without the header", "GET", "/computeMetadata/v1/instance/", true, 403, "<?xml..."},
		{"another method", "POST", "/computeMetadata/v1/instance/", false, 405, "<?xml..."},
		{"an index", "GET", "/computeMetadata/v1/instance/network-interfaces/", false, 200, "0/\n"},
		{"an index without the slash", "GET", "/computeMetadata/v1/instance", false, 301, "<a href=..."},
		{"a value", "GET", "/computeMetadata/v1/instance/machine-type", false, 200, "projects/123456789012/machineTypes/e2-micro"},
		{"a number", "GET", "/computeMetadata/v1/instance/id", false, 200, "6034098463912346789"},
		{"a list", "GET", "/computeMetadata/v1/instance/tags", false, 200, `["http-server"]`},
		{"a value taken for a directory", "GET", "/computeMetadata/v1/instance/id/x", false, 404, "<?xml..."},
		{"an interface there is not", "GET", "/computeMetadata/v1/instance/network-interfaces/1/ip", false, 404, "<?xml..."},
		{"attributes as they are written", "GET", "/computeMetadata/v1/project/attributes/?recursive=true&alt=json", false, 200, `{"enable-guest-attributes":"FALSE"}`},
		{"names of JSON", "GET", "/computeMetadata/v1/instance/network-interfaces/0/access-configs/?recursive=true", false, 200, `[{"externalIp":"203.0.113.7","type":"ONE_TO_ONE_NAT"}]`},
		{"all of it", "GET", "/computeMetadata/v1/instance/?recursive=true&alt=json", false, 200, `{"attributes":{"ssh-keys":"admin:ssh-ed25519 ...`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			if !tt.stranger {
				r.Header.Set("Metadata-Flavor", "Google")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Result().Body)
			start, open := strings.CutSuffix(tt.body, "...")
			if w.Code != tt.code || !strings.HasPrefix(string(body), start) || !open && string(body) != tt.body {
				t.Errorf("status %d, body %q; want %d %q", w.Code, body, tt.code, tt.body)
			}
			if w.Header().Get("Metadata-Flavor") != "Google" {
				t.Error("no Metadata-Flavor")
			}
		})
	}
}

// Version 1 takes a request without a token, or with one that is good; before there were tokens, one is not looked at.
func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		name      string
		tokens    metadatatest.Tokens
		put       int
		with, not int // the status with another's token, and without any
	}{
		{"required", metadatatest.Required, 200, 401, 401},
		{"optional", metadatatest.Optional, 200, 401, 200},
		{"unknown", metadatatest.Unknown, 404, 200, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := metadatatest.Example()
			i.Tokens = tt.tokens
			h := metadatatest.EC2(i)
			ask := func(method, path, name, value string) int {
				r := httptest.NewRequest(method, path, nil)
				if name != "" {
					r.Header.Set(name, value)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w.Code
			}
			put := ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
			with := ask("GET", "/latest/user-data", "X-aws-ec2-metadata-token", "AQAE")
			not := ask("GET", "/latest/user-data", "", "")
			if put != tt.put || with != tt.with || not != tt.not {
				t.Errorf("%d %d %d, want %d %d %d", put, with, not, tt.put, tt.with, tt.not)
			}
		})
	}
}
