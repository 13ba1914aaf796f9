package httpget_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/metadatatest"
)

// quick is an environment in which pauses take no time and answers come soon.
func quick() (datasources.Env, *metadatatest.Clock) {
	clock := metadatatest.NewClock()
	return datasources.Env{
		Now: clock.Now, Sleep: clock.Sleep,
		Limits: datasources.Limits{Connect: 100 * time.Millisecond, Answer: 250 * time.Millisecond, Overall: 10 * time.Second},
	}, clock
}

func TestTry(t *testing.T) {
	const secret = "s3cret"
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	chain := func(length int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.FormValue("token"))
			if n < length {
				http.Redirect(w, r, fmt.Sprintf("/%d?token=%d", n+1, n+1), http.StatusFound)
				return
			}
			_, password, _ := r.BasicAuth()
			fmt.Fprint(w, n, " ", password)
		}
	}
	for _, tt := range []struct {
		name     string
		serve    http.HandlerFunc
		options  httpget.Options
		want     string
		class    error  // of the error; nil for one that asking again does not change
		wantText string // of the error; "" for an answer
	}{
		{name: "an answer", serve: text(200, "text/plain", "hello"), want: "hello"},
		{name: "an empty answer is one", serve: text(200, "text/plain", "")},
		{name: "not compressed for us, and not unpacked", want: "\x1f\x8b", serve: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") == "" {
				w.Header().Set("Content-Encoding", "gzip")
				fmt.Fprint(w, "\x1f\x8b")
			}
		}},
		{name: "404 is an absence", serve: text(404, "text/html", "<html>"), class: datasources.ErrAbsent, wantText: "status 404 Not Found"},
		{name: "401 is none", serve: text(401, "", ""), class: datasources.ErrNotReady, wantText: "status 401 Unauthorized"},
		{name: "403 is none", serve: text(403, "", ""), class: datasources.ErrNotReady, wantText: "status 403 Forbidden"},
		{name: "429 is none", serve: text(429, "", ""), class: datasources.ErrNotReady, wantText: "status 429 Too Many Requests"},
		{name: "500 passes", serve: text(500, "", ""), class: datasources.ErrNotReady, wantText: "status 500"},
		{name: "503 passes", serve: text(503, "", ""), class: datasources.ErrNotReady, wantText: "status 503"},
		{name: "400 does not", serve: text(400, "", ""), wantText: "status 400 Bad Request"},
		{name: "206 is half an answer", serve: text(206, "", "half"), wantText: "status 206"},
		{name: "a status without a name", serve: text(418+100, "", ""), class: datasources.ErrNotReady, wantText: "status 518"},
		{name: "a portal by its type", serve: text(200, "text/html; charset=utf-8", "Log in"), class: datasources.ErrNotReady, wantText: "page of HTML"},
		{name: "a portal by its first words", serve: text(200, "text/plain", "\n<!DocType HTML>"), class: datasources.ErrNotReady, wantText: "page of HTML"},
		{name: "another portal", serve: text(200, "text/plain", "\ufeff<HTML><body>"), class: datasources.ErrNotReady, wantText: "page of HTML"},
		{name: "as large as allowed", serve: text(200, "text/plain", "12345"), options: httpget.Options{MaxBytes: 5}, want: "12345"},
		{name: "larger, as announced", options: httpget.Options{MaxBytes: 5}, wantText: "larger than 5 bytes", serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // it is refused before anything of it is there
		}},
		{name: "larger, without a length", options: httpget.Options{MaxBytes: 1 << 10}, wantText: "larger than 1 KiB", serve: func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				fmt.Fprint(w, strings.Repeat("x", 1000))
				_ = http.NewResponseController(w).Flush()
			}
		}},
		{name: "cut short", class: datasources.ErrNotReady, wantText: "unexpected EOF", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "half")
		}},
		{name: "no header", class: datasources.ErrNotReady, wantText: "no answer in time", serve: func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}},
		{name: "half a body", class: datasources.ErrNotReady, wantText: "no answer in time", serve: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		{name: "slow but steady", want: "aaaaaaaaaa", serve: func(w http.ResponseWriter, _ *http.Request) {
			for range 10 {
				fmt.Fprint(w, "a")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(40 * time.Millisecond)
			}
		}},
		{name: "three redirects, with the user info", want: "3 " + secret, serve: chain(3)},
		{name: "four redirects", wantText: "redirects more than 3 times", serve: chain(4)},
		{name: "a redirect to nowhere", wantText: "redirects to no readable address", serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://%"+secret)
			w.WriteHeader(http.StatusFound)
		}},
		{name: "a redirect of a metadata service", options: httpget.Options{Metadata: true}, wantText: "status 302", serve: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/new", http.StatusFound)
		}},
		{name: "user info is sent as such", want: "ok", serve: func(w http.ResponseWriter, r *http.Request) {
			if name, password, _ := r.BasicAuth(); name == "me" && password == secret {
				fmt.Fprint(w, "ok")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.serve)
			defer server.Close()
			env, _ := quick()
			address := strings.Replace(server.URL, "://", "://me:"+secret+"@", 1) + "/doc?token=" + secret
			body, err := httpget.New(env, tt.options).Try(t.Context(), address)
			if tt.wantText == "" {
				if err != nil || string(body) != tt.want {
					t.Fatalf("%q, error %v; want %q", body, err, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wantText) {
				t.Fatalf("error %v, want %q", err, tt.wantText)
			}
			for _, class := range []error{datasources.ErrAbsent, datasources.ErrNotReady} {
				if errors.Is(err, class) != (class == tt.class) {
					t.Errorf("error %v: is %q = %v", err, class, errors.Is(err, class))
				}
			}
			if strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "?token=...: ") {
				t.Errorf("error %q tells too much or too little of the URL", err)
			}
		})
	}
}

