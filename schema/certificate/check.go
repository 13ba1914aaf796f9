package certificate

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// Part is one of the four texts that belong together.
type Part int

// The parts of a set, in the order in which those that share a file are written: all but the key are public.
const (
	Leaf Part = iota
	Chain
	CA
	PrivateKey
	Parts // how many there are
)

// String is the key of the language.
func (p Part) String() string { return [...]string{"certificate", "chain", "ca", "key"}[p] }

// Set is a certificate with its chain, the CA that it leads to, and its private key: PEM, or "" where there is none.
type Set [Parts]string

// Finding is something wrong in one of the texts of a set.
type Finding struct {
	Part Part
	diag.Slip
}

// Check says everything that is wrong with a set, part after part.
func (c *Checker) Check(set Set) []Finding {
	s := checking{Checker: c}
	for p, text := range set {
		if s.there[p] = text != ""; s.there[p] {
			s.texts[p] = c.Parse(text)
			s.kinds(Part(p))
		}
	}
	s.leaf()
	s.chain()
	s.cas()
	sort.SliceStable(s.found, func(i, j int) bool {
		a, b := s.found[i], s.found[j]
		return a.Part < b.Part || a.Part == b.Part && a.From < b.From
	})
	return s.found
}

// checking is one Check.
type checking struct {
	*Checker
	there [Parts]bool
	texts [Parts]Text
	found []Finding
}

func (s *checking) report(rule *diag.Rule, p Part, from, to int, format string, args ...any) *diag.Slip {
	s.found = append(s.found, Finding{p, diag.Slip{Rule: rule, From: from, To: to, Summary: fmt.Sprintf(format, args...)}})
	return &s.found[len(s.found)-1].Slip
}

func (s *checking) at(rule *diag.Rule, p Part, cert Certificate, format string, args ...any) *diag.Slip {
	return s.report(rule, p, cert.From, cert.To, format, args...)
}

// kinds reports what does not belong into a part, or is not there.
func (s *checking) kinds(p Part) {
	t := s.texts[p]
	if t.der {
		d := s.report(rules.PEMSyntax, p, 0, 0, "this is DER, and what is written is PEM")
		d.Detail, d.Secret = "openssl x509 or openssl pkey with -inform der converts it", p == PrivateKey
		s.texts[p] = Text{Faulty: true}
		return
	}
	for _, slip := range t.Slips {
		s.found = append(s.found, Finding{p, slip})
	}
	for _, b := range t.others {
		s.report(rules.CertificateKind, p, b.from, b.to, "%s is no place for a block of %s", p, b.label)
	}
	if p == PrivateKey {
		for _, cert := range t.Certificates {
			s.at(rules.CertificateKind, p, cert, "a certificate where the private key belongs").Secret = true
		}
		for _, k := range t.Keys[min(1, len(t.Keys)):] {
			s.report(rules.CertificateKind, p, k.From, k.To, "a second private key").Secret = true
		}
		if len(t.Keys)+len(t.Certificates)+len(t.others) == 0 && !t.Faulty {
			s.report(rules.CertificateKind, p, 0, 0, "there is no private key in key").Secret = true
		}
		return
	}
	for _, k := range t.Keys {
		s.report(rules.PrivateKeyMisplaced, p, k.From, k.To, "a private key in %s", p).Secret = true
	}
	if len(t.Keys)+len(t.Certificates)+len(t.others) == 0 && !t.Faulty {
		s.report(rules.CertificateKind, p, 0, 0, "there is no certificate in %s", p)
	}
}

// leaf checks the certificate that the machine shows, and its key.
func (s *checking) leaf() {
	certs := s.texts[Leaf].Certificates
	if len(certs) == 0 {
		return
	}
	leaf := certs[0]
	if keys := s.texts[PrivateKey].Keys; len(keys) > 0 && !keys[0].matches(leaf.PublicKey) {
		d := s.at(rules.CertificateKeyMismatch, Leaf, leaf, "the private key is not that of this certificate")
		d.Detail = "give the key that it was requested with"
		for i, other := range certs[1:] {
			if keys[0].matches(other.PublicKey) {
				d.Detail = fmt.Sprintf("it is that of certificate %d here, which must come first", i+2)
			}
		}
	}
	s.dates(Leaf, leaf, diag.Error)
	s.weakness(Leaf, leaf)
	if leaf.IsCA && leaf.BasicConstraintsValid && s.there[PrivateKey] {
		d := s.at(rules.CertificateCA, Leaf, leaf, "the certificate is a CA's, not a server's or client's")
		d.Severity = diag.Warning
		if leaf.selfSigned() {
			d.Severity, d.Detail = diag.Info, "openssl req -x509 makes such a one; -addext basicConstraints=critical,CA:FALSE makes another"
		}
	}
	if isServer(leaf) {
		s.names(leaf)
	}
}

func (s *checking) weakness(p Part, cert Certificate) {
	if why := cert.weak(); why != "" {
		s.at(rules.CertificateWeak, p, cert, "the certificate has %s", why)
	}
}

