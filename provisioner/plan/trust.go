package plan

import (
	"encoding/pem"
	"fmt"
	"path"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// trustStore is where a distribution keeps the authorities that an administrator adds.
type trustStore struct {
	dir string
	// ext is how the name of a certificate ends, or it is passed over.
	ext string
	// program makes the store anew.
	program string
	// made is where the program makes a link to each certificate, "" if it makes none.
	made string
}

const (
	updateCerts = "update-ca-certificates"
	updateTrust = "update-ca-trust"
	// certsConf lists the certificates of Debian's packages; a line that begins with "!" deselects one.
	certsConf = "etc/ca-certificates.conf"
	certsDir  = "usr/local/share/ca-certificates"
	bundles   = "etc/ssl/certs"
)

// trustStore finds out whose the machine is.
//
// Source: update-ca-trust(8) of Fedora 40 and of Arch, update-ca-certificates(8) of Debian 12, of openSUSE 15
// and of Flatcar 3815.
func (c *computation) trustStore() (trustStore, bool) {
	certs, trust := c.program(updateCerts), c.program(updateTrust)
	for _, s := range []trustStore{
		{dir: "etc/pki/ca-trust/source/anchors", ext: ".pem", program: trust},
		{dir: "etc/ca-certificates/trust-source/anchors", ext: ".pem", program: trust},
		{dir: "etc/pki/trust/anchors", ext: ".pem", program: certs},
	} {
		if s.program != "" && c.isDirectory(s.dir) {
			return s, true
		}
	}
	switch {
	case certs == "":
		return trustStore{}, false
	case c.isThere(certsConf) || c.isDirectory(certsDir):
		return trustStore{dir: certsDir, ext: ".crt", program: certs, made: bundles}, true
	}
	return trustStore{dir: bundles, ext: ".pem", program: certs}, c.isDirectory(bundles)
}

// program is the absolute path of a program of the distribution, "" if it is not there.
func (c *computation) program(name string) string {
	for _, dir := range []string{"usr/sbin/", "usr/bin/", "sbin/", "bin/"} {
		if c.isThere(dir + name) {
			return "/" + dir + name
		}
	}
	return ""
}

// caCerts plans the authorities that the whole system trusts, a file for each certificate. What programs read is
// made of them by the distribution's own program, which runs after the commit: if something changed, or if what
// it makes is not there.
func (c *computation) caCerts() {
	ca := c.Config.System.CACerts
	if len(ca.Trusted) == 0 && !ca.RemoveDefaults.V {
		return
	}
	at := ca.RemoveDefaults.At
	if len(ca.Trusted) > 0 {
		at = ca.Trusted[0].At
	}
	store, ok := c.trustStore()
	if !ok {
		c.report(rules.TrustStoreMissing, at, "neither %s nor %s is on this machine: ca_certs is not applied", updateCerts, updateTrust)
		return
	}
	var why []source.Range
	var inputs []byte
	stale := false
	add := func(change *Change) {
		c.put(change)
		inputs = append(inputs, change.Data...)
		why = append(why, change.Why...)
		stale = stale || c.changes(change.Path)
	}
	n := 0
	for _, v := range ca.Trusted {
		for _, text := range certificates(v) {
			n++
			name := fmt.Sprintf("provisioner-%d", n)
			add(&Change{
				Kind: WriteFile, Path: path.Join(store.dir, name+store.ext), Attr: fsroot.Attr{Mode: 0o644}, Data: text, Why: []source.Range{v.At},
			})
			stale = stale || store.made != "" && !c.isThere(path.Join(store.made, name+".pem"))
		}
	}
	if ca.RemoveDefaults.V {
		if old, attr, there := c.shared(certsConf); there && store.dir == certsDir {
			text, records := deselect(old, ca.RemoveDefaults.At)
			// Which of them others had deselected is not known, so it is as if it had been there before.
			c.hold(c.resolve(certsConf), CertificateForm, "certificates of the distribution", "", new(string))
			add(&Change{
				Kind: WriteFile, Path: c.resolve(certsConf), Attr: attr, Data: text, Records: records, Why: []source.Range{ca.RemoveDefaults.At},
			})
		} else {
			c.report(rules.TrustDefaultsKept, ca.RemoveDefaults.At, "the authorities that this distribution trusts stay")
		}
	}
	if !stale {
		return
	}
	c.plan.Commands = append(c.plan.Commands, Command{Argv: []string{store.program}, Inputs: Digest(inputs), Why: unique(why)})
	if !c.Facts.Live {
		c.report(rules.TrustRefresh, at, "run %s below this root before the certificates are needed", store.program)
	}
}

// certificates are those in a text, each as PEM of its own: the programs take one from a file. A text without
// any is left as it is; the decoder reports it.
func certificates(v schema.Value[string]) (out [][]byte) {
	for rest := []byte(v.V); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
	}
	if len(out) == 0 {
		return [][]byte{[]byte(strings.TrimRight(v.V, "\n") + "\n")}
	}
	return out
}

// deselect marks every certificate of a certsConf as one that is not trusted.
func deselect(text []byte, at source.Range) ([]byte, []Record) {
	var out strings.Builder
	n := 0
	for line := range strings.Lines(string(text)) {
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' && t[0] != '!' {
			out.WriteByte('!')
			n++
		}
		out.WriteString(line)
	}
	if n == 0 {
		return text, []Record{} // never nil: the file is shared even if nothing of ours changes
	}
	return []byte(out.String()), []Record{{
		Name: "certificates of the distribution", Action: "changed", Detail: count(n, "certificate") + " not trusted", Why: []source.Range{at},
	}}
}