func TestTryWithoutAServer(t *testing.T) {
	l, err := metadatatest.NewListener(nil)
	if err != nil {
		t.Fatal(err)
	}
	env, _ := quick()
	for _, tt := range []struct {
		name, url, want string
		class           error
	}{
		{"refused", "http://" + l.Addr + "/", "no connection: connect: connection refused", datasources.ErrNotReady},
		{"no URL", "http://[::1", "not a URL", nil},
		{"another scheme", "ftp://127.0.0.1/?a=b", "ftp://127.0.0.1/?a=...: the scheme is neither http nor https", nil},
		{"something opaque", "http:user:s3cret@host", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := httpget.New(env, httpget.Options{}).Try(t.Context(), tt.url)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if tt.class != nil && !errors.Is(err, tt.class) {
				t.Errorf("error %v is not %v", err, tt.class)
			}
		})
	}
}

func TestTryUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	env, _ := quick()
	env.Limits.Answer = time.Second
	_, err := httpget.New(env, httpget.Options{}).Try(t.Context(), server.URL)
	if err == nil || !strings.Contains(err.Error(), "certificate") || errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("error %v: a certificate does not become better by asking again", err)
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	for name, target := range map[string]string{
		"from https to http":            "http://example.com/",
		"to an address of this machine": "https://169.254.169.254/latest/",
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.RedirectHandler(target, http.StatusFound))
			defer server.Close()
			env, _ := quick()
			env.Limits.Answer = time.Second
			// The server's certificate is also for this name, which leads to it here.
			transport := server.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
			}
			env.Transport = transport
			_, err := httpget.New(env, httpget.Options{}).Try(t.Context(), "https://example.com/")
			if err == nil || !strings.Contains(err.Error(), "redirects ") || errors.Is(err, datasources.ErrNotReady) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestGetAsksUntilThereIsAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name     string
		header   http.Header
		from, to time.Duration // when it is asked again
	}{
		{"soon", nil, 250 * time.Millisecond, time.Second},
		{"after the seconds it says", http.Header{"Retry-After": {" 4 "}}, 4 * time.Second, 4 * time.Second},
		{"at the date it says, by its own clock", http.Header{
			"Date": {"Thu, 01 Jan 1970 00:00:10 GMT"}, "Retry-After": {"Thu, 01 Jan 1970 00:00:13 GMT"},
		}, 3 * time.Second, 3 * time.Second},
		{"soon, if what it says is no time", http.Header{"Retry-After": {"-7"}}, 250 * time.Millisecond, time.Second},
		{"soon, if what it says is past", http.Header{
			"Date": {"Thu, 01 Jan 1970 00:00:10 GMT"}, "Retry-After": {"Thu, 01 Jan 1970 00:00:03 GMT"},
		}, 250 * time.Millisecond, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env, clock := quick()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if clock.Since() == 0 {
					maps.Copy(w.Header(), tt.header)
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				fmt.Fprint(w, "at last")
			}))
			defer server.Close()
			body, err := httpget.New(env, httpget.Options{}).Get(t.Context(), server.URL)
			if err != nil || string(body) != "at last" {
				t.Fatalf("%q, error %v", body, err)
			}
			if took := clock.Since(); took < tt.from || took > tt.to {
				t.Errorf("asked again after %v, want %v to %v", took, tt.from, tt.to)
			}
		})
	}
}

func TestGetGivesUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }))
	defer server.Close()
	env, clock := quick()
	_, err := httpget.New(env, httpget.Options{}).Get(t.Context(), server.URL)
	if !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "status 429") {
		t.Errorf("error %v", err)
	}
	if took := clock.Since(); took < 9*time.Second || took > 10*time.Second {
		t.Errorf("gave up after %v, want 10 s", took)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	env, _ := quick()
	client := httpget.New(env, httpget.Options{Metadata: true})
	for range 5 {
		_, _ = client.WithMaxBytes(20_000).Try(t.Context(), server.URL)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for five requests", n)
	}
}

// Package net/http reads the environment once in a process, so no other test may ask for a proxy before.
func TestProxy(t *testing.T) {
	const proxy = "http://192.0.2.9:3128"
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("NO_PROXY", "")
	for _, tt := range []struct {
		name, url string
		metadata  bool
		want      string
	}{
		{"another host", "http://192.0.2.1/", false, proxy},
		{"another host's metadata", "http://192.0.2.1/", true, ""},
		{"link-local", "http://169.254.169.254/", false, ""},
		{"link-local IPv6", "http://[fe80::a9fe:a9fe%25eth0]/", false, ""},
		{"IPv4 in IPv6", "http://[::ffff:169.254.169.254]/", false, ""},
		{"this machine", "http://localhost:8080/", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodGet, tt.url, nil)
			got, err := httpget.ProxyFor(httpget.New(datasources.Env{}, httpget.Options{Metadata: tt.metadata}), req)
			if err != nil || got != tt.want {
				t.Errorf("proxy %q, error %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for _, tt := range []struct{ name, url, want string }{
		{"nothing to hide", "https://example.com/a/b", "https://example.com/a/b"},
		{"user info", "https://me:pw@example.com/", "https://example.com/"},
		{"values of a query", "https://example.com/?a=1&token=x#y", "https://example.com/?a=...&token=..."},
		{"a query that is only a value", "https://example.com/?x", "https://example.com/?..."},
		{"characters that move a terminal", "https://example.com/?\u202ea=1", "https://example.com/?%E2%80%AEa=..."},
		{"no URL", "http://[pw", "(unreadable URL)"},
		{"user info that does not look like it", "http:me:pw@host", "(unreadable URL)"},
		{"a control character", "http://host/\x1b[31m", "(unreadable URL)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := httpget.Redact(tt.url); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What is told goes to one address, once; whatever that answers, it was heard if the status says so.
func TestPost(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		class  error
		text   string // of the error; "" for none
	}{
		{"heard", http.StatusNoContent, "", nil, ""},
		{"heard, with a page for people", http.StatusOK, "<!DOCTYPE html><p>thanks", nil, ""},
		{"another address", http.StatusTemporaryRedirect, "", nil, "redirects to another address, which is not told"},
		{"later", http.StatusServiceUnavailable, "", datasources.ErrNotReady, "status 503"},
		{"never", http.StatusBadRequest, "", nil, "status 400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				told.Add(1)
				if body, _ := io.ReadAll(r.Body); r.Method != http.MethodPost || string(body) != "a=b" || r.Header.Get("Content-Type") != "text/x" {
					t.Errorf("%s %q %q", r.Method, body, r.Header)
				}
				w.Header().Set("Location", "/other")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer server.Close()
			env, _ := quick()
			err := httpget.New(env, httpget.Options{}).Post(t.Context(), server.URL+"/?token=s3cret", "text/x", []byte("a=b"))
			switch {
			case c.text == "" && err != nil, c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)):
				t.Errorf("error %v, want %q", err, c.text)
			case c.class != nil && !errors.Is(err, c.class), err != nil && strings.Contains(err.Error(), "s3cret"):
				t.Errorf("error %v", err)
			}
			if told.Load() != 1 {
				t.Errorf("told %d times", told.Load())
			}
		})
	}
}
