package httpget_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
)

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// unreached is an environment in which every connection is a mistake.
func unreached(t *testing.T) datasources.Env {
	env, _ := quick()
	env.Transport = transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s was asked", r.URL)
		return nil, errors.New("unreached")
	})
	return env
}

func TestMetadataIsAskedByAddress(t *testing.T) {
	client := httpget.New(unreached(t), httpget.Options{Metadata: true})
	for _, host := range []string{"metadata.google.internal", "localhost", "169.254.169.254.nip.io", "0x7f.1"} {
		_, err := client.Get(t.Context(), "http://"+host+"/computeMetadata/")
		if err == nil || !strings.Contains(err.Error(), "is asked by its address") || errors.Is(err, datasources.ErrNotReady) {
			t.Errorf("%s: error %v", host, err)
		}
	}
}

func TestOutsideIsNotThisMachine(t *testing.T) {
	client := httpget.New(unreached(t), httpget.Options{Outside: true})
	for _, host := range []string{
		"127.0.0.1", "127.9.9.9:80", "0.0.0.0", "0.1.2.3", "169.254.169.254", "localhost", "LOCALHOST.", "a.localhost",
		"[::1]", "[::]", "[fe80::a9fe:a9fe%25eth0]", "[::ffff:169.254.169.254]", "[::ffff:7f00:1]", "[64:ff9b::a9fe:a9fe]",
		"[2002:7f00:1::1]", "[fd00:ec2::254]", "[::7f00:1]", "[ff02::1]",
	} {
		_, err := client.Get(t.Context(), "http://"+host+"/")
		if err == nil || !strings.Contains(err.Error(), "which nothing fetched may name") || errors.Is(err, datasources.ErrNotReady) {
			t.Errorf("%s: error %v", host, err)
		}
	}
	for _, addr := range []string{"192.0.2.1", "10.0.0.1", "fd00::1", "2001:db8::1", "64:ff9b::c000:201", "2002:c000:201::1"} {
		if httpget.IsLocal(netip.MustParseAddr(addr)) {
			t.Errorf("%s is taken for this machine", addr)
		}
	}
}

// A name is looked at again when it is an address.
func TestOutsideAfterTheNameIsResolved(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer server.Close()
	env, _ := quick()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = httpget.SendOutside(httpget.New(env, httpget.Options{}), req)
	if err == nil || !strings.Contains(err.Error(), "which nothing fetched may name") || errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("error %v", err)
	}
}

func TestHeadersStayBehind(t *testing.T) {
	var got []string
	show := func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		got = append(got, fmt.Sprintf("%s %q %q", r.URL.Path, r.Header.Get("Metadata-Token"), password))
	}
	other := httptest.NewServer(http.HandlerFunc(show))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		show(w, r)
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/b":
			http.Redirect(w, r, other.URL+"/c", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	env, _ := quick()
	header := http.Header{"Metadata-Token": {"s3cret"}}
	client := httpget.New(env, httpget.Options{Header: header})
	header.Set("Metadata-Token", "changed") // the client has its own
	if _, err := client.Try(t.Context(), strings.Replace(server.URL, "://", "://me:pw@", 1)+"/a"); err != nil {
		t.Fatal(err)
	}
	if want := []string{`/a "s3cret" "pw"`, `/b "s3cret" "pw"`, `/c "" ""`}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestHeaderOfACall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.Header.Get("Metadata"))
	}))
	defer server.Close()
	env, _ := quick()
	client := httpget.New(env, httpget.Options{Metadata: true, Header: http.Header{"Metadata": {"true"}}})
	if body, err := client.Try(t.Context(), server.URL); err != nil || string(body) != "GET true" {
		t.Errorf("%q, error %v", body, err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, nil)
	req.Header.Set("Metadata", "false")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _ = resp.Write(&b); !strings.Contains(b.String(), "PUT false") {
		t.Errorf("%q: what a request says itself is its own", b.String())
	}
}

