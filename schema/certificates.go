package schema

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/certificate"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
	"cloudconfig/schema/yamltree"
)

func (d *decoder) readCertificates(m reader) {
	for i, item := range m.items("certificates") {
		if !d.bad[item] && item.Kind == yamltree.Mapping {
			d.readCertificate(d.mapping(item, shapeOf("certificates")), fmt.Sprintf("certificates[%d]", i))
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
		isFilePath(&d.checker, at, n)
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

// checkCertificates checks what certificates are inside, everywhere in the configuration, and against each other.
func (d *decoder) checkCertificates(in Input) {
	check := &certificate.Checker{Now: in.Now}
	if len(d.config.Certificates) > 0 {
		check.Machine = d.config.Machine(in.Meta)
	}
	names := map[string]source.Range{}
	paths := map[string]source.Range{}
	for _, f := range d.config.Files {
		if f.Path.Set {
			paths[f.Path.V] = f.Path.At
		}
	}
	for i := range d.config.Certificates {
		crt := &d.config.Certificates[i]
		if crt.Name.Set {
			d.once(names, crt.Name.V, crt.Name.At, "certificate %q is there twice", crt.Name.V)
		}
		for p, part := range crt.Parts {
			if part.Path.Set && !crt.sharesFile(certificate.Part(p)) {
				d.once(paths, part.Path.V, part.Path.At, "file %q is written twice", part.Path.V)
			}
		}
		if crt.Source.V == SourceInline {
			d.checkInline(check, crt)
		}
	}
	d.checkPEMFiles(check)
	for i, v := range d.config.System.CACerts.Trusted {
		found := check.Trusted(v.V)
		for j := range found {
			if found[j].Severity == 0 {
				found[j].Severity = diag.Warning
			}
		}
		d.slips(d.passageOf(v, fmt.Sprintf("ca_certs.trusted[%d]", i)), found)
	}
}

// sharesFile says that a part goes into the file of an earlier one: chain and key may follow the certificate.
func (c *Certificate) sharesFile(p certificate.Part) bool {
	leaf, chain := c.Parts[certificate.Leaf].Path, c.Parts[certificate.Chain].Path
	here := c.Parts[p].Path.V
	return (p == certificate.Chain || p == certificate.PrivateKey) && leaf.Set && leaf.V == here ||
		p == certificate.PrivateKey && chain.Set && chain.V == here
}

// checkInline checks the texts of an item. One that is a placeholder counts as not written.
func (d *decoder) checkInline(check *certificate.Checker, crt *Certificate) {
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
		d.slips(d.passages[part.Content.At], slips)
		if slices.ContainsFunc(slips, func(s diag.Slip) bool { return s.Rule == rules.Placeholder }) {
			part.Content = Value[Secret]{}
		}
	}
}

// checkPEMFiles checks certificates and keys among the contents of write_files. They are for programs that we do
// not know, so nothing here is more than a warning: what cannot be read, what has expired, and a key beside a
// certificate of the same name that is not its own.
func (d *decoder) checkPEMFiles(check *certificate.Checker) {
	type found struct {
		passage
		certificate.Text
	}
	keys, certs := map[string]found{}, map[string][]found{}
	var order []string
	for _, f := range d.config.Files {
		p, ok := d.passages[f.Content.At]
		if !ok || !isPEMFile(f.Path.V, p.text) || path.Base(f.Path.V) == "authorized_keys" {
			continue
		}
		t := check.Parse(p.text)
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
		d.slips(p, slips)
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
		d.slips(pair[0].passage, []diag.Slip{{
			Rule: rules.CertificateKeyMismatch, Severity: diag.Warning, From: first.From, To: first.To,
			Summary: "the private key " + strings.TrimSuffix(key.path, ".content") + " is not that of this certificate",
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
func (d *decoder) passageOf(v Value[string], at string) passage {
	n := &yamltree.Node{Kind: yamltree.Scalar, Value: v.V, Range: v.At}
	if f := d.files[v.At.File]; f != nil && v.At.Start.Offset < len(f.Bytes) {
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
	return passage{path: at, node: n, text: v.V}
}

// Machine is what the configuration, and the metadata if there is any, say of the machine's own names and addresses.
// What stands for a variable is known from the metadata alone.
func (c *Config) Machine(meta *Metadata) certificate.Machine {
	var m certificate.Machine
	name := func(n string) {
		if n = strings.TrimSuffix(n, "."); n != "" && ValidHostname(n) && !slices.Contains(m.Names, n) {
			m.Names = append(m.Names, n)
		}
	}
	address := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && !a.IsLoopback() && !a.IsUnspecified() {
			m.Addresses = append(m.Addresses, a.Unmap().WithZone(""))
		}
	}
	name(c.Hostname.V)
	name(c.System.FQDN.V)
	if meta != nil {
		name(meta.Hostname)
		for _, a := range []string{meta.PublicIPv4, meta.PrivateIPv4, meta.PublicIPv6, meta.PrivateIPv6} {
			address(a)
		}
	}
	for _, agent := range c.Agents {
		for _, s := range agent.Settings {
			if isOwnAddress(s.Key) {
				for _, item := range strings.Split(s.Value.V, ",") {
					address(hostNamed(strings.TrimSpace(item)))
				}
			}
		}
	}
	for _, u := range c.Units {
		if !strings.HasSuffix(u.Name.V, ".network") {
			continue
		}
		sections, _ := unitfile.Parse(u.Content.V)
		for _, section := range sections {
			for _, directive := range section.Directives {
				if directive.Name == "Address" {
					a, _, _ := strings.Cut(directive.Value, "/")
					address(a)
				}
			}
		}
	}
	return m
}

// isOwnAddress says that an agent's setting of this name is an address of the machine itself.
func isOwnAddress(key string) bool {
	switch key {
	case "advertise_client_urls", "initial_advertise_peer_urls", "listen_client_urls", "listen_peer_urls",
		"addr", "bind_addr", "peer_addr", "peer_bind_addr", "public_ip":
		return true
	}
	return false
}

// hostNamed is the host of a URL, or of an address with or without a port.
func hostNamed(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Hostname()
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().String()
	}
	return text
}