// chain checks that each certificate is issued by the next, and the last by the CA.
func (s *checking) chain() {
	type link struct {
		Certificate
		part Part
	}
	var all []link
	for _, p := range [...]Part{Leaf, Chain} {
		for _, cert := range s.texts[p].Certificates {
			all = append(all, link{cert, p})
		}
	}
	for i, l := range all {
		if i > 0 || l.part == Chain {
			s.dates(l.part, l.Certificate, diag.Error)
			s.weakness(l.part, l.Certificate)
		}
	}
	if !s.there[Leaf] || s.texts[Leaf].Faulty || s.texts[Chain].Faulty || len(all) == 0 {
		return
	}
	path := all[:1:1]
	for rest := all[1:]; len(rest) > 0; {
		last := path[len(path)-1].Certificate
		next := slices.IndexFunc(rest, func(l link) bool { return s.issued(l.Certificate, last) })
		if next < 0 {
			for _, l := range rest {
				d := s.at(rules.CertificateChain, l.part, l.Certificate, "this certificate has issued none of those before it")
				d.Severity, d.Detail = diag.Warning, "the one before is issued by "+name(last.Issuer.String())
				if string(l.Raw) == string(path[0].Raw) {
					d.Detail = "it is the certificate itself again; leave it out"
				}
			}
			break
		}
		if next > 0 {
			d := s.at(rules.CertificateChain, rest[0].part, rest[0].Certificate, "the chain is out of order: the issuer of the certificate before this one comes later")
			d.Severity = diag.Warning
		}
		if issuer := rest[next]; !mayIssue(issuer.Certificate) {
			s.at(rules.CertificateCA, issuer.part, issuer.Certificate, "this certificate has issued another and is no CA")
		}
		path = append(path, rest[next])
		rest = slices.Delete(slices.Clone(rest), next, next+1)
	}
	roots := s.texts[CA]
	if len(roots.Certificates) == 0 || roots.Faulty {
		return
	}
	for _, l := range path {
		for _, root := range roots.Certificates {
			if string(root.Raw) == string(l.Raw) {
				return
			}
			if s.issued(root, l.Certificate) {
				if !mayIssue(root) {
					s.at(rules.CertificateCA, CA, root, "this certificate has issued another and is no CA")
				}
				return
			}
		}
	}
	last := path[len(path)-1]
	d := s.at(rules.CertificateChain, last.part, last.Certificate, "the certificate does not lead to the CA that is given")
	d.Detail = "it is issued by " + name(last.Issuer.String()) + "; give its certificate as chain if that is not the CA itself"
	for _, root := range roots.Certificates {
		if string(root.RawSubject) == string(last.RawIssuer) {
			d.Detail = "the CA has the name of the issuer, and another key: it was made anew"
		}
	}
}

// cas checks the CA certificates for themselves.
func (s *checking) cas() {
	certs := s.texts[CA].Certificates
	severity := diag.Error
	if len(certs) > 1 {
		severity = diag.Warning
	}
	for _, cert := range certs {
		s.dates(CA, cert, severity)
		s.weakness(CA, cert)
		if leaves := s.texts[Leaf].Certificates; !mayIssue(cert) && !slices.ContainsFunc(s.found, func(f Finding) bool {
			return f.Part == CA && f.Rule == rules.CertificateCA && f.From == cert.From
		}) && (len(leaves) == 0 || string(leaves[0].Raw) != string(cert.Raw)) {
			s.found = append(s.found, Finding{CA, notCA(cert)})
		}
	}
}

// notCA is what to say of a certificate that is to be trusted and is no CA. One that has signed itself vouches for
// itself, and some mean just that.
func notCA(cert Certificate) diag.Slip {
	d := diag.Slip{Rule: rules.CertificateCA, Severity: diag.Warning, From: cert.From, To: cert.To, Summary: "this certificate is no CA"}
	if cert.selfSigned() {
		d.Severity, d.Summary = diag.Info, "this certificate is no CA: it is trusted for itself alone"
	}
	return d
}

