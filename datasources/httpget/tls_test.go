package httpget_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/clock"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/trust"
	issue "cloudconfig/schema/certificate/certificatetest"
)

var authority = issue.Make(issue.Request{Name: "CA of the site", From: "2020-01-01", To: "2049-12-31", CA: true, Key: issue.ECDSA(2)})

// leaf is a certificate for 127.0.0.1 and config.example unless the request says otherwise.
func leaf(r issue.Request) *issue.Issued {
	r.Name = "server"
	if r.Hosts == nil {
		r.Hosts = []string{"127.0.0.1", "config.example"}
	}
	if r.From == "" {
		r.From, r.To = "2026-01-01", "2027-12-31"
	}
	if r.Issuer == nil && !r.CA {
		r.Issuer = authority
	}
	return issue.Make(r)
}

func serveTLS(t *testing.T, chain ...*issue.Issued) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	certificate := tls.Certificate{PrivateKey: crypto.PrivateKey(chain[0].Signer)}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.Certificate.Raw)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func pin(i *issue.Issued) string {
	sum := sha256.Sum256(i.Certificate.RawSubjectPublicKeyInfo)
	return "sha256//" + base64.StdEncoding.EncodeToString(sum[:])
}

func fingerprint(i *issue.Issued) string {
	sum := sha256.Sum256(i.Certificate.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// serveTime is the address of a time server that has one time.
func serveTime(t *testing.T, is time.Time, asked *atomic.Int32) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for p := bytes.Repeat([]byte{0}, 48); ; {
			_, from, err := conn.ReadFrom(p)
			if err != nil {
				return
			}
			asked.Add(1)
			copy(p[24:], p[40:48])
			p[0], p[1] = 4<<3|4, 1
			stamp := uint64(is.Unix()+2208988800) << 32
			binary.BigEndian.PutUint64(p[32:], stamp)
			binary.BigEndian.PutUint64(p[40:], stamp)
			_, _ = conn.WriteTo(p, from)
		}
	}()
	return conn.LocalAddr().String()
}

