//go:build integration && linux

// Package trust_test gives the built program documents at URLs, from servers with certificates and time servers of its
// own: what has the proof that is asked for is applied below a root, with the proof in its status, and nothing is
// changed by anything else.
package trust_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	issue "cloudconfig/schema/certificate/certificatetest"
)

const document = "#cloud-config\nhostname: web1\n"

// site is what there is to fetch from, and what the machine may be told of it.
type site struct {
	plain, secure, early string // URLs of the document, over http, https, and https that is not valid yet
	ca, pin, wrongPin    string
	digest, wrongDigest  string
	key, otherKey        string // public keys of minisign; key signed the document
	timeServer           string
	asked                *atomic.Int32 // how often, at plain
}

func TestTrust(t *testing.T) {
	program := programPath(t)
	s := newSite(t)
	for _, tt := range []struct {
		name     string
		url      string // for --datasource url=; "" is cmdline
		cmdline  string
		settings string
		key      string
		proof    string   // "" for an error
		want     []string // on the console
		// isNotAsked says that the server must not even be asked.
		isNotAsked bool
	}{
		{name: "an authority of the settings", url: s.secure, settings: "trust: {ca: [/etc/site.pem]}", proof: "tls"},
		{name: "no authority", url: s.secure, want: []string{"which is no authority that is trusted here"}},
		{name: "a pin", url: s.secure, settings: "trust: {ca: [/etc/site.pem], pin: ['" + s.pin + "']}", proof: "pin"},
		{name: "another pin", url: s.secure, settings: "trust: {ca: [/etc/site.pem], pin: ['" + s.wrongPin + "']}", want: []string{"which no pin is for"}},
		{name: "a pin without an authority", url: s.secure, settings: "trust: {pin: ['" + s.pin + "']}", want: []string{"which is no authority that is trusted here"}},
		{name: "plain http", url: s.plain, want: []string{"nothing shows that it is from whom it should be"}, isNotAsked: true},
		{name: "plain http, and the settings allow it", url: s.plain, settings: "trust: {insecure: yes}", proof: "none", want: []string{"the user-data is unauthenticated"}},
		{name: "a digest on the command line", cmdline: "cloud-config-url=" + s.plain + " cloud-config-digest=sha256-" + s.digest, proof: "digest"},
		{name: "another digest on the command line", cmdline: "cloud-config-url=" + s.plain + " cloud-config-digest=sha256-" + s.wrongDigest, want: []string{"the sha256 of the 29 bytes is"}},
		{name: "another pin on the command line", cmdline: "cloud-config-url=" + s.secure + " cloud-config-pin=" + s.wrongPin, settings: "trust: {ca: [/etc/site.pem]}", want: []string{"which no pin is for"}},
		{name: "an authority on the command line", cmdline: "cloud-config-url=" + s.secure + " cloud-config-ca=/etc/site.pem", proof: "tls"},
		{name: "a signature", url: s.plain, key: s.key, proof: "signature"},
		{name: "a signature over https", url: s.secure, settings: "trust: {ca: [/etc/site.pem], signature: yes}", key: s.key, proof: "signature"},
		{name: "a signature of another key", url: s.plain, key: s.otherKey, want: []string{"none of our keys made it"}},
		{name: "not valid yet, and no time server", url: s.early, settings: "trust: {ca: [/etc/site.pem]}", want: []string{"the clock is at", "is valid from", "ntp"}},
		{name: "not valid yet, and a time server says that it is", url: s.early, settings: "trust: {ca: [/etc/site.pem]}\nntp: ['" + s.timeServer + "']", proof: "tls",
			want: []string{"the clock was at", "the clock of this run alone is now at", "by the time server " + s.timeServer}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range map[string]string{
				"etc/site.pem": s.ca, "etc/provisioner/provisioner.yaml": tt.settings, "etc/provisioner/site.pub": tt.key, "proc/cmdline": "quiet " + tt.cmdline + "\n",
			} {
				if text != "" {
					write(t, filepath.Join(root, path), text)
				}
			}
			spec := "cmdline"
			if tt.url != "" {
				spec = "url=" + tt.url
			}
			before := s.asked.Load()
			for _, command := range []string{"plan", "apply"} {
				out, err := exec.CommandContext(t.Context(), program, command, "--root", root, "--datasource", spec).CombinedOutput()
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				status := 0
				if exit != nil {
					status = exit.ExitCode()
				}
				if (status == 0) != (tt.proof != "") || status != 0 && status != 3 {
					t.Errorf("%s: status %d\n%s", command, status, out)
				}
				for _, text := range tt.want {
					if !strings.Contains(string(out), text) {
						t.Errorf("%s does not say %q:\n%s", command, text, out)
					}
				}
			}
			hostname, _ := os.ReadFile(filepath.Join(root, "etc/hostname"))
			if (string(hostname) == "web1\n") != (tt.proof != "") {
				t.Errorf("the hostname is %q", hostname)
			}
			if got := proof(t, root); got != tt.proof {
				t.Errorf("the proof is %q, want %q", got, tt.proof)
			}
			if tt.isNotAsked && s.asked.Load() != before {
				t.Error("it was asked, although no answer could be taken")
			}
		})
	}
}