// mayIssue says that a certificate may issue others. Of version 1, which knows no constraints, one signed by
// itself may.
//
// Source: RFC 5280 section 4.2.1.9, and section 6.1.4 (k) and (n).
func mayIssue(c Certificate) bool {
	if c.Version < 3 {
		return c.selfSigned()
	}
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// soon is how much of a certificate's time is worth a warning.
const soon = 30 * 24 * time.Hour

// dates holds the dates of a certificate against the clock. bad is what one out of its time is.
func (s *checking) dates(p Part, cert Certificate, bad diag.Severity) {
	if slip, ok := s.Dates(cert); ok {
		if slip.Severity == 0 {
			slip.Severity = bad
		}
		s.found = append(s.found, Finding{p, slip})
	}
}

// Dates says whether a certificate is out of its time, or soon will be; ok is false if all is well.
func (c *Checker) Dates(cert Certificate) (slip diag.Slip, ok bool) {
	const day = "2006-01-02"
	slip = diag.Slip{From: cert.From, To: cert.To}
	left := cert.NotAfter.Sub(c.Now)
	switch {
	case c.Now.IsZero():
		return slip, false
	case left < 0:
		slip.Rule, slip.Summary = rules.CertificateExpired, "the certificate has expired on "+cert.NotAfter.UTC().Format(day)
	case c.Now.Before(cert.NotBefore):
		slip.Rule, slip.Summary = rules.CertificateNotYetValid, "the certificate is not valid before "+cert.NotBefore.UTC().Format(day)
		if cert.NotBefore.Sub(c.Now) <= 24*time.Hour {
			slip.Severity = diag.Warning
		}
	case left < soon && left < cert.NotAfter.Sub(cert.NotBefore)/3:
		slip.Rule, slip.Severity = rules.CertificateExpiresSoon, diag.Warning
		slip.Summary = "the certificate expires on " + cert.NotAfter.UTC().Format(day)
	default:
		return slip, false
	}
	return slip, true
}

// Trusted says everything that is wrong with a text of certificates that a whole system is to trust.
func (c *Checker) Trusted(text string) []diag.Slip {
	t := c.Parse(text)
	out := t.Slips
	add := func(d diag.Slip) { out = append(out, d) }
	for _, k := range t.Keys {
		add(diag.Slip{Rule: rules.PrivateKeyMisplaced, Severity: diag.Error, From: k.From, To: k.To, Summary: "a private key among the certificates to trust", Secret: true})
	}
	for _, b := range t.others {
		add(diag.Slip{Rule: rules.CertificateKind, From: b.from, To: b.to, Summary: "a block of " + b.label + " among the certificates to trust"})
	}
	if len(t.Certificates)+len(t.Keys)+len(t.others) == 0 && !t.Faulty {
		add(diag.Slip{Rule: rules.CertificateKind, Summary: "there is no certificate in this text"})
	}
	for _, cert := range t.Certificates {
		if slip, ok := c.Dates(cert); ok && slip.Rule != rules.CertificateExpiresSoon {
			add(slip)
		}
		if !mayIssue(cert) {
			add(notCA(cert))
		}
	}
	return out
}

// Machine is what is known of a machine: its names, and the addresses that are its own.
type Machine struct {
	Names     []string
	Addresses []netip.Addr
}

// isServer says that a certificate is one that a server shows.
//
// Source: RFC 5280 section 4.2.1.12.
func isServer(c Certificate) bool {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return !c.IsCA
	}
	return slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// names holds the names of a server's certificate against the machine's. If it has addresses and those of the
// machine are not known, nothing can be said. That localhost is covered says nothing either.
func (s *checking) names(leaf Certificate) {
	if len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses)+len(leaf.URIs) == 0 {
		s.at(rules.CertificateNoNames, Leaf, leaf, "the certificate has no subject alternative names")
		return
	}
	var shown []string
	service := true // all are full DNS names, which may be a service's
	for _, n := range leaf.DNSNames {
		if n != "localhost" && !strings.HasPrefix(n, "localhost.") {
			shown = append(shown, n)
			service = service && strings.Contains(n, ".")
		}
	}
	addresses := false
	for _, ip := range leaf.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok && !addr.IsLoopback() {
			addr = addr.Unmap()
			if slices.Contains(s.Machine.Addresses, addr) {
				return
			}
			addresses = true
			shown = append(shown, addr.String())
		}
	}
	if len(s.Machine.Names) == 0 || addresses && len(s.Machine.Addresses) == 0 || slices.ContainsFunc(s.Machine.Names, leaf.covers) {
		return
	}
	d := s.at(rules.CertificateNames, Leaf, leaf, "the certificate covers none of this machine's names")
	if service && !addresses && len(shown) > 0 {
		d.Severity = diag.Info
	}
	d.Detail = "the machine is " + list(s.Machine.Names) + "; the certificate is for " + list(shown)
	if len(shown) == 0 {
		d.Detail = "the machine is " + list(s.Machine.Names) + "; the certificate is for localhost alone"
	}
}

// covers says that a certificate is good for a name. Of a name without a domain it may be good in the domain that
// the machine finds itself in.
func (c Certificate) covers(host string) bool {
	if c.VerifyHostname(host) == nil {
		return true
	}
	return !strings.Contains(host, ".") && slices.ContainsFunc(c.DNSNames, func(n string) bool {
		label, _, _ := strings.Cut(n, ".")
		return label == "*" || strings.EqualFold(label, host)
	})
}

// list shows some names of many.
func list(names []string) string {
	const most = 4
	var out []string
	for _, n := range names[:min(most, len(names))] {
		out = append(out, name(n))
	}
	if len(names) > most {
		out = append(out, fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(out, ", ")
}

// name shows a name of the user's.
func name(text string) string {
	if len(text) > 100 {
		return fmt.Sprintf("%.100q...", text)
	}
	return fmt.Sprintf("%q", text)
}
