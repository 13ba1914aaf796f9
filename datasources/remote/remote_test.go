package remote_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/minisign"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema/certificate/certificatetest"
)

func testdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../minisign/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// world is a server, with TLS or without, and what it was asked for.
type world struct {
	env   datasources.Env
	clock *metadatatest.Clock
	url   string
	pin   string

	mu    sync.Mutex
	asked []string
	files map[string]string
	// first is what a path has the first time it is asked for, if it is here.
	first map[string]string
}

func newWorld(t *testing.T, overTLS bool) *world {
	t.Helper()
	w := &world{clock: metadatatest.NewClock(), files: map[string]string{"/document": testdata(t, "document")}, first: map[string]string{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, r.URL.RequestURI())
		text, ok := w.first[r.URL.Path]
		delete(w.first, r.URL.Path)
		if !ok {
			text, ok = w.files[r.URL.Path]
		}
		switch {
		case !ok:
			rw.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(text, "http"):
			http.Redirect(rw, r, text, http.StatusFound)
		default:
			fmt.Fprint(rw, text)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.env = datasources.Env{Now: w.clock.Now, Sleep: w.clock.Sleep, Limits: datasources.Limits{Connect: 5 * time.Second, Answer: 5 * time.Second, Overall: 10 * time.Second}}
	if overTLS {
		itself := certificatetest.Make(certificatetest.Request{Name: "server", Hosts: []string{"127.0.0.1"}, From: "2025-01-01", To: "2030-01-01", CA: true})
		server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{itself.Certificate.Raw}, PrivateKey: itself.Signer}}}
		w.env.Trust.CAs = []byte(itself.PEM())
		sum := sha256.Sum256(itself.Certificate.RawSubjectPublicKeyInfo)
		w.pin = "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// sum is the SHA-256 of testdata's document.
const sum = "sha256-e135c9c55cd1001db3d3b8a48813be50e58e57dadecf0154f246038b845a2363"

func TestDocument(t *testing.T) {
	const half = "#cloud-config\nhost"
	document, hashed, other := testdata(t, "document"), testdata(t, "hashed.minisig"), testdata(t, "other.minisig")
	key, err := minisign.ParseKey([]byte(testdata(t, "key.pub")))
	if err != nil {
		t.Fatal(err)
	}
	keys := func(p *trust.Policy) { p.Keys = []minisign.Key{key} }
	type policy = func(*trust.Policy)
	set := func(name, value string) policy {
		return func(p *trust.Policy) {
			if err := p.Set(name, value, nil); err != nil {
				t.Error(err)
			}
		}
	}
	insecure := func(p *trust.Policy) { p.Insecure = true }
	signed := func(p *trust.Policy) { p.Signed = true }
	type files = map[string]string
	for _, tt := range []struct {
		name     string
		tls, pin bool
		policy   []policy
		files    files // besides /document
		first    files
		proof    trust.Proof
		want     string // of the error
		asked    []string
	}{
		{name: "http is not even asked", want: "nothing shows that it is from whom it should be; use https, give its digest (cloud-config-digest=), or sign it; or let the settings"},
		{name: "http, where the settings allow it", policy: []policy{insecure}, proof: trust.None, asked: []string{"/document"}},
		{name: "http with a digest", policy: []policy{set("digest", sum)}, proof: trust.Digest, asked: []string{"/document"}},
		{name: "http with a signature", policy: []policy{keys}, files: files{"/document.minisig": hashed}, proof: trust.Signature, asked: []string{"/document", "/document.minisig"}},
		{name: "http with both", policy: []policy{keys, signed, set("digest", sum)}, files: files{"/document.minisig": hashed}, proof: trust.Signature},
		{name: "https", tls: true, proof: trust.TLS, asked: []string{"/document"}},
		{name: "https with a pin", tls: true, pin: true, proof: trust.Pin},
		{name: "https with another pin", tls: true, policy: []policy{set("pin", "sha256//"+strings.Repeat("A", 43)+"=")}, want: "which no pin is for"},
		{name: "https with a digest", tls: true, policy: []policy{set("digest", sum)}, proof: trust.Digest},
		{name: "https is no reason to overlook a digest", tls: true, files: files{"/document": half}, policy: []policy{set("digest", sum)}, want: "the sha256 of the 18 bytes is ", asked: []string{"/document", "/document"}},
		{name: "an answer cut short", first: files{"/document": half}, policy: []policy{set("digest", sum)}, proof: trust.Digest, asked: []string{"/document", "/document"}},
		{name: "an answer cut short, and signed", first: files{"/document": half}, policy: []policy{keys}, files: files{"/document.minisig": hashed}, proof: trust.Signature},
		{name: "keys alone ask nothing of https", tls: true, policy: []policy{keys}, proof: trust.TLS, asked: []string{"/document"}},
		{name: "https that must be signed", tls: true, policy: []policy{keys, signed}, files: files{"/document.minisig": hashed}, proof: trust.Signature},
		{name: "https that must be signed, and is not", tls: true, policy: []policy{keys, signed}, want: "there is no signature at https://127.0.0.1:"},
		{name: "another document", policy: []policy{keys}, files: files{"/document": half, "/document.minisig": hashed}, want: "it does not fit the document; sign the document again"},
		{name: "another key", policy: []policy{keys}, files: files{"/document.minisig": other}, want: "none of our keys made it (ours: 33DA153ED8CB5782); sign it with a key of this image, or put the public key into /etc/provisioner/NAME.pub"},
		{name: "no key at all", policy: []policy{signed}, files: files{"/document.minisig": hashed}, want: "there are none"},
		{name: "a signature elsewhere", policy: []policy{keys, set("sig", "/keys/it?token=s3cret")}, files: files{"/keys/it": hashed}, proof: trust.Signature, asked: []string{"/document", "/keys/it?token=s3cret"}},
		{name: "a signature that is not there", policy: []policy{keys, set("sig", "it?token=s3cret")}, want: "/it?token=...; sign the document"},
		{name: "a signature that is a page", policy: []policy{keys}, files: files{"/document.minisig": "four\nlines\nof\ntext\n"}, want: "no minisign signature"},
		{name: "a signature of a mebibyte", policy: []policy{keys}, files: files{"/document.minisig": strings.Repeat("x", 1<<20)}, want: "larger than 8 KiB"},
		{name: "no document", tls: true, files: files{"/document": ""}, proof: trust.TLS},
		{name: "down to http", tls: true, files: files{"/document": "http://127.0.0.1:1/"}, want: "redirects from https to an address without it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.tls)
			p := w.env.Trust
			for _, change := range tt.policy {
				change(&p)
			}
			if tt.pin {
				set("pin", w.pin)(&p)
			}
			for path, text := range tt.files {
				w.files[path] = text
			}
			for path, text := range tt.first {
				w.first[path] = text
			}
			got, err := remote.New(w.env, p).Document(t.Context(), w.url+"/document")
			if tt.asked != nil && !slices.Equal(w.asked, tt.asked) || tt.want != "" && tt.asked == nil && !tt.tls && p.Digest.Name == "" && len(p.Keys) == 0 && !p.Signed && w.asked != nil {
				t.Errorf("asked for %q, want %q", w.asked, tt.asked)
			}
			if tt.want == "" {
				if text := w.files["/document"]; err != nil || string(got.Body) != text || got.Proof != tt.proof {
					t.Errorf("%q by %q, error %v; want %q by %q", got.Body, got.Proof, err, document, tt.proof)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || got.Body != nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q, error %v, want %q", got.Body, err, tt.want)
			}
			if errors.Is(err, datasources.ErrNotReady) || errors.Is(err, datasources.ErrAbsent) {
				t.Errorf("error %v would be asked about again, or passed over", err)
			}
		})
	}
}

func TestAbsentAndNotReady(t *testing.T) {
	w := newWorld(t, true)
	if _, err := remote.New(w.env, w.env.Trust).Document(t.Context(), w.url+"/none"); !errors.Is(err, datasources.ErrAbsent) {
		t.Errorf("error %v", err)
	}
	w.env.Limits.Answer = 50 * time.Millisecond
	w.env.Trust.Insecure = true
	if _, err := remote.New(w.env, w.env.Trust).Document(t.Context(), "tftp://127.0.0.1:9/x"); !errors.Is(err, datasources.ErrNotReady) {
		t.Errorf("error %v", err)
	}
}

func TestTFTPNeedsAProof(t *testing.T) {
	_, err := remote.New(datasources.Env{}, trust.Policy{}).Document(t.Context(), "tftp://192.0.2.1/x")
	var refusal *trust.Refusal
	if !errors.As(err, &refusal) || !strings.HasPrefix(err.Error(), "get tftp://192.0.2.1/x: nothing shows") {
		t.Errorf("error %v", err)
	}
}

// A digest is one document's; what lies beside it has proofs of its own.
func TestBeside(t *testing.T) {
	w := newWorld(t, true)
	w.files["/meta-data"], w.files["/meta-data.minisig"] = testdata(t, "document"), testdata(t, "hashed.minisig")
	p := w.env.Trust
	key, _ := minisign.ParseKey([]byte(testdata(t, "key.pub")))
	p.Keys, p.SignatureURL, p.Digest = []minisign.Key{key}, "/elsewhere", trust.Sum{Name: "sha256", Sum: strings.Repeat("x", 32)}
	got, err := remote.New(w.env, p).Beside(t.Context(), w.url+"/meta-data")
	if err != nil || got.Proof != trust.Signature {
		t.Errorf("by %q, error %v", got.Proof, err)
	}
	p = w.env.Trust
	p.Digest = trust.Sum{Name: "sha256", Sum: strings.Repeat("x", 32)}
	if got, err = remote.New(w.env, p).Beside(t.Context(), w.url+"/meta-data"); err != nil || got.Proof != trust.TLS {
		t.Errorf("by %q, error %v", got.Proof, err)
	}
}

func TestIncludesAreOutside(t *testing.T) {
	w := newWorld(t, true)
	f := remote.New(w.env, w.env.Trust)
	if _, err := f.Document(t.Context(), w.url+"/document"); err != nil {
		t.Fatal(err)
	}
	insecure := w.env.Trust
	insecure.Insecure = true
	for _, tt := range []struct {
		policy    trust.Policy
		url, want string
	}{
		{w.env.Trust, w.url + "/document", "which nothing fetched may name"}, // even of the document's own host
		{w.env.Trust, "https://169.254.169.254/latest/user-data", "which nothing fetched may name"},
		{w.env.Trust, "https://localhost:1/", "which nothing fetched may name"},
		{w.env.Trust, "http://192.0.2.1/", "nothing shows that it is from whom it should be"},
		{insecure, "http://[::1]/", "which nothing fetched may name"},
		{insecure, "tftp://127.0.0.1/x", "of this machine or its link"},
		{w.env.Trust, "file:///etc/passwd", "begins with none of"},
		{insecure, "file:///etc/passwd", "begins with none of"},
		{insecure, "https://[", "not a URL"},
	} {
		asked := len(w.asked)
		_, err := remote.New(w.env, tt.policy).Include(t.Context(), tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, datasources.ErrNotReady) || len(w.asked) != asked {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.want)
		}
	}
}

func TestTFTPIsAnnouncedOnce(t *testing.T) {
	var lines []string
	env := datasources.Env{Waiting: func(line string) { lines = append(lines, line) }, Limits: datasources.Limits{Answer: 20 * time.Millisecond}}
	f := remote.New(env, trust.Policy{Insecure: true})
	for range 2 {
		_, _ = f.Document(t.Context(), "tftp://127.0.0.1:9/x")
	}
	if want := []string{"asking tftp://127.0.0.1:9 for up to 5m0s, 20ms for an answer"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}