func TestServers(t *testing.T) {
	date := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	good := leaf(issue.Request{})
	other := issue.Make(issue.Request{Name: "another CA", From: "2020-01-01", To: "2049-12-31", CA: true, Key: issue.ECDSA(3)})
	itself := leaf(issue.Request{CA: true, Key: issue.ECDSA(4)})
	early := leaf(issue.Request{From: "2027-02-01", To: "2028-01-01"})
	old := leaf(issue.Request{From: "2025-01-01", To: "2026-06-01"})
	type options = map[string]string
	ca := options{"ca": "/ca.pem"}
	for _, tt := range []struct {
		name    string
		chain   []*issue.Issued
		options options
		ca      *issue.Issued // what is in /ca.pem; authority if nil
		host    string        // instead of 127.0.0.1
		shows   string        // the clock; 2026-12-01 if empty
		is      string        // what the time server has; "" is no server
		asked   int32         // the time server
		want    string        // of the error; "" for an answer
	}{
		{name: "the authority", chain: []*issue.Issued{good}, options: ca},
		{name: "not the system's", chain: []*issue.Issued{good}, want: `the certificate is signed by "CN=CA of the site", which is no authority that is trusted here; give the certificate of the authority (cloud-config-ca=)`},
		{name: "another authority", chain: []*issue.Issued{good}, options: ca, ca: other, want: "no authority that is trusted here"},
		{name: "the authority, by its fingerprint", chain: []*issue.Issued{good, authority}, options: options{"ca": fingerprint(authority)}},
		{name: "by its fingerprint, but it is not sent", chain: []*issue.Issued{good}, options: options{"ca": fingerprint(authority)}, want: "no authority"},
		{name: "another fingerprint", chain: []*issue.Issued{good, authority}, options: options{"ca": fingerprint(other)}, want: "no authority"},
		{name: "an authority that is sent and has signed nothing", chain: []*issue.Issued{good, other}, options: options{"ca": fingerprint(other)}, want: "no authority"},
		{name: "itself", chain: []*issue.Issued{itself}, want: `signed by "CN=server", itself, which is no authority`},
		{name: "itself, by its fingerprint", chain: []*issue.Issued{itself}, options: options{"ca": fingerprint(itself)}},
		{name: "by its fingerprint, for another host", chain: []*issue.Issued{itself}, options: options{"ca": fingerprint(itself)}, host: "localhost", want: "the certificate is for config.example, 127.0.0.1, not for localhost"},
		{name: "another host", chain: []*issue.Issued{leaf(issue.Request{Hosts: []string{"a.example", "\x1b[1m.example"}})}, options: ca, want: "not for 127.0.0.1; ask by a name that the certificate has"},
		{name: "no host", chain: []*issue.Issued{leaf(issue.Request{Hosts: []string{}})}, options: ca, want: "the certificate is for no name, not for 127.0.0.1"},
		{name: "the pin", chain: []*issue.Issued{good}, options: options{"ca": "/ca.pem", "pin": pin(other) + ";" + pin(good)}},
		{name: "another pin", chain: []*issue.Issued{good}, options: options{"ca": "/ca.pem", "pin": pin(other)}, want: "the server's public key is " + pin(good) + ", which no pin is for; somebody is in between"},
		{name: "the pin of the authority is not that of the server", chain: []*issue.Issued{good, authority}, options: options{"ca": "/ca.pem", "pin": pin(authority)}, want: "no pin is for"},
		{name: "a pin does not stand in for an authority", chain: []*issue.Issued{good}, options: options{"pin": pin(good)}, want: "no authority"},
		{name: "expired", chain: []*issue.Issued{old}, options: ca, is: "2026-12-01", want: "the certificate expired: it was valid until 2026-06-01 00:00:00 UTC, the clock is at 2026-12-01 00:00:00 UTC; renew"},
		{name: "not yet valid, and no time server", chain: []*issue.Issued{early}, options: ca, want: "the clock is at 2026-12-01 00:00:00 UTC, the certificate is valid from 2027-02-01 00:00:00 UTC; set the clock, or name time servers in the settings of the image (ntp:); no time server is known"},
		{name: "not yet valid, by a clock that is slow", chain: []*issue.Issued{early}, options: ca, is: "2027-03-01", asked: 1},
		{name: "not yet valid, by a clock that is right", chain: []*issue.Issued{early}, options: ca, is: "2026-12-01", asked: 1, want: "the clock is right by the time server"},
		{name: "not yet valid after the clock was put right", chain: []*issue.Issued{early}, options: ca, is: "2027-01-01", asked: 1, want: "the clock is at 2026-12-31 23:59:5"},
		{name: "not yet valid and then expired", chain: []*issue.Issued{early}, options: ca, is: "2029-01-01", asked: 1, want: "the certificate expired"},
		{name: "not yet valid and for another host: nobody is asked", chain: []*issue.Issued{leaf(issue.Request{Hosts: []string{"a.example"}, From: "2027-02-01", To: "2028-01-01"})}, options: ca, is: "2027-03-01", want: "not for 127.0.0.1"},
		{name: "not yet valid and by nobody: nobody is asked", chain: []*issue.Issued{early}, is: "2027-03-01", want: "no authority"},
		{name: "1970, with what was valid at the build", chain: []*issue.Issued{good}, options: ca, shows: "1970-01-01"},
		{name: "1970, put right first", chain: []*issue.Issued{good}, options: ca, shows: "1970-01-01", is: "2026-12-01", asked: 1},
		{name: "1970, put right, and expired since the build", chain: []*issue.Issued{leaf(issue.Request{From: "2026-01-01", To: "2027-01-01"})}, options: ca, shows: "1970-01-01", is: "2027-06-01", asked: 1, want: "the certificate expired"},
		{name: "1970, and not valid at the build", chain: []*issue.Issued{early}, options: ca, shows: "1970-01-01", want: "the clock is at 1970-01-01 00:00:00 UTC, the certificate is valid from 2027-02-01"},
		{name: "an authority by its fingerprint, and 1970", chain: []*issue.Issued{early, authority}, options: options{"ca": fingerprint(authority)}, shows: "1970-01-01", is: "2027-03-01", asked: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serveTLS(t, tt.chain...)
			if tt.shows == "" {
				tt.shows = "2026-12-01"
			}
			env, waits := quick()
			env.Limits.Answer, env.Limits.Connect = 5*time.Second, 5*time.Second
			env.Clock = &clock.Clock{Built: date("2026-11-01"), System: func() time.Time { return date(tt.shows) }}
			var asked atomic.Int32
			if tt.is != "" {
				env.Clock.Servers = []string{serveTime(t, date(tt.is), &asked)}
			}
			known := authority
			if tt.ca != nil {
				known = tt.ca
			}
			for name, value := range tt.options {
				err := env.Trust.Set(name, value, func(string) ([]byte, error) { return []byte(known.PEM()), nil })
				if err != nil {
					t.Fatal(err)
				}
			}
			url := server.URL
			if tt.host != "" {
				url = strings.Replace(url, "127.0.0.1", tt.host, 1)
			}
			body, err := httpget.New(env, httpget.Options{}).Get(t.Context(), url)
			if n := asked.Load(); n != tt.asked {
				t.Errorf("the time server was asked %d times, want %d", n, tt.asked)
			}
			if tt.want == "" {
				if err != nil || string(body) != "ok" {
					t.Errorf("%q, error %v", body, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\x1b") {
				t.Fatalf("%q, error %v, want %q", body, err, tt.want)
			}
			var refusal *trust.Refusal
			if errors.Is(err, datasources.ErrNotReady) || !errors.As(err, &refusal) || waits.Since() != 0 {
				t.Errorf("error %v was asked about again, in vain", err)
			}
		})
	}
}

// A time server that is of no help may be so later.
func TestTimeServerIsOfNoHelp(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var asked atomic.Int32
	for want, server := range map[string]string{
		"no answer in time": silent.LocalAddr().String(),
		"it has 2044-12-01 00:00:00 UTC, more than ten years after this program was built": serveTime(t, now.AddDate(18, 0, 0), &asked),
	} {
		env, waits := quick()
		env.Limits.Answer = 5 * time.Second
		env.Clock = &clock.Clock{Built: now, System: func() time.Time { return now }, Servers: []string{server}, Patience: 100 * time.Millisecond}
		env.Trust.CAs = []byte(authority.PEM())
		_, err = httpget.New(env, httpget.Options{}).Get(t.Context(), serveTLS(t, leaf(issue.Request{From: "2027-02-01", To: "2028-01-01"})).URL)
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, datasources.ErrNotReady) {
			t.Errorf("error %v, want %q", err, want)
		}
		if waits.Since() < 500*time.Millisecond || waits.Since() > 2*time.Second {
			t.Errorf("given up after %v, want three tries", waits.Since())
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
}