func TestExpect(t *testing.T) {
	for _, tt := range []struct {
		name, flavor string
		status       int
		class        error
	}{
		{"the service", "Google", 200, nil},
		{"nothing at the service", "Google", 404, datasources.ErrAbsent},
		{"somebody else", "", 200, datasources.ErrNotReady},
		{"nothing at somebody else's", "", 404, datasources.ErrNotReady},
		{"another flavour", "Other", 200, datasources.ErrNotReady},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Metadata-Flavor", tt.flavor)
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			env, _ := quick()
			client := httpget.New(env, httpget.Options{Metadata: true, Expect: http.Header{"Metadata-Flavor": {"Google"}}})
			if _, err := client.Try(t.Context(), server.URL); !errors.Is(err, tt.class) {
				t.Errorf("error %v, want %v", err, tt.class)
			}
		})
	}
}

// A service that needs longer is given longer, once it has shown that it does.
func TestSlowService(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-time.After(400 * time.Millisecond):
			fmt.Fprint(w, "at last")
		}
	}))
	defer server.Close()
	env, _ := quick()
	env.Limits.Answer, env.Limits.Slow, env.Limits.Overall = 50*time.Millisecond, 30*time.Second, time.Minute
	client := httpget.New(env, httpget.Options{})
	body, err := client.WithMaxBytes(100).Get(t.Context(), server.URL)
	if err != nil || string(body) != "at last" || asked != 4 {
		t.Errorf("%q, error %v, asked %d times", body, err, asked)
	}
	if got := httpget.AnswerLimit(client); got != 30*time.Second {
		t.Errorf("the next answer is waited for %v", got)
	}
}

// Requests that are made at the same time and hang are one sign of slowness, not several.
func TestParallelTimeoutsAreOne(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	env, _ := quick()
	env.Limits.Answer = 150 * time.Millisecond
	client := httpget.New(env, httpget.Options{})
	for round := 1; round <= 3; round++ {
		if got := httpget.AnswerLimit(client); got != env.Limits.Answer {
			t.Errorf("the answers of round %d are waited for %v", round, got)
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { _, _ = client.Try(t.Context(), server.URL) })
		}
		wg.Wait()
	}
	if got := httpget.AnswerLimit(client); got != 15*time.Second {
		t.Errorf("after three rounds answers are waited for %v", got)
	}
}

func TestLimitsAreToldOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	env, _ := quick()
	env.Limits = datasources.Limits{}
	var lines []string
	env.Waiting = func(line string) { lines = append(lines, line) }
	client := httpget.New(env, httpget.Options{})
	for _, path := range []string{"/a?token=s3cret", "/b"} {
		if _, err := client.Get(t.Context(), strings.Replace(server.URL, "://", "://me:s3cret@", 1)+path); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"asking " + server.URL + " for up to 5m0s, 2s to connect and 4s for an answer"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}

// A machine without the interface, a route or a name server may have them soon.
func TestNoNetworkYet(t *testing.T) {
	env, _ := quick()
	_, err := httpget.New(env, httpget.Options{}).Try(t.Context(), "http://[fe80::a9fe:a9fe%25nosuch0]/")
	if !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "no connection: ") {
		t.Errorf("without an interface: error %v", err)
	}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"no route", os.NewSyscallError("connect", syscall.EHOSTUNREACH), "no connection: connect: no route to host"},
		{"no network", os.NewSyscallError("connect", syscall.ENETUNREACH), "no connection: connect: network is unreachable"},
		{"no name server", &net.DNSError{Err: "server misbehaving", Name: "host", IsTemporary: true}, "no connection: lookup host: server misbehaving"},
		{"no such name yet", &net.DNSError{Err: "no such host", Name: "host", IsNotFound: true}, "no connection: lookup host: no such host"},
		{"a name server that is silent", &net.DNSError{Err: "i/o timeout", Name: "host", IsTimeout: true}, "no connection in time"},
		{"packets that are dropped", os.ErrDeadlineExceeded, "no connection in time"},
	} {
		env.Transport = transport(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: tt.err}
		})
		_, err := httpget.New(env, httpget.Options{}).Try(t.Context(), "http://host/")
		if !errors.Is(err, datasources.ErrNotReady) || !strings.HasSuffix(err.Error(), "get http://host/: "+tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}
