// Package detect says which datasources a machine has, and why: from what names them, and else from what firmware and
// disks say of the platform. It contacts nobody.
//
// [Detect] is the thing to call. What is not identified for certain is no candidate: a metadata service at a well-known
// address of the link may be anybody's.
package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/datasources/machine"
)

// Evidence is what a decision is made from.
type Evidence struct {
	Machine *machine.Machine
	// Sources are the names of all datasources, in the order of their priority.
	Sources []string
	// Settings are the datasources that the settings of the image name, as --datasource takes them.
	Settings []string
	// Disks lists the disks that have a label. It is called only where a disk may decide; nil means that there are none.
	Disks func() ([]Disk, error)
	// Seed is the directory below the root that has a NoCloud seed, as --datasource takes it; "" if none has. Whoever could
	// write it could write anything on the machine.
	Seed string
	// Removable says that a disk which somebody can plug in counts too.
	Removable bool
}

// Disk is a disk, or a part of one, with a label.
type Disk struct {
	Name      string // "sr0", "vdb1"
	Label     string // as it is written there
	Removable bool   // somebody without the rights of an administrator can plug it in
}

// Candidate is a datasource, and why it is asked or not.
type Candidate struct {
	// Spec is as --datasource takes it: "ec2", "nocloud=http://10.0.0.1/seed/". It may have a secret in its URL.
	Spec   string
	Reason string
}

// Result is the decision.
type Result struct {
	// Platform is what the machine runs on, in words: "Amazon EC2"; "" if that is not known. Because is what told it.
	Platform, Because string
	// Named says that somebody names the candidates: the settings, the command line, a credential. They are not guessed
	// from what the machine is.
	Named bool
	// Candidates are to be asked in this order.
	Candidates []Candidate
	// Rejected are all others, in the order of their priority, after those that were named in vain.
	Rejected []Candidate
}

// Detect decides. Whoever names datasources decides alone, in this order: the settings; provisioner.datasource= on the
// kernel command line; cloud-config-url= and ds= there; provisioner.datasource= as SMBIOS string or credential; ds= in
// the serial number. Where nobody does, the candidates are those of which a disk has the label or the root the seed, and
// the one that DMI identifies, in the order of e.Sources. In a container and without DMI there is only the seed.
//
// The error is one of e.Disks.
func Detect(e Evidence) (Result, error) {
	r := Naming(e)
	var p platform
	p, r.Because = identify(e.Machine.DMI)
	r.Platform = p.name
	reason := func(string) (string, bool) { return "not named, and others are", false }
	if !r.Named {
		var err error
		if reason, err = e.present(p, r.Because); err != nil {
			return r, err
		}
	}
	for _, name := range e.Sources {
		why, there := reason(name)
		switch c := (Candidate{name, why}); {
		case there && name == "nocloud" && !r.Named && e.Seed != "":
			r.Candidates = append(r.Candidates, Candidate{name + "=" + e.Seed, why})
		case there:
			r.Candidates = append(r.Candidates, c)
		case !slices.ContainsFunc(slices.Concat(r.Candidates, r.Rejected), func(c Candidate) bool { return nameOf(c.Spec) == name }):
			r.Rejected = append(r.Rejected, c)
		}
	}
	if p.source != "" && !slices.Contains(e.Sources, p.source) {
		r.Rejected = append(r.Rejected, Candidate{p.source, "this program has no such datasource"})
	}
	return r, nil
}

// present says of each datasource that nobody names whether what there is of the machine tells for it, and how.
func (e Evidence) present(p platform, because string) (reason func(source string) (why string, there bool), err error) {
	always := func(why string) func(string) (string, bool) {
		return func(source string) (string, bool) {
			if source == "nocloud" && e.Seed != "" {
				return e.seeded(), true
			}
			return why, false
		}
	}
	switch {
	case e.Machine.Container != "":
		return always("this is a container (" + quote(e.Machine.Container) + "): DMI, disks and command line are the host's, so a datasource must be named"), nil
	case e.Machine.DMI.IsZero():
		return always("there is no DMI to tell the platform, so a datasource must be named"), nil
	}
	var disks []Disk
	if e.Disks != nil {
		if disks, err = e.Disks(); err != nil {
			return nil, fmt.Errorf("look for labelled disks: %w", err)
		}
	}
	return func(source string) (string, bool) {
		switch source {
		case "file", "replay", "url":
			return "asked only where it is named", false
		case "cmdline":
			return "no cloud-config-url= on the kernel command line", false
		case "nocloud":
			if e.Seed != "" {
				return e.seeded(), true
			}
			return e.labelled(disks, "cidata", "CIDATA")
		case "configdrive":
			return e.labelled(disks, "config-2", "CONFIG-2")
		case p.source:
			return "this is " + p.name + ": " + because, true
		}
		return notHere(p, because, e.Machine.DMI), false
	}, nil
}

func (e Evidence) seeded() string { return "there is a seed in " + quote(e.Seed) }

// labelled says whether there is a disk with one of the labels.
func (e Evidence) labelled(disks []Disk, labels ...string) (string, bool) {
	why := "no disk is labelled " + strings.Join(labels, " or ")
	for _, d := range disks {
		if !slices.Contains(labels, d.Label) {
			continue
		}
		if !d.Removable || e.Removable {
			return fmt.Sprintf("disk %s is labelled %s", quote(d.Name), d.Label), true
		}
		why = fmt.Sprintf("disk %s is labelled %s and removable: such a disk must be named, or the settings allow it", quote(d.Name), d.Label)
	}
	return why, false
}

func notHere(p platform, because string, d machine.DMI) string {
	if p.name == "" {
		return fmt.Sprintf("DMI tells no platform that is known: system vendor %s, product name %s", quote(d.SystemVendor), quote(d.ProductName))
	}
	return "this is " + p.name + ": " + because
}

func nameOf(spec string) string {
	name, _, _ := strings.Cut(spec, "=")
	return name
}

// quote shows a text of others, at most 64 bytes of it.
func quote(text string) string {
	if len(text) > 64 {
		text = text[:64]
	}
	return strconv.Quote(text)
}
