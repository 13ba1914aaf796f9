// Package certificate reads the certificates and private keys inside a configuration, and says whether they can do
// their work together.
//
// [Checker] is where to start: its Check is for a key with its certificate, chain and CA, its Parse for any text in
// PEM. Nothing is looked up and no clock is asked; nothing of a private key is in any answer.
package certificate

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// Checker reads and checks the texts of one configuration.
type Checker struct {
	// Now is the time that dates are held against. If it is zero, no dates are looked at.
	Now time.Time
	// Machine is what is known of the machine that the certificates are for.
	Machine Machine

	// Each of these costs up to some milliseconds, and a configuration of 32 MiB has room for ten thousands. Of
	// what is beyond the limits the form alone is checked.
	keys, signatures int
}

const (
	maxKeys       = 256
	maxSignatures = 1024
)

// Text is what a PEM text, or a certificate in DER, holds.
type Text struct {
	Certificates []Certificate
	Keys         []Key
	// Slips are what cannot be read of it, and Faulty says that something is missing above for that.
	Slips  []diag.Slip
	Faulty bool

	others []block // whole, and neither a certificate nor a private key
	der    bool    // it is no PEM
}

// Certificate is a certificate and where its first line stands, in bytes.
type Certificate struct {
	*x509.Certificate
	From, To int
}

// Key is a private key, of which nothing is kept but its public half; that is nil where it is not known.
type Key struct {
	Public   crypto.PublicKey
	From, To int
}

// Parse reads a text.
func (c *Checker) Parse(text string) Text {
	if strings.HasPrefix(text, "\x30") && !strings.Contains(text, "-----BEGIN") {
		t := Text{der: true}
		c.certificate(&t, block{to: len(text), der: []byte(text)})
		return t
	}
	blocks, slips, faulty := scan(text)
	t := Text{Slips: slips, Faulty: faulty}
	for _, b := range blocks {
		switch {
		case b.secret():
			c.key(&t, b)
		case b.label == "CERTIFICATE" || b.label == "X509 CERTIFICATE":
			c.certificate(&t, b)
		default:
			t.others = append(t.others, b)
		}
	}
	return t
}

// report adds a slip that makes the text faulty.
func (t *Text) report(rule *diag.Rule, b block, format string, args ...any) *diag.Slip {
	t.Faulty = true
	t.Slips = append(t.Slips, diag.Slip{Rule: rule, From: b.from, To: b.to, Summary: fmt.Sprintf(format, args...), Secret: b.secret()})
	return &t.Slips[len(t.Slips)-1]
}

func (c *Checker) certificate(t *Text, b block) {
	if !whole(t, b) {
		return
	}
	cert, err := x509.ParseCertificate(b.der)
	if err == nil {
		t.Certificates = append(t.Certificates, Certificate{Certificate: cert, From: b.from, To: b.to})
		return
	}
	why := strings.TrimPrefix(err.Error(), "x509: ")
	if strings.HasPrefix(why, "malformed") || strings.HasPrefix(why, "trailing") {
		t.report(rules.PEMContent, b, "the certificate is damaged: %s", why)
	} else {
		t.report(rules.PEMContent, b, "programs in Go refuse the certificate: %s", why).Severity = diag.Warning
	}
}

// maxKey is how many bytes a private key has at most: one of RSA with 8,192 bits, the most that TLS takes, has 4,700.
const maxKey = 6 << 10

