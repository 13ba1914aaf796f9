package schema

import (
	"fmt"
	"path"
	"strings"

	"cloudconfig/schema/certificate"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

func (d *decoder) readCertificates(m reader) {
	for i, item := range m.items("certificates") {
		if !d.bad[item] && item.Kind == yamltree.Mapping {
			d.readCertificate(d.mapping(item, At("certificates")), fmt.Sprintf("certificates[%d]", i))
		}
	}
}

func (d *decoder) readCertificate(m reader, at string) {
	crt := Certificate{
		At:      firstLine(m.n.Range),
		Name:    m.text("name"),
		Source:  m.word("source"),
		Owner:   m.text("owner"),
		Mode:    m.mode("mode"),
		KeyMode: m.mode("key_mode"),
		Reload:  m.texts("reload"),
	}
	if !crt.Source.Set {
		crt.Source.V = SourceInline
	}
	switch {
	case !crt.KeyMode.Set:
		crt.KeyMode.V = 0o600
	case crt.KeyMode.V&^0o640 != 0:
		f := d.reportAt(rules.PrivateKeyMode, join(at, "key_mode"), crt.KeyMode.At, "a private key cannot have the mode %04o", crt.KeyMode.V)
		f.Detail = `write "0600", or "0640" for a group`
	}
	for p := range certificate.Parts {
		part := &crt.Parts[p]
		part.Path, part.Content = m.text(p.String()+"_path"), m.secret(p.String())
		if part.Path.Set {
			part.Path.V = path.Clean(part.Path.V)
		}
		if n := m.node(p.String()); n != nil {
			d.checkCertificateContent(crt.Source.V, n, join(at, p.String()))
			if d.bad[n] {
				part.Content = Value[Secret]{}
			}
		}
	}
	d.checkCertificateKeys(m, crt, at)
	d.config.Certificates = append(d.config.Certificates, crt)
}

// checkCertificateContent checks that a value is what its source takes.
func (d *decoder) checkCertificateContent(from string, n *yamltree.Node, at string) {
	text := strings.TrimSpace(n.Value)
	key := strings.HasSuffix(at, ".key")
	switch {
	case text == "":
		d.reportAt(rules.CertificateIncomplete, at, firstLine(n.Range), "%s has no value", at).Severity = diag.Warning
		d.bad[n] = true
	case from == SourceInline && strings.HasPrefix(text, "/") && !strings.Contains(text, "\n"):
		d.report(rules.CertificateSource, at, n, "%s is a path, and the source is inline", at).Detail = "write source: file"
	case from == SourceInline && isPlaceholder(text) && !strings.Contains(text, "-----BEGIN"):
		d.placeholder(at, n)
	case from == SourceInline:
		d.keep(passage{path: at, node: n, text: n.Value})
	case strings.HasPrefix(text, "-----BEGIN"):
		f := d.report(rules.CertificateSource, at, n, "%s is PEM, and the source is file", at)
		f.Subject, f.Detail, f.Secret = firstLine(n.Range), "write source: inline, or leave source out", key
	default:
		d.checkFilePath(at, n)
	}
}

// checkCertificateKeys checks that what is given has a place, and a place something to put there.
func (d *decoder) checkCertificateKeys(m reader, crt Certificate, at string) {
	some := false
	for p := range certificate.Parts {
		content, place := m.found[p.String()], m.found[p.String()+"_path"]
		some = some || content != nil
		follows := p == certificate.Chain && m.found[certificate.Leaf.String()+"_path"] != nil
		switch {
		case content == nil && place != nil:
			d.reportAt(rules.CertificateIncomplete, join(at, p.String()+"_path"), place.Range, "there is no %q to put here", p)
		case content != nil && place == nil && crt.Source.V == SourceInline && !follows:
			d.reportAt(rules.CertificateIncomplete, join(at, p.String()), firstLine(content.Range), "%s needs %q", at, p.String()+"_path")
		}
	}
	if !some && crt.Name.Set {
		d.reportAt(rules.CertificateIncomplete, at, crt.At, "%s has neither certificate nor key nor ca", at)
	}
}
