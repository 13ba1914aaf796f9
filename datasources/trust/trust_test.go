package trust_test

import (
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/minisign"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema/certificate/certificatetest"
)

const document = "#cloud-config\nhostname: web1\n"

// sum is the SHA-256 of document, as sha256sum prints it.
const sum = "e135c9c55cd1001db3d3b8a48813be50e58e57dadecf0154f246038b845a2363"

var ca = certificatetest.Make(certificatetest.Request{Name: "CA", From: "2020-01-01", To: "2049-12-31", CA: true}).PEM()

// read has a few files.
func read(path string) ([]byte, error) {
	files := map[string]string{
		"/ca.pem": ca, "/two.pem": ca + ca, "/text.pem": "Subject: CN=CA\n" + ca, "/empty.pem": "",
		"/key.pem": certificatetest.KeyPEM(certificatetest.ECDSA(1)), "/bad.pem": certificatetest.Block("CERTIFICATE", []byte("?")),
	}
	if text, ok := files[path]; ok {
		return []byte(text), nil
	}
	return nil, os.ErrNotExist
}

func TestSet(t *testing.T) {
	digest := sha512.Sum512([]byte(document))
	zeros := strings.Repeat("0", 64)
	for _, tt := range []struct{ name, option, value, err string }{
		{"a file of certificates", "ca", "/ca.pem", ""},
		{"a bundle", "ca", "/two.pem", ""},
		{"a certificate with its text", "ca", "/text.pem", ""},
		{"a fingerprint", "ca", "sha256:" + zeros, ""},
		{"a fingerprint as openssl prints it", "ca", "sha256:" + strings.Repeat("AB:", 31) + "AB", ""},
		{"a fingerprint cut short", "ca", "sha256:" + zeros[2:], "the form sha256:HEX"},
		{"no such file", "ca", "/none.pem", "file does not exist"},
		{"an empty file", "ca", "/empty.pem", "/empty.pem has no certificate in PEM"},
		{"a key", "ca", "/key.pem", "/key.pem has a block that is no certificate"},
		{"a certificate that is none", "ca", "/bad.pem", "/bad.pem has a block that is no certificate"},
		{"a path below nobody knows what", "ca", "ca.pem", "the absolute path of a file"},
		{"a pin as curl takes it", "pin", "sha256//" + base64.StdEncoding.EncodeToString(digest[:32]), ""},
		{"two pins as curl takes them", "pin", "sha256//" + base64.StdEncoding.EncodeToString(digest[:32]) + ";sha256//" + base64.StdEncoding.EncodeToString(digest[32:]), ""},
		{"a pin of another kind", "pin", "sha512//" + base64.StdEncoding.EncodeToString(digest[:]), "sha256//BASE64"},
		{"a pin without its kind", "pin", base64.StdEncoding.EncodeToString(digest[:32]), "sha256//BASE64"},
		{"an empty pin", "pin", "", "sha256//BASE64"},
		{"a digest in hexadecimal", "digest", "sha256-" + sum, ""},
		{"a digest with a colon", "digest", "sha256:" + strings.ToUpper(sum), ""},
		{"a digest as SRI has it", "digest", "sha512-" + base64.StdEncoding.EncodeToString(digest[:]), ""},
		{"a digest without the padding", "digest", "sha512-" + base64.RawStdEncoding.EncodeToString(digest[:]), ""},
		{"a digest of another length", "digest", "sha512-" + sum, "the form sha256-DIGEST or sha512-DIGEST"},
		{"a weak digest", "digest", "md5-00000000000000000000000000000000", "the form sha256-DIGEST"},
		{"a digest of an unknown kind", "digest", sum, "the form sha256-DIGEST"},
		{"a signature", "sig", "https://a.example/x.minisig", ""},
		{"no signature", "sig", "", "it is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p trust.Policy
			err := p.Set(tt.option, tt.value, read)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if tt.err == "" && tt.option == "digest" && p.CheckDigest([]byte(document)) != nil {
				t.Errorf("not the digest: %v", p.CheckDigest([]byte(document)))
			}
		})
	}
}

