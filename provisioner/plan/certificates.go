package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/certificate"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// certificates plans the files of certificates. What is in the configuration was checked with it; what comes from
// files of the machine is checked here, and nothing of it is written if it cannot work.
func (c *computation) certificates() {
	check := &certificate.Checker{Machine: c.Config.Machine(&c.Meta), Now: c.clock()}
	for i := range c.Config.Certificates {
		crt := &c.Config.Certificates[i]
		set, ok := c.certificateSet(check, crt)
		if !ok {
			continue
		}
		attr, ok := c.owner(crt.Owner, fsroot.Attr{Mode: crt.Mode.V})
		if !ok {
			continue
		}
		for _, want := range certificateFiles(crt, set, attr) {
			if want.Secret {
				want.Attr.Mode = crt.KeyMode.V
			}
			c.put(&want)
			if cl := c.claimAt(want.Path); cl != nil {
				cl.asked = firstRange(want.Why)
			}
		}
	}
}

// clock is the time that dates are held against: none if the machine's clock is behind the age of this program.
func (c *computation) clock() time.Time {
	if c.Facts.Now.Before(c.Facts.Built) {
		return time.Time{}
	}
	return c.Facts.Now
}

// certificateSet is the texts of an entry; ok is false if one of them cannot be used or is not known yet.
func (c *computation) certificateSet(check *certificate.Checker, crt *schema.Certificate) (set certificate.Set, ok bool) {
	if crt.Source.V != language.SourceFile {
		for p, part := range crt.Parts {
			set[p] = part.Content.V.Reveal()
		}
		return set, true
	}
	ok = true
	for p, part := range crt.Parts {
		if !part.Content.Set {
			continue
		}
		text, why := c.certificateText(relative(part.Content.V.Reveal()))
		if why != "" {
			c.report(rules.CertificateFile, part.Content.At, "%s: %s", part.Content.V.Reveal(), why)
		}
		set[p] = text
		ok = ok && text != ""
	}
	if !ok {
		return set, false
	}
	var found [certificate.Parts][]diag.Slip
	for _, f := range check.Check(set) {
		found[f.Part] = append(found[f.Part], f.Slip)
	}
	for p, slips := range found {
		ok = c.reportFile(crt.Parts[p].Content, set[p], slips) && ok
	}
	return set, ok
}

// certificateText is the content of a file as it will be, or why there is none. Both are empty if the file was not
// looked at yet.
func (c *computation) certificateText(p string) (text, why string) {
	p = c.resolve(p)
	s := c.see(p)
	data, ok := c.current(p)
	switch {
	case s.Kind == 0 && s.Fault == "":
		return "", ""
	case s.Fault != "":
		return "", s.Fault
	case !ok && s.Kind == fsroot.Absent:
		return "", "there is no such file"
	case !ok:
		return "", "it is not a regular file"
	case data == nil && s.Size > 0:
		return "", fmt.Sprintf("it has %d bytes, too many for a certificate", s.Size)
	case len(data) == 0:
		return "", "it is empty"
	}
	return string(data), ""
}

// reportFile reports what is wrong inside a file of the machine, all of it in one finding since it has one place.
// ok is false if anything is an error.
func (c *computation) reportFile(file schema.Value[schema.Secret], text string, slips []diag.Slip) (ok bool) {
	if len(slips) == 0 {
		return true
	}
	worst := diag.Info
	var words []string
	for _, s := range slips {
		severity := s.Severity
		if severity == 0 {
			severity = s.Rule.Severity
		}
		if s.Rule == rules.Placeholder {
			severity = diag.Error // there is nothing to write
		}
		worst = min(worst, severity)
		words = append(words, fmt.Sprintf("line %d: %s", 1+strings.Count(text[:s.From], "\n"), s.Summary))
	}
	d := c.report(rules.CertificateFile, file.At, "%s: %s", file.V.Reveal(), strings.Join(words, "; "))
	d.Severity = worst
	return worst != diag.Error
}

// certificateFiles are the files of an entry. What shares a path is in one file, the certificate first and then its
// chain, and a file with the key in it is as secret as the key.
func certificateFiles(crt *schema.Certificate, set certificate.Set, attr fsroot.Attr) []Change {
	var out []Change
	for p, part := range crt.Parts {
		place := part.Path
		if !place.Set && certificate.Part(p) == certificate.Chain {
			place = crt.Parts[certificate.Leaf].Path
		}
		if !place.Set || set[p] == "" {
			continue
		}
		i := slices.IndexFunc(out, func(w Change) bool { return w.Path == relative(place.V) })
		if i < 0 {
			i = len(out)
			out = append(out, Change{Kind: WriteFile, Path: relative(place.V), Attr: attr, Why: []source.Range{place.At}})
		}
		out[i].Data = append(out[i].Data, set[p]...)
		if !strings.HasSuffix(set[p], "\n") {
			out[i].Data = append(out[i].Data, '\n')
		}
		out[i].Secret = out[i].Secret || certificate.Part(p) == certificate.PrivateKey
	}
	return out
}

// reloads plans the units that take up new certificates: those of entries of which a file changes. A unit that is
// not running has nothing to take up, so these jobs come before any that starts it.
func (c *computation) reloads() {
	var jobs []Job
	for i := range c.Config.Certificates {
		crt := &c.Config.Certificates[i]
		changed := slices.ContainsFunc(crt.Parts[:], func(p schema.CertificatePart) bool {
			return p.Path.Set && c.changes(relative(p.Path.V))
		})
		for _, unit := range crt.Reload {
			switch f := c.find(unit.V); {
			case !f.exists():
				c.report(rules.CertificateReload, unit.At, "there is no unit %q to reload", unit.V)
			case changed && !f.masked && !slices.ContainsFunc(jobs, func(j Job) bool { return j.Unit == unit.V }):
				jobs = append(jobs, Job{Unit: unit.V, Action: "reload-or-try-restart", Once: true, Why: []source.Range{unit.At}})
			}
		}
	}
	c.plan.Jobs = append(jobs, c.plan.Jobs...)
}
