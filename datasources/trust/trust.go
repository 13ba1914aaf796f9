// Package trust says what makes a document trustworthy that came over a network which others can be on.
//
// A [Policy] is that of the image's owner, with what the kernel command line adds ([Policy.FromCommandLine]). It judges
// servers ([Policy.Config], [Policy.Explain]) and documents ([Policy.CheckDigest], [Policy.CheckSignature]). It fetches
// nothing; package remote does, and is the thing to call for a document.
package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudconfig/datasources/minisign"
)

// Proof is what shows where a document is from. Its text is in JSON and must not change. The empty one is of what
// needs none: a disk of the machine, or the platform's own channel.
type Proof string

// The proofs, from the weakest.
const (
	None      Proof = "none"      // nothing: the document is unauthenticated
	TLS       Proof = "tls"       // a certificate of the server's, for its name, by an authority that is trusted
	Pin       Proof = "pin"       // the same, and the server's key is one that was expected
	Digest    Proof = "digest"    // the document is the one that was expected
	Signature Proof = "signature" // it is signed by a key that is trusted
)

// Weakest is the proof of two things together.
func Weakest(a, b Proof) Proof {
	order := []Proof{None, TLS, Pin, Digest, Signature, ""}
	if slices.Index(order, a) < slices.Index(order, b) {
		return a
	}
	return b
}

// Refusal says that a server or a document is not what the policy asks for. Asking again does not change it.
type Refusal struct {
	Problem string // "the certificate is for a.example, not for b.example"
	Cure    string // what to do
	// Early says that the certificate is not valid yet by our clock, and that this is all that is wrong with it.
	Early bool
}

func (r *Refusal) Error() string { return r.Problem + "; " + r.Cure }

// Policy is what is asked of servers and documents. The zero value trusts servers that the system's authorities
// vouch for, and no document that comes without TLS.
type Policy struct {
	// CAs are certificates in PEM, and CADigests the SHA-256 of certificates that the server sends itself. If there is
	// any of either, they are trusted instead of the system's authorities.
	CAs       []byte
	CADigests [][sha256.Size]byte
	// System says that the system's authorities are trusted as well.
	System bool
	// Pins are the SHA-256 of public keys (SubjectPublicKeyInfo): that of the server's certificate must be one of
	// them. Chain and name are checked all the same.
	Pins [][sha256.Size]byte
	// Digest is that of the document; empty if any will do.
	Digest Sum
	// SignatureURL is where the signature is, absolute or relative to the document's; "" is beside it, with
	// ".minisig" at the end of its name. With one, the document must be signed.
	SignatureURL string
	// Signed says that every document must be signed.
	Signed bool
	// Keys are those that may sign.
	Keys []minisign.Key
	// Insecure takes documents over plain http and tftp that nothing vouches for.
	Insecure bool
}

// Sum is the digest of a document.
type Sum struct {
	Name string // "sha256" or "sha512"; "" is no digest
	Sum  string // the bytes
}

const maxList = 16

// Set takes one option, as the command line has it after "cloud-config-" and the settings below "trust": ca, pin,
// digest or sig. Those of which there may be several, ca and pin, are added to what there is. read gives the content
// of a file.
func (p *Policy) Set(name, value string, read func(path string) ([]byte, error)) error {
	if len(p.CADigests) >= maxList || len(p.Pins) >= maxList {
		return fmt.Errorf("more than %d of %s", maxList, name)
	}
	switch name {
	case "ca":
		return p.addCA(value, read)
	case "pin":
		for pin := range strings.SplitSeq(value, ";") {
			rest, ok := strings.CutPrefix(pin, "sha256//")
			sum := decode(rest, sha256.Size)
			if !ok || sum == nil {
				return errors.New("a pin has the form sha256//BASE64, as curl takes it")
			}
			p.Pins = append(p.Pins, [sha256.Size]byte(sum))
		}
	case "digest":
		kind, rest, _ := strings.Cut(strings.Replace(value, ":", "-", 1), "-")
		size := map[string]int{"sha256": sha256.Size, "sha512": sha512.Size}[kind]
		sum := decode(rest, size)
		if size == 0 || sum == nil {
			return errors.New("a digest has the form sha256-DIGEST or sha512-DIGEST, in hexadecimal or base64")
		}
		p.Digest = Sum{kind, string(sum)}
	case "sig":
		if value == "" {
			return errors.New("it is empty; it is the URL of a signature")
		}
		p.SignatureURL = value
	}
	return nil
}

