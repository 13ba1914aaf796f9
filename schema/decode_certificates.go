package schema

import (
	"fmt"
	"path"
	"strings"

	"cloudconfig/schema/certificate"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

func (d *decoder) readCertificates(m reader) {
	for i, item := range m.items("certificates") {
		if !d.Bad[item] && item.Kind == yamltree.Mapping {
			d.readCertificate(d.mapping(item, language.At("certificates")), fmt.Sprintf("certificates[%d]", i))
		}
	}
}

func (d *decoder) readCertificate(m reader, at string) {
	crt := Certificate{
		At:      findings.FirstLine(m.n.Range),
		Name:    m.text("name"),
		Source:  m.word("source"),
		Owner:   m.text("owner"),
		Mode:    m.mode("mode"),
		KeyMode: m.mode("key_mode"),
		Reload:  m.texts("reload"),
	}
	if !crt.Source.Set {
		crt.Source.V = language.SourceInline
	}
	switch {
	case !crt.KeyMode.Set:
		crt.KeyMode.V = 0o600
	case crt.KeyMode.V&^0o640 != 0:
		f := d.ReportAt(rules.PrivateKeyMode, language.Join(at, "key_mode"), crt.KeyMode.At, "a private key cannot have the mode %04o", crt.KeyMode.V)
		f.Detail = `write "0600", or "0640" for a group`
	}
	for p := range certificate.Parts {
		part := &crt.Parts[p]
		part.Path, part.Content = m.text(p.String()+"_path"), m.secret(p.String())
		if part.Path.Set {
			part.Path.V = path.Clean(part.Path.V)
		}
		if n := m.node(p.String()); n != nil {
			d.checkCertificateContent(crt.Source.V, n, language.Join(at, p.String()))
			if d.Bad[n] {
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
		d.ReportAt(rules.CertificateIncomplete, at, findings.FirstLine(n.Range), "%s has no value", at).Severity = diag.Warning
		d.Bad[n] = true
	case from == language.SourceInline && strings.HasPrefix(text, "/") && !strings.Contains(text, "\n"):
		d.Report(rules.CertificateSource, at, n, "%s is a path, and the source is inline", at).Detail = "write source: file"
	case from == language.SourceInline && language.IsPlaceholder(text) && !strings.Contains(text, "-----BEGIN"):
		d.Placeholder(at, n)
	case from == language.SourceInline:
		d.Keep(findings.Passage{Path: at, Node: n, Text: n.Value})
	case strings.HasPrefix(text, "-----BEGIN"):
		f := d.Report(rules.CertificateSource, at, n, "%s is PEM, and the source is file", at)
		f.Subject, f.Detail, f.Secret = findings.FirstLine(n.Range), "write source: inline, or leave source out", key
	default:
		d.CheckFilePath(at, n)
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
			d.ReportAt(rules.CertificateIncomplete, language.Join(at, p.String()+"_path"), place.Range, "there is no %q to put here", p)
		case content != nil && place == nil && crt.Source.V == language.SourceInline && !follows:
			d.ReportAt(rules.CertificateIncomplete, language.Join(at, p.String()), findings.FirstLine(content.Range), "%s needs %q", at, p.String()+"_path")
		}
	}
	if !some && crt.Name.Set {
		d.ReportAt(rules.CertificateIncomplete, at, crt.At, "%s has neither certificate nor key nor ca", at)
	}
}
