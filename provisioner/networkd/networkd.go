// Package networkd writes a network as files of systemd-networkd and systemd-udevd: .link, .netdev and .network.
//
// [Render] is pure, and what it makes depends on nothing but the network. Whether the links fit each other and the machine
// is looked at before, in schema/network and in the plan.
package networkd

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// Prefix begins the names of all our files. Digits come before letters, and few images have files before 10.
const Prefix = "05-provisioner-"

// rescue is the part of [Rescue] that is not for links: none has it for its files.
const rescue = "dhcp"

// Rescue is the name of the file by which a machine that cannot be reached otherwise asks for DHCP on every card.
const Rescue = Prefix + rescue + ".network"

// File is a file of /etc/systemd/network.
type File struct {
	// Name is without a folder: "05-provisioner-eth0.network".
	Name string
	Text string
	// Link is the ID of the link that it is of.
	Link string
	// Secret says that a key is in it, so that only root and systemd-network may read it.
	Secret bool
	Why    source.Range
}

// Render makes the files of a network, sorted by name. What networkd cannot do is a finding, and never left out in silence.
//
// The settings are those of systemd 252; systemd.network(5), systemd.netdev(5) and systemd.link(5) of 2022-10-31.
func Render(n *network.Network) ([]File, diag.List) {
	r := renderer{dns: n.DNS, links: map[string]*network.Link{}, master: map[string]membership{}, stacked: map[string][]setting{}, taken: map[string]bool{}}
	for i := range n.Links {
		if l := &n.Links[i]; r.links[l.ID] == nil {
			r.links[l.ID] = l
		}
	}
	for i := range n.Links {
		r.relate(&n.Links[i])
	}
	for i := range n.Links {
		r.link(&n.Links[i])
	}
	sort.Slice(r.files, func(i, j int) bool { return r.files[i].Name < r.files[j].Name })
	return r.files, r.found
}

type renderer struct {
	dns     network.DNS              // of all links
	links   map[string]*network.Link // by their IDs
	master  map[string]membership    // by the ID of the member
	stacked map[string][]setting     // what is made on a link, by its ID: VLAN=web
	taken   map[string]bool          // names of files
	files   []File
	found   diag.List
}

// A membership is what a link is in, and as what.
type membership struct {
	of *network.Link
	as *network.Member
}

func (r *renderer) report(rule *diag.Rule, at *source.Range, format string, args ...any) {
	r.found.Add(diag.New(rule, *at, format, args...))
}

// relate notes of what a link is made. networkd wants it in the files of the links below.
func (r *renderer) relate(l *network.Link) {
	for i := range l.Members {
		m := &l.Members[i]
		if before, twice := r.master[m.ID]; twice {
			r.report(rules.NetworkTwice, &m.At, "%q is in %q and in %q", m.ID, before.of.ID, l.ID)
			continue
		}
		r.master[m.ID] = membership{l, m}
		r.exists(m.Ref, l)
	}
	switch key := stackedKey(l); {
	case key == "":
	case l.Parent.ID != "":
		r.stacked[l.Parent.ID] = append(r.stacked[l.Parent.ID], setting{key, l.Name()})
		r.exists(l.Parent, l)
	case l.Kind == network.VLAN:
		r.report(rules.NetworkConflict, &l.At, "%q is a VLAN on nothing", l.ID)
	}
}

// exists reports a reference to what is not described: it would never come about.
func (r *renderer) exists(ref network.Ref, of *network.Link) {
	if r.links[ref.ID] == nil {
		r.report(rules.NetworkUndefined, &ref.At, "%q of %q is not described", ref.ID, of.ID)
	}
}

// stackedKey is how the file of its parent names a link; empty of kinds that are on none.
func stackedKey(l *network.Link) string {
	switch {
	case l.Kind == network.VLAN:
		return "VLAN"
	case l.Kind != network.Tunnel || l.Tunnel == nil || l.Tunnel.Mode == "wireguard":
		return ""
	case l.Tunnel.Mode == "vxlan":
		return "VXLAN"
	}
	return "Tunnel"
}