func (c *Checker) key(t *Text, b block) {
	switch {
	case b.encrypted || b.label == "ENCRYPTED PRIVATE KEY":
		t.report(rules.PrivateKeyEncrypted, b, "the private key needs a passphrase")
		return
	case b.label == "OPENSSH PRIVATE KEY":
		t.report(rules.PrivateKeyType, b, "the private key is in OpenSSH's form, which TLS does not read").Detail = "ssh-keygen -p -m PKCS8 -f FILE converts it"
		return
	case b.label == "DSA PRIVATE KEY":
		t.report(rules.PrivateKeyType, b, "the private key is for DSA, which TLS has no more")
		return
	case !whole(t, b):
		return
	case len(b.der) > maxKey:
		t.report(rules.PrivateKeyType, b, "the private key is larger than any that TLS takes")
		return
	}
	key := Key{From: b.from, To: b.to}
	if c.keys++; c.keys > maxKeys {
		t.Keys = append(t.Keys, key)
		return
	}
	private, err := parseKey(b)
	if signer, ok := private.(crypto.Signer); ok && err == nil {
		key.Public = signer.Public()
		t.Keys = append(t.Keys, key)
		return
	}
	switch {
	case err == nil || strings.Contains(err.Error(), "unknown elliptic curve") || strings.Contains(err.Error(), "unknown algorithm"):
		t.report(rules.PrivateKeyType, b, "the private key is of a kind that few programs take").Severity = diag.Warning
		t.Keys = append(t.Keys, key)
	case strings.Contains(err.Error(), "insecure"):
		t.report(rules.PrivateKeyType, b, "the private key has less than 1,024 bits")
	case strings.Contains(err.Error(), "instead for this key format"):
		t.report(rules.PEMContent, b, "the private key is not what its first line calls it").Detail = "openssl pkey -in FILE writes it anew"
	default:
		t.report(rules.PEMContent, b, "the private key is damaged")
	}
}

// parseKey reads a private key of any form. What the error says is in Go's words, and has nothing of the key.
func parseKey(b block) (any, error) {
	switch b.label {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(b.der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(b.der)
	}
	return x509.ParsePKCS8PrivateKey(b.der)
}

// whole says that a block's bytes are one DER sequence, no more and no less, and reports it otherwise.
//
// Source: X.690 (2021), sections 8.1.3 and 10.1.
func whole(t *Text, b block) bool {
	what := "certificate"
	if b.secret() {
		what = "private key"
	}
	size, ok := sequence(b.der)
	switch {
	case !ok:
		t.report(rules.PEMContent, b, "what is in the block is no %s", what)
	case size > len(b.der):
		t.report(rules.PEMContent, b, "the %s is cut short: %d of its %d bytes are here", what, len(b.der), size)
	case size < len(b.der):
		t.report(rules.PEMContent, b, "%d bytes follow the %s in its block", len(b.der)-size, what)
	default:
		return true
	}
	return false
}

// sequence is how many bytes the sequence has that begins here, those that say so included.
func sequence(der []byte) (size int, ok bool) {
	if len(der) < 2 || der[0] != 0x30 {
		return 0, false
	}
	size, head := int(der[1]), 2
	if size >= 0x80 {
		n := size & 0x7f
		if n == 0 || n > 3 || len(der) < head+n {
			return 0, false
		}
		size = 0
		for _, b := range der[head : head+n] {
			size = size<<8 | int(b)
		}
		head += n
	}
	return head + size, true
}

// matches says that a public key is the other half of a private one, or that this cannot be known.
func (k Key) matches(public crypto.PublicKey) bool {
	half, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
	return !ok || public == nil || half.Equal(public)
}

// Matches says that the key belongs to one of certificates, or that this cannot be known.
func (k Key) Matches(certificates []Certificate) bool {
	for _, cert := range certificates {
		if k.matches(cert.PublicKey) {
			return true
		}
	}
	return len(certificates) == 0
}

// selfSigned says that a certificate names itself as its issuer.
func (c Certificate) selfSigned() bool { return string(c.RawIssuer) == string(c.RawSubject) }

// weak says in words what is weak about a certificate; "" if nothing is. The signature of a certificate on itself
// proves nothing and may be any.
func (c Certificate) weak() string {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < 2048 {
		return fmt.Sprintf("an RSA key of %d bits", key.N.BitLen())
	}
	if c.PublicKeyAlgorithm == x509.DSA {
		return "a DSA key"
	}
	if c.selfSigned() {
		return ""
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return "a signature with MD5"
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "a signature with SHA-1"
	}
	return ""
}

// issued says that a certificate has issued another: the names fit and the signature is right. A signature that Go
// does not check any more counts as right.
func (c *Checker) issued(issuer, child Certificate) bool {
	if string(issuer.RawSubject) != string(child.RawIssuer) {
		return false
	}
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > 8192 {
		return true
	}
	if c.signatures++; c.signatures > maxSignatures {
		return true
	}
	err := issuer.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	if _, insecure := err.(x509.InsecureAlgorithmError); insecure || err == x509.ErrUnsupportedAlgorithm {
		return true
	}
	return err == nil
}