func TestFromCommandLine(t *testing.T) {
	pinOf := func(b byte) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(b), 32))) }
	var settings trust.Policy
	for name, value := range map[string]string{"ca": "/ca.pem", "pin": "sha256//" + pinOf('a'), "digest": "sha256-" + sum} {
		if err := settings.Set(name, value, read); err != nil {
			t.Fatal(err)
		}
	}
	settings.Signed = true
	for _, tt := range []struct {
		name, line string
		change     func(*trust.Policy)
		err        string
	}{
		{"nothing", "quiet root=/dev/vda1 cloud-config-url=https://a.example/", nil, ""},
		{"a pin takes the place of a pin", "cloud-config-pin=sha256//" + pinOf('b'), func(p *trust.Policy) {
			p.Pins = [][32]byte{[32]byte([]byte(strings.Repeat("b", 32)))}
		}, ""},
		{"several", "cloud_config_pin=sha256//" + pinOf('b') + " cloud-config-pin=sha256//" + pinOf('c'), func(p *trust.Policy) {
			p.Pins = [][32]byte{[32]byte([]byte(strings.Repeat("b", 32))), [32]byte([]byte(strings.Repeat("c", 32)))}
		}, ""},
		{"a CA takes the place of a CA", "cloud-config-ca=sha256:" + strings.Repeat("61", 32), func(p *trust.Policy) {
			p.CAs, p.CADigests = nil, [][32]byte{[32]byte([]byte(strings.Repeat("a", 32)))}
		}, ""},
		{"the last digest and signature", "cloud-config-digest=sha256-" + strings.Repeat("0", 64) + " cloud-config-digest=sha256-" + sum + " cloud-config-sig=a cloud-config-sig=b",
			func(p *trust.Policy) { p.SignatureURL = "b" }, ""},
		{"what is the image's alone is passed over", "cloud-config-insecure=yes cloud-config-keys=/x cloud-config-signature=no", nil, ""},
		{"something wrong", "cloud_config_pin=x", nil, "cloud_config_pin= on the kernel command line: a pin has the form"},
		{"a word without a value", "cloud-config-digest", nil, "a digest has the form"},
		{"far too many", strings.Repeat("cloud-config-pin=sha256//"+pinOf('b')+" ", 17), nil, "more than 16 of pin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := settings.FromCommandLine(strings.Fields(tt.line), read)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			want := settings
			if tt.change != nil {
				tt.change(&want)
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v %s", err, diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	p := trust.Policy{}
	if err := p.CheckDigest([]byte("anything")); err != nil {
		t.Errorf("no digest, and error %v", err)
	}
	if err := p.Set("digest", "sha256-"+sum, nil); err != nil {
		t.Fatal(err)
	}
	var refusal *trust.Refusal
	err := p.CheckDigest([]byte(document[:5]))
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "the sha256 of the 5 bytes is ") || !strings.Contains(err.Error(), "not "+sum) {
		t.Errorf("error %v", err)
	}
	if err := p.CheckSignature([]byte(document), []byte("?")); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "no minisign signature of four lines; sign the document again") {
		t.Errorf("error %v", err)
	}
}

func TestNeedsSignature(t *testing.T) {
	keys := make([]minisign.Key, 1)
	for _, tt := range []struct {
		policy trust.Policy
		tls    bool
		want   bool
	}{
		{trust.Policy{}, true, false},
		{trust.Policy{}, false, false}, // it is refused
		{trust.Policy{Keys: keys}, true, false},
		{trust.Policy{Keys: keys}, false, true},
		{trust.Policy{Keys: keys, Insecure: true}, false, false},
		{trust.Policy{Keys: keys, Digest: trust.Sum{Name: "sha256"}}, false, false},
		{trust.Policy{Signed: true, Digest: trust.Sum{Name: "sha256"}}, true, true},
		{trust.Policy{SignatureURL: "x", Insecure: true}, true, true},
		{trust.Policy{SignatureURL: "x"}.Beside(), true, true},
		{trust.Policy{SignatureURL: "x"}.Elsewhere(), true, true},
	} {
		if got := tt.policy.NeedsSignature(tt.tls); got != tt.want {
			t.Errorf("%+v, over TLS %v: %v", tt.policy, tt.tls, got)
		}
	}
}

// Who trusts a CA of the site's own for the document can still include from anywhere.
func TestAuthorities(t *testing.T) {
	own := trust.Policy{CAs: []byte(ca)}
	system, err := x509.SystemCertPool()
	if err != nil {
		t.Skip("missing: the authorities of this system: ", err)
	}
	both := system.Clone()
	both.AppendCertsFromPEM([]byte(ca))
	alone := x509.NewCertPool()
	alone.AppendCertsFromPEM([]byte(ca))
	if !own.Config(nil).RootCAs.Equal(alone) || !own.Elsewhere().Config(nil).RootCAs.Equal(both) {
		t.Error("the authorities are not those that they should be")
	}
	if (trust.Policy{}).Config(nil).RootCAs != nil || (trust.Policy{}).Elsewhere().Config(nil).RootCAs != nil {
		t.Error("without a word it is the system's")
	}
}

func TestWeakest(t *testing.T) {
	order := []trust.Proof{trust.None, trust.TLS, trust.Pin, trust.Digest, trust.Signature, ""}
	for i, a := range order {
		for j, b := range order {
			if got := trust.Weakest(a, b); got != order[min(i, j)] {
				t.Errorf("of %q and %q the weakest is %q", a, b, got)
			}
		}
	}
}

func TestReadFile(t *testing.T) {
	root := t.TempDir()
	for name, size := range map[string]int{"small": 3, "large": 1<<20 + 1} {
		if err := os.WriteFile(filepath.Join(root, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"/small": "", "/large": "is not a file of at most 1024 KiB", "/": "is not a file", "/none": "no such file", "/../../small": ""} {
		_, err := trust.ReadFile(root)(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

func FuzzFromCommandLine(f *testing.F) {
	f.Add("cloud-config-ca=/ca.pem cloud-config-pin=sha256//AAAA cloud_config_digest=sha256-" + sum + " cloud-config-sig=x")
	f.Fuzz(func(t *testing.T, line string) {
		p, err := trust.Policy{Signed: true}.FromCommandLine(strings.Fields(line), read)
		if err == nil && (!p.Signed || p.Insecure || len(p.Keys) > 0) {
			t.Errorf("%q loosens the policy", line)
		}
	})
}
