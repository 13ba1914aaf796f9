package trust

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cloudconfig/datasources/clock"
	"cloudconfig/schema/diag"
)

// Config is how servers are asked for a proof: chain, name and dates as always, by the policy's authorities and the
// time of a clock, and then the pins. A clock that shows less than can be is put right before it judges; if that
// fails, the time is that of the build. learnt is what Learn gave.
func (p Policy) Config(c *clock.Clock, learnt ...*x509.Certificate) *tls.Config {
	config := &tls.Config{
		RootCAs:    p.roots(learnt),
		MinVersion: tls.VersionTLS12,
		Time: func() time.Time {
			if c.IsBehind() {
				_ = c.Correct(context.Background()) // it has a bound of its own
			}
			return c.Now()
		},
	}
	if len(p.Pins) > 0 {
		config.VerifyConnection = p.checkPins
	}
	return config
}

// roots is nil for the system's authorities.
func (p Policy) roots(learnt []*x509.Certificate) *x509.CertPool {
	if len(p.CAs) == 0 && len(p.CADigests) == 0 {
		return nil
	}
	pool := x509.NewCertPool()
	if system, err := x509.SystemCertPool(); err == nil && p.System {
		pool = system
	}
	pool.AppendCertsFromPEM(p.CAs)
	for _, c := range learnt {
		pool.AddCert(c)
	}
	return pool
}

// Learn finds among the certificates of a server that did not verify one that CADigests name; nil if there is none.
func (p Policy) Learn(failed *tls.CertificateVerificationError) *x509.Certificate {
	for _, c := range failed.UnverifiedCertificates {
		if slices.Contains(p.CADigests, sha256.Sum256(c.Raw)) {
			return c
		}
	}
	return nil
}

// checkPins is asked only about servers whose certificate has verified.
func (p Policy) checkPins(s tls.ConnectionState) error {
	sum := sha256.Sum256(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if slices.Contains(p.Pins, sum) {
		return nil
	}
	return &Refusal{
		Problem: "the server's public key is sha256//" + base64.StdEncoding.EncodeToString(sum[:]) + ", which no pin is for",
		Cure:    "somebody is in between; or, if the server has a new key, give this pin (cloud-config-pin=)",
	}
}

// Explain says why the certificates of a host did not verify, and what to do. What is wrong beside the dates comes
// first: a certificate that is only too early is known by Early.
func (p Policy) Explain(failed *tls.CertificateVerificationError, host string, c *clock.Clock, learnt ...*x509.Certificate) *Refusal {
	certificates := failed.UnverifiedCertificates
	if len(certificates) == 0 {
		return &Refusal{Problem: "the server has no certificate", Cure: "give it one"}
	}
	leaf := certificates[0]
	from, until := leaf.NotBefore, leaf.NotAfter
	pool := x509.NewCertPool()
	for _, other := range certificates[1:] {
		pool.AddCert(other)
		if other.NotBefore.After(from) {
			from = other.NotBefore
		}
		if other.NotAfter.Before(until) {
			until = other.NotAfter
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.WithZone("").String()
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: p.roots(learnt), Intermediates: pool, DNSName: host, CurrentTime: from})
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case err == nil && c.Now().Before(from):
		return &Refusal{
			Problem: fmt.Sprintf("the clock is at %s, the certificate is valid from %s", clock.Print(c.Shown()), clock.Print(from)),
			Cure:    "set the clock, or name time servers in the settings of the image (ntp:)", Early: true,
		}
	case err == nil && c.Now().After(until):
		return &Refusal{
			Problem: fmt.Sprintf("the certificate expired: it was valid until %s, the clock is at %s", clock.Print(until), clock.Print(c.Shown())),
			Cure:    "renew the server's certificate, or set the clock if it is fast",
		}
	case errors.As(err, &unknown):
		return &Refusal{
			Problem: fmt.Sprintf("the certificate is signed by %s, which is no authority that is trusted here", issuer(certificates)),
			Cure:    "give the certificate of the authority (cloud-config-ca=), as a file or by its fingerprint",
		}
	case errors.As(err, &name):
		return &Refusal{
			Problem: fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), diag.Printable(host)),
			Cure:    "ask by a name that the certificate has, or give the server one for this name",
		}
	case err == nil:
		err = failed.Err
	}
	return &Refusal{Problem: diag.Printable(err.Error()), Cure: "give the server a certificate that is in order"}
}

// issuer is who signed the last certificate that the server sent.
func issuer(certificates []*x509.Certificate) string {
	last := certificates[len(certificates)-1]
	if last.CheckSignatureFrom(last) == nil || last.Subject.String() == last.Issuer.String() {
		return quote(last.Issuer.String()) + ", itself"
	}
	return quote(last.Issuer.String())
}

// names are those that a certificate is for, five at most.
func names(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	const most = 5
	switch {
	case len(all) == 0:
		return "no name"
	case len(all) > most:
		all = append(all[:most:most], "...")
	}
	for i := range all {
		all[i] = short(all[i])
	}
	return strings.Join(all, ", ")
}

func quote(s string) string { return `"` + short(s) + `"` }

// short is a text of others, printable and of a length to be read.
func short(s string) string {
	const most = 100
	s = strings.ToValidUTF8(s, "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return diag.Printable(s)
}