// addCA takes the path of a file of certificates, or sha256: and the fingerprint of one.
func (p *Policy) addCA(value string, read func(path string) ([]byte, error)) error {
	if rest, ok := strings.CutPrefix(value, "sha256:"); ok {
		sum := decode(strings.ReplaceAll(rest, ":", ""), sha256.Size)
		if sum == nil {
			return errors.New("the fingerprint of a CA has the form sha256:HEX")
		}
		p.CADigests = append(p.CADigests, [sha256.Size]byte(sum))
		return nil
	}
	if !strings.HasPrefix(value, "/") {
		return errors.New("a CA is the absolute path of a file, or sha256:HEX, its fingerprint")
	}
	text, err := read(value)
	if err != nil {
		return err
	}
	var certificates int
	for rest := text; ; certificates++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return fmt.Errorf("%s has a block that is no certificate", value)
		}
	}
	if certificates == 0 {
		return fmt.Errorf("%s has no certificate in PEM", value)
	}
	p.CAs = append(append(bytes.Clone(p.CAs), text...), '\n')
	return nil
}

// decode reads so many bytes in hexadecimal or base64; nil if it is neither.
func decode(text string, size int) []byte {
	for _, read := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString,
	} {
		if data, err := read(text); err == nil && len(data) == size {
			return data
		}
	}
	return nil
}

// FromCommandLine is the policy with what the words of the kernel command line say: cloud-config-ca=,
// cloud-config-pin=, cloud-config-digest= and cloud-config-sig=, with hyphens or underscores; other words are passed
// over. What they say of one of these takes the place of what the settings say of it. Nothing there can make a document
// do with less than the settings ask for: Signed, Keys and Insecure are the image's alone.
func (p Policy) FromCommandLine(words []string, read func(path string) ([]byte, error)) (Policy, error) {
	seen := map[string]bool{}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		name, ok := strings.CutPrefix(strings.ReplaceAll(key, "_", "-"), "cloud-config-")
		if !ok || !slices.Contains([]string{"ca", "pin", "digest", "sig"}, name) {
			continue
		}
		if !seen[name] {
			seen[name] = true
			p.drop(name)
		}
		if err := p.Set(name, value, read); err != nil {
			return p, fmt.Errorf("%s= on the kernel command line: %w", key, err)
		}
	}
	return p, nil
}

func (p *Policy) drop(name string) {
	switch name {
	case "ca":
		p.CAs, p.CADigests = nil, nil
	case "pin":
		p.Pins = nil
	}
}

// Beside is the policy for another file of the same place: all but the digest, and the signature is beside it.
func (p Policy) Beside() Policy {
	p.Signed = p.Signed || p.SignatureURL != ""
	p.Digest, p.SignatureURL = Sum{}, ""
	return p
}

// Elsewhere is the policy for what a document names at another host: no pin, which is that of one server, and the
// system's authorities as well, since others there have never heard of ours.
func (p Policy) Elsewhere() Policy {
	p = p.Beside()
	p.Pins, p.System = nil, true
	return p
}

// NeedsSignature says that a document must be signed; overTLS, that a server's certificate vouches for it.
func (p Policy) NeedsSignature(overTLS bool) bool {
	return p.Signed || p.SignatureURL != "" || !overTLS && p.Digest.Name == "" && len(p.Keys) > 0 && !p.Insecure
}

// CheckDigest says that a document is not the one that was expected, as a *[Refusal].
func (p Policy) CheckDigest(document []byte) error {
	var sum []byte
	switch p.Digest.Name {
	case "":
		return nil
	case "sha256":
		digest := sha256.Sum256(document)
		sum = digest[:]
	default:
		digest := sha512.Sum512(document)
		sum = digest[:]
	}
	if string(sum) == p.Digest.Sum {
		return nil
	}
	return &Refusal{
		Problem: fmt.Sprintf("the %s of the %d bytes is %x, not %x", p.Digest.Name, len(document), sum, p.Digest.Sum),
		Cure:    "put back the document that was meant, or give the digest of this one (cloud-config-digest=)",
	}
}

// CheckSignature says that a document is not signed by one of the keys, as a *[Refusal].
func (p Policy) CheckSignature(document, signature []byte) error {
	_, _, err := minisign.Verify(p.Keys, document, signature)
	if err == nil {
		return nil
	}
	cure := "sign the document again (minisign -S -m FILE)"
	if errors.Is(err, minisign.ErrUnknownKey) {
		cure = "sign it with a key of this image, or put the public key into /etc/provisioner/NAME.pub"
	}
	return &Refusal{Problem: err.Error(), Cure: cure}
}

// Unauthenticated is the refusal of a document that nothing vouches for.
func (p Policy) Unauthenticated() error {
	return &Refusal{
		Problem: "nothing shows that it is from whom it should be",
		Cure:    "use https, give its digest (cloud-config-digest=), or sign it; or let the settings of the image say trust: {insecure: yes}",
	}
}

// ReadFile reads files below a root, for [Policy.FromCommandLine].
func ReadFile(root string) func(path string) ([]byte, error) {
	const limit = 1 << 20
	return func(path string) ([]byte, error) {
		path = filepath.Join(root, filepath.Clean("/"+path))
		info, err := os.Stat(path) // before it is opened, since nobody may write to a FIFO
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > limit {
			return nil, fmt.Errorf("%s is not a file of at most %d KiB", path, limit>>10)
		}
		return os.ReadFile(path)
	}
}
