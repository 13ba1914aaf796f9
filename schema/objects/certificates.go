package objects

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloudconfig/schema/certificate"
	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// checkCertificates checks what certificates are inside, everywhere in the configuration, and against each other.
func (w *world) checkCertificates(now time.Time, meta *config.Metadata) {
	check := &certificate.Checker{Now: now}
	if len(w.config.Certificates) > 0 {
		check.Machine = w.config.Machine(meta)
	}
	names := map[string]source.Range{}
	paths := map[string]source.Range{}
	for i := range w.config.Files {
		f := &w.config.Files[i]
		if f.Path.Set {
			paths[f.Path.V] = f.Path.At
		}
	}
	for i := range w.config.Certificates {
		crt := &w.config.Certificates[i]
		if crt.Name.Set {
			w.once(names, crt.Name.V, crt.Name.At, "certificate %q is there twice", crt.Name.V)
		}
		for p, part := range crt.Parts {
			if part.Path.Set && !sharesFile(crt, certificate.Part(p)) {
				w.once(paths, part.Path.V, part.Path.At, "file %q is written twice", part.Path.V)
			}
		}
		if crt.Source.V == language.SourceInline {
			w.checkInline(check, crt)
		}
	}
	w.checkPEMFiles(check)
	for i, v := range w.config.System.CACerts.Trusted {
		found := check.Trusted(v.V)
		for j := range found {
			if found[j].Severity == 0 {
				found[j].Severity = diag.Warning
			}
		}
		w.Slips(w.passageOf(v, fmt.Sprintf("ca_certs.trusted[%d]", i)), found)
	}
}

// sharesFile says that a part goes into the file of an earlier one: chain and key may follow the certificate.
func sharesFile(c *config.Certificate, p certificate.Part) bool {
	leaf, chain := c.Parts[certificate.Leaf].Path, c.Parts[certificate.Chain].Path
	here := c.Parts[p].Path.V
	return (p == certificate.Chain || p == certificate.PrivateKey) && leaf.Set && leaf.V == here ||
		p == certificate.PrivateKey && chain.Set && chain.V == here
}

// checkInline checks the texts of an item. One that is a placeholder counts as not written.
func (w *world) checkInline(check *certificate.Checker, crt *config.Certificate) {
	var set certificate.Set
	for p, part := range crt.Parts {
		set[p] = part.Content.V.Reveal()
	}
	var found [certificate.Parts][]diag.Slip
	for _, f := range check.Check(set) {
		found[f.Part] = append(found[f.Part], f.Slip)
	}
	for p, slips := range found {
		part := &crt.Parts[p]
		w.Slips(w.Passages[part.Content.At], slips)
		if slices.ContainsFunc(slips, func(s diag.Slip) bool { return s.Rule == rules.Placeholder }) {
			part.Content = config.Value[config.Secret]{}
		}
	}
}

// checkPEMFiles checks certificates and keys among the contents of write_files. They are for programs that we do
// not know, so nothing here is more than a warning: what cannot be read, what has expired, and a key beside a
// certificate of the same name that is not its own.
func (w *world) checkPEMFiles(check *certificate.Checker) {
	type found struct {
		findings.Passage
		certificate.Text
	}
	keys, certs := map[string]found{}, map[string][]found{}
	var order []string
	for i := range w.config.Files {
		f := &w.config.Files[i]
		p, ok := w.Passages[f.Content.At]
		if !ok || !isPEMFile(f.Path.V, p.Text) || path.Base(f.Path.V) == "authorized_keys" {
			continue
		}
		t := check.Parse(p.Text)
		slips := slices.DeleteFunc(t.Slips, func(s diag.Slip) bool {
			return s.Rule == rules.PrivateKeyEncrypted || s.Rule == rules.PrivateKeyType
		})
		for _, cert := range t.Certificates {
			if slip, ok := check.Dates(cert); ok && slip.Rule == rules.CertificateExpired {
				slips = append(slips, slip)
			}
		}
		for i := range slips {
			slips[i].Severity = diag.Warning
		}
		w.Slips(p, slips)
		base := pairName(f.Path.V)
		if len(t.Certificates) > 0 {
			certs[base] = append(certs[base], found{p, t})
		}
		if _, there := keys[base]; len(t.Keys) > 0 && !there {
			keys[base] = found{p, t}
			order = append(order, base)
		}
	}
	for _, base := range order {
		key, pair := keys[base], certs[base]
		if len(pair) == 0 || slices.ContainsFunc(pair, func(f found) bool {
			return slices.ContainsFunc(key.Keys, func(k certificate.Key) bool { return k.Matches(f.Certificates) })
		}) {
			continue
		}
		first := pair[0].Certificates[0]
		w.Slips(pair[0].Passage, []diag.Slip{{
			Rule: rules.CertificateKeyMismatch, Severity: diag.Warning, From: first.From, To: first.To,
			Summary: "the private key " + strings.TrimSuffix(key.Path, ".content") + " is not that of this certificate",
		}})
	}
}

// isPEMFile says that a file is for certificates or keys, by its name and by what is in it.
func isPEMFile(name, text string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	if strings.HasPrefix(text, "-----BEGIN") {
		return true
	}
	switch path.Ext(name) {
	case ".pem", ".crt", ".key", ".cert", ".cer":
		return strings.Contains(text, "-----BEGIN") || strings.HasPrefix(text, "\x30\x82")
	case ".der":
		return strings.HasPrefix(text, "\x30\x82")
	}
	return false
}

// pairName is what the path of a key and that of its certificate have in common: "/etc/ssl/web" of web.key,
// web-key.pem, web.crt and web-cert.pem, and "/etc/ssl/" of key.pem and cert.pem.
func pairName(name string) string {
	dir, base := path.Split(name)
	base = strings.TrimSuffix(base, path.Ext(base))
	for _, word := range [...]string{"key", "cert", "crt"} {
		if stem, ok := strings.CutSuffix(base, word); ok && (stem == "" || strings.HasSuffix(stem, "-") || strings.HasSuffix(stem, "_") || strings.HasSuffix(stem, ".")) {
			return dir + strings.TrimRight(stem, "-_.")
		}
	}
	return dir + base
}

// passageOf is a value as a passage, whoever has read it.
func (w *world) passageOf(v config.Value[string], at string) findings.Passage {
	n := &yamltree.Node{Kind: yamltree.Scalar, Value: v.V, Range: v.At}
	if f := w.Sources[v.At.File]; f != nil && v.At.Start.Offset < len(f.Bytes) {
		switch f.Bytes[v.At.Start.Offset] {
		case '|':
			n.Style = yamltree.Literal
		case '>':
			n.Style = yamltree.Folded
		case '"':
			n.Style = yamltree.DoubleQuoted
		case '\'':
			n.Style = yamltree.SingleQuoted
		}
	}
	return findings.Passage{Path: at, Node: n, Text: v.V}
}