// proof is what the status of a root says of where its user-data is from; "" without one.
func proof(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "run/provisioner/status.json"))
	if err != nil {
		t.Fatal(err)
	}
	var status struct{ Proof string }
	if err := json.Unmarshal(text, &status); err != nil {
		t.Fatal(err)
	}
	return status.Proof
}

func newSite(t *testing.T) site {
	t.Helper()
	today := time.Now()
	date := func(months int) string { return today.AddDate(0, months, 0).Format(time.DateOnly) }
	authority := issue.Make(issue.Request{Name: "CA of the site", From: date(-12), To: date(60), CA: true, Key: issue.ECDSA(2)})
	leaf := func(from int) *issue.Issued {
		return issue.Make(issue.Request{Name: "server", Hosts: []string{"127.0.0.1"}, From: date(from), To: date(24), Issuer: authority})
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"/web1.yaml": document, "/web1.yaml.minisig": sign(private, document)}
	var asked atomic.Int32
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler(w, r)
	}))
	t.Cleanup(plain.Close)
	good := leaf(-1)
	keySum, wrong := sha256.Sum256(good.Certificate.RawSubjectPublicKeyInfo), sha256.Sum256(nil)
	pin := func(sum [32]byte) string { return "sha256//" + base64.StdEncoding.EncodeToString(sum[:]) }
	return site{
		plain: plain.URL + "/web1.yaml", secure: serveTLS(t, handler, good) + "/web1.yaml", early: serveTLS(t, handler, leaf(1)) + "/web1.yaml",
		ca:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate.Raw})),
		pin: pin(keySum), wrongPin: pin(wrong),
		digest: fmt.Sprintf("%x", sha256.Sum256([]byte(document))), wrongDigest: fmt.Sprintf("%x", wrong),
		key: publicKey("12345678", public), otherKey: publicKey("87654321", other),
		timeServer: serveTime(t, today.AddDate(0, 2, 0)), asked: &asked,
	}
}

func serveTLS(t *testing.T, handler http.Handler, leaf *issue.Issued) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Certificate.Raw}, PrivateKey: crypto.PrivateKey(leaf.Signer)}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// publicKey and sign make what minisign makes, in its older form. Format:
// https://jedisct1.github.io/minisign/, "Signature format" (read 2026-11-28).
func publicKey(id string, key ed25519.PublicKey) string {
	return "untrusted comment: of the site\n" + base64.StdEncoding.EncodeToString([]byte("Ed"+id+string(key))) + "\n"
}

func sign(key ed25519.PrivateKey, text string) string {
	const comment = "made by a test"
	signature := string(ed25519.Sign(key, []byte(text)))
	return "untrusted comment: of the site\n" + base64.StdEncoding.EncodeToString([]byte("Ed12345678"+signature)) +
		"\ntrusted comment: " + comment + "\n" + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(signature+comment))) + "\n"
}

// serveTime is the address of a time server that has one time. Format: RFC 4330, section 4.
func serveTime(t *testing.T, is time.Time) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const unixInNTP = 2208988800
	go func() {
		for p := bytes.Repeat([]byte{0}, 48); ; {
			_, from, err := conn.ReadFrom(p)
			if err != nil {
				return
			}
			copy(p[24:], p[40:48])
			p[0], p[1] = 4<<3|4, 1
			binary.BigEndian.PutUint64(p[32:], uint64(is.Unix()+unixInNTP)<<32)
			binary.BigEndian.PutUint64(p[40:], uint64(is.Unix()+unixInNTP)<<32)
			_, _ = conn.WriteTo(p, from)
		}
	}()
	return conn.LocalAddr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func programPath(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PROVISIONER")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "provisioner")
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("missing: the program: " + err.Error() + ` (try "make build", or name it in $PROVISIONER)`)
	}
	return path
}