func (r *renderer) link(l *network.Link) {
	name := fileName(l)
	if r.taken[name] {
		r.report(rules.NetworkTwice, &l.At, "%q is described twice", l.ID)
		return
	}
	r.taken[name] = true
	if !r.named(l) {
		return
	}
	if l.Kind == network.Ethernet {
		r.add(name+".link", l, linkFile(l))
	} else {
		r.add(name+".netdev", l, r.netdevFile(l))
	}
	r.add(name+".network", l, r.networkFile(l))
}

// add keeps a file. One that lacks a value that it should have is none: it might be for other interfaces.
func (r *renderer) add(name string, l *network.Link, t *text) {
	switch {
	case t == nil:
		return
	case len(t.problems) > 0:
		for _, p := range t.problems {
			r.report(rules.NetworkUnsupported, &l.At, "%s of %q cannot be written: %s", p.key, l.ID, p.why)
		}
		return
	case !t.isFor():
		r.report(rules.NetworkConflict, &l.At, "nothing says which card %q is", l.ID)
		return
	}
	r.files = append(r.files, File{Name: name, Text: t.String(), Link: l.ID, Secret: t.secret, Why: l.At})
}

// named says whether systemd takes the names of a link, and reports those that it does not.
func (r *renderer) named(l *network.Link) bool {
	var bad bool
	check := func(name, why string) {
		if why != "" {
			r.report(rules.NetworkName, &l.At, "%q cannot be the name of an interface: %s", name, why)
			bad = true
		}
	}
	if name := l.Name(); name != "" || l.Match.IsZero() {
		check(name, exactProblem(name, l.Kind != network.Ethernet || l.Rename != ""))
	}
	if l.Peer.ID != "" {
		check(l.Peer.ID, exactProblem(l.Peer.ID, true))
	}
	for _, name := range l.Match.Names {
		check(name, nameProblem(name))
	}
	return !bad
}

// exactProblem says why systemd would not take a name of one interface; given says that the interface gets it. Alternative names, which
// cards have beside their own, may be longer.
func exactProblem(name string, given bool) string {
	switch {
	case given && len(name) > 15:
		return "it has more than 15 characters"
	case strings.ContainsAny(name, "*?["):
		return "it is a pattern"
	}
	return nameProblem(name)
}

// nameProblem says why systemd would not take a name of an interface, or a pattern of one; empty if it does.
// See ifname_valid_full in src/basic/socket-util.c.
func nameProblem(name string) string {
	digits := true
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`:/%"'\`, c) >= 0 {
			return "a character in it is not allowed"
		}
		digits = digits && '0' <= c && c <= '9'
	}
	switch {
	case name == "":
		return "it is empty"
	case digits:
		return "it has digits only"
	case len(name) > 127:
		return "it is too long"
	case name == "." || name == ".." || name == "all" || name == "default":
		return "the kernel means something else by it"
	case name[0] == '!':
		return "networkd reads the ! as a negation"
	}
	return ""
}

// fileName is the name of a link's files without their ending. What takes several cards comes after what takes one,
// since networkd stops at the first file that fits.
func fileName(l *network.Link) string {
	const longest = 100 // and with prefix and ending within the 255 bytes of a file's name
	safe := strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			return c
		}
		return '_'
	}, l.ID)
	if len(safe) > longest {
		safe = safe[:longest]
	}
	if safe != l.ID || safe == "" || safe == rescue {
		sum := sha256.Sum256([]byte(l.ID))
		safe += "-" + hex.EncodeToString(sum[:4])
	}
	if isBroad(l) {
		safe = "~" + safe
	}
	return Prefix + safe
}

// isBroad says that a link may be several cards.
func isBroad(l *network.Link) bool {
	return l.Kind == network.Ethernet && l.Match.MAC == "" && l.Name() == "" &&
		(len(l.Match.Names) != 1 || strings.ContainsAny(l.Match.Names[0], "*?["))
}

// Dirs are where networkd looks for files, relative to the root, those that win first.
func Dirs() []string {
	return []string{"etc/systemd/network", "run/systemd/network", "usr/local/lib/systemd/network", "usr/lib/systemd/network", "lib/systemd/network"}
}
