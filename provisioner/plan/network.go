package plan

import (
	"path"
	"slices"
	"sort"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/language"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// The folders of networkd's files, each of which comes before the next: of two files with one name, the first counts.
const (
	networkEtc = "etc/systemd/network"
	networkRun = "run/systemd/network"
	networkUsr = "usr/lib/systemd/network"
)

// network plans the files of the machine's network, and removes those of ours that it no longer has.
func (c *computation) network() {
	if c.Input.Network == nil {
		return
	}
	c.Input.Network = c.withCurrent(c.Input.Network)
	files, found := networkd.Render(c.Input.Network)
	c.diags.Add(found...)
	p := newNetworkPlan(c)
	files = slices.DeleteFunc(files, func(f networkd.File) bool { return p.isLeft(p.byID[f.Link], f) })
	dir := p.dir()
	if p.isByHand(dir, files) {
		return
	}
	for _, f := range files {
		p.put(dir, f)
	}
	p.removeStale()
	p.nameServers()
	p.checkMachine(files)
	p.links(files)
	p.taken()
}

// withCurrent is a network in which a card that has no address of its own, as those of containers, is known by the one that it
// has now.
func (c *computation) withCurrent(n *network.Network) *network.Network {
	out := *n
	out.Links = slices.Clone(n.Links)
	for i := range out.Links {
		l := &out.Links[i]
		if l.Kind != network.Ethernet || l.Match.MAC == "" {
			continue
		}
		if cards := c.interfaces(l); len(cards) == 1 && cards[0].PermanentMAC == "" {
			l.Match.Current = true
		}
	}
	return &out
}

// networkPlan is what of the plan is about the network.
type networkPlan struct {
	*computation
	byID    map[string]*network.Link
	masters map[string]*network.Link // what a link is in, by its ID
	left    map[string]bool          // IDs of links that are left to units of the configuration
	units   []unitMatch
	wanted  map[string]bool   // paths
	ids     map[string]string // of links, by the stems of their files
	// changed are the files that come, change or go, by the ID of their link; or by their stem, where the network has no
	// such link.
	changed map[string][]networkFile
}

// unitMatch is what a .network of the configuration is for.
type unitMatch struct {
	unit  *schema.Unit
	match match
}

func newNetworkPlan(c *computation) *networkPlan {
	p := &networkPlan{
		computation: c, byID: map[string]*network.Link{}, masters: map[string]*network.Link{}, left: map[string]bool{},
		wanted: map[string]bool{}, ids: map[string]string{}, changed: map[string][]networkFile{},
	}
	for i := range c.Input.Network.Links {
		l := &c.Input.Network.Links[i]
		p.byID[l.ID] = l
		for _, m := range l.Members {
			p.masters[m.ID] = l
		}
	}
	for i := range c.NetworkUnits {
		if u := &c.NetworkUnits[i]; strings.HasSuffix(u.Name.V, ".network") && !u.Mask.V {
			p.units = append(p.units, unitMatch{u, matchOf(u.Content.V)})
		}
	}
	return p
}

// networkFile is a file that comes, changes or goes.
type networkFile struct {
	path     string
	was, now string // texts; "" where there is none
}

// dir is where the files go: below /run if /etc cannot be written.
func (p *networkPlan) dir() string {
	if p.see(networkEtc).Volume.ReadOnly {
		return networkRun
	}
	return networkEtc
}

// isByHand says that somebody has changed one of our files since it was applied. The whole network is left then: half of one
// and half of another reach nobody.
func (p *networkPlan) isByHand(dir string, files []networkd.File) bool {
	touched := false
	wanted := map[string]bool{}
	for _, f := range files {
		want := p.change(dir, f)
		wanted[want.Path] = true
		touched = p.computation.isByHand(&want, p.see(want.Path)) || touched
	}
	var applied []*Item
	for _, it := range p.ledger.items {
		if !isOurNetwork(it.Path) {
			continue
		}
		applied = append(applied, it)
		if !wanted[it.Path] {
			touched = p.computation.isByHand(&Change{Kind: Remove, Path: it.Path}, p.see(it.Path)) || touched
		}
	}
	if !touched {
		return false
	}
	sort.Slice(applied, func(i, j int) bool { return applied[i].Path < applied[j].Path })
	for _, it := range applied {
		if s := p.see(it.Path); it.isApplied(s) {
			p.ledger.kept[realPath(it.Path, s)] = it
		} else {
			p.keep(&Change{Kind: it.Kind, Path: it.Path}, s)
		}
	}
	return true
}

// isOurNetwork says that a file is one of networkd's that we make.
func isOurNetwork(file string) bool {
	return isNetworkd(file) && strings.HasPrefix(path.Base(file), networkd.Prefix)
}

// put plans a file.
func (p *networkPlan) put(dir string, f networkd.File) {
	want := p.change(dir, f)
	p.computation.put(&want)
	if cl := p.claimAt(want.Path); cl != nil {
		cl.asked = f.Why
	}
	p.wanted[want.Path], p.ids[stem(f.Name)] = true, f.Link
	if s := p.see(want.Path); !want.IsAlready(s) {
		p.note(f.Link, networkFile{path: want.Path, was: string(s.Data), now: f.Text})
	}
}

// change is that of a file. Everybody may read it, but if there is a key in it only root and networkd may.
func (p *networkPlan) change(dir string, f networkd.File) Change {
	want := Change{
		Kind: WriteFile, Path: path.Join(dir, f.Name), Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(f.Text),
		Secret: f.Secret, Why: []source.Range{f.Why},
	}
	if f.Secret {
		want.Attr.Mode = 0o600
		if gid, ok := p.users.group("systemd-network"); ok {
			want.Attr = fsroot.Attr{Mode: 0o640, GID: gid}
		}
	}
	return want
}

func (p *networkPlan) note(link string, f networkFile) { p.changed[link] = append(p.changed[link], f) }

// stem is the name of a file without its ending.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// removeStale plans that our files go which nothing asks for any more.
func (p *networkPlan) removeStale() {
	for _, dir := range []string{networkEtc, networkRun} {
		for _, name := range p.list(dir) {
			file := path.Join(dir, name)
			if !strings.HasPrefix(name, networkd.Prefix) || !language.IsNetworkFile(name) || p.wanted[file] {
				continue
			}
			p.computation.put(&Change{Kind: Remove, Path: file, Why: []source.Range{p.Input.Network.At}, Origin: "network"})
			of := stem(name)
			if id, ok := p.ids[of]; ok {
				of = id
			}
			p.note(of, networkFile{path: file, was: string(p.see(file).Data)})
		}
	}
}

// isLeft says that a link of the platform's is configured by a .network unit of the configuration. What makes a bond or
// another link is kept all the same: the unit cannot.
func (p *networkPlan) isLeft(l *network.Link, f networkd.File) bool {
	if len(p.units) == 0 || l == nil || l.Kind != network.Ethernet && !strings.HasSuffix(f.Name, ".network") {
		return false
	}
	if p.left[l.ID] {
		return true
	}
	known := p.traits(l)
	for _, u := range p.units {
		if slices.ContainsFunc(known, u.match.fits) {
			p.left[l.ID] = true
			p.report(rules.NetworkReplaced, u.unit.At, "%s configures %q, which the platform describes too", u.unit.Name.V, l.ID).Detail =
				"what the platform says of it is not taken"
			return true
		}
	}
	return false
}

// nameServers reports the first name server of a network on a machine where nobody would ask it.
func (p *networkPlan) nameServers() {
	servers := p.Input.Network.DNS.Servers
	for i := range p.Input.Network.Links {
		servers = append(servers[:len(servers):len(servers)], p.Input.Network.Links[i].DNS.Servers...)
		if len(servers) > 0 {
			break
		}
	}
	if len(servers) == 0 {
		return
	}
	switch unit := p.find(resolved); {
	case !unit.exists():
		p.report(rules.ResolverMissing, servers[0].At, "%s is not on this machine: the name servers have no effect", resolved)
	case unit.masked:
		p.report(rules.ResolverMissing, servers[0].At, "%s is masked on this machine: the name servers have no effect", resolved)
	}
}

// checkMachine holds the network against what is on the machine.
func (p *networkPlan) checkMachine(files []networkd.File) {
	p.shadowed(files)
	if p.Facts.Interfaces == nil {
		return
	}
	leave := p.leaving()
	for i := range p.Input.Network.Links {
		l := &p.Input.Network.Links[i]
		if l.Kind != network.Ethernet || p.left[l.ID] {
			continue
		}
		cards := p.interfaces(l)
		switch {
		case len(cards) == 0:
			p.absent(l)
		case l.Match.MAC != "" && len(cards) > 1:
			p.report(rules.NetworkShared, matchAt(l), "%s and %s both have the hardware address %s", cards[0].Name, cards[1].Name, l.Match.MAC).Detail =
				"match the driver or the name as well"
		case l.Rename != "":
			p.nameTaken(l, cards[0], leave)
		}
	}
}

// absent reports a card that is not there. A pattern does not promise one.
func (p *networkPlan) absent(l *network.Link) {
	d := p.report(rules.NetworkAbsent, matchAt(l), "no interface has %s", wantedCard(l))
	d.Detail = "the machine has " + p.cardNames()
	if l.Optional || isPattern(l.Match) {
		d.Severity = diag.Warning
	}
}

// matchAt is the place that says which card it is.
func matchAt(l *network.Link) source.Range {
	if l.Match.At.IsZero() {
		return l.At
	}
	return l.Match.At
}

// wantedCard says in words which card a link is.
func wantedCard(l *network.Link) string {
	if l.Match.IsZero() {
		return "the name " + l.ID
	}
	var words []string
	if l.Match.MAC != "" {
		words = append(words, "the hardware address "+l.Match.MAC)
	}
	if len(l.Match.Names) > 0 {
		words = append(words, "the name "+strings.Join(l.Match.Names, " or "))
	}
	if len(l.Match.Drivers) > 0 {
		words = append(words, "the driver "+strings.Join(l.Match.Drivers, " or "))
	}
	return strings.Join(words, " and ")
}

// maxCards is how many interfaces a finding names.
const maxCards = 16

// cardNames are the interfaces of the machine, as a finding names them.
func (p *networkPlan) cardNames() string {
	var names []string
	for i := range p.Facts.Interfaces {
		card := &p.Facts.Interfaces[i]
		if len(names) > maxCards {
			break
		}
		switch mac := card.OwnMAC(); {
		case card.Loopback:
		case mac == "":
			names = append(names, card.Name)
		default:
			names = append(names, card.Name+" ("+mac+")")
		}
	}
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > maxCards:
		names = append(names[:maxCards:maxCards], "others")
	}
	return strings.Join(names, ", ")
}

// leaving are the interfaces that get a new name.
func (p *networkPlan) leaving() map[*Interface]bool {
	leave := map[*Interface]bool{}
	for i := range p.Input.Network.Links {
		if l := &p.Input.Network.Links[i]; l.Rename != "" && !p.left[l.ID] {
			for _, on := range p.interfaces(l) {
				leave[on] = leave[on] || on.Name != l.Rename
			}
		}
	}
	return leave
}

// nameTaken reports a new name for a card that another interface has, unless that one gets a new name itself or goes.
func (p *networkPlan) nameTaken(l *network.Link, on *Interface, leave map[*Interface]bool) {
	other := p.byName(l.Rename)
	if other == nil || other == on || leave[other] || p.goes(other) {
		return
	}
	p.report(rules.NetworkNameTaken, l.At, "%s cannot be called %s: that is the name of another interface", on.Name, l.Rename).Detail =
		"give the other one a new name as well, or this one a name that is free"
}

// goes says that an interface is made by a file of ours that is removed.
func (p *networkPlan) goes(i *Interface) bool {
	for _, files := range p.changed {
		for _, f := range files {
			if f.now == "" && strings.HasSuffix(f.path, ".netdev") && madeBy(f.was).name == i.Name {
				return true
			}
		}
	}
	return false
}

// shadowed reports files of others that come before ours and match the same link. Only what is clear is told: a file that
// asks for more than name, hardware address, driver and type is passed over.
func (p *networkPlan) shadowed(files []networkd.File) {
	type other struct {
		path  string
		match match
	}
	others := map[string][]other{} // by ending
	seen := map[string]bool{}
	for _, dir := range []string{networkEtc, networkRun, networkUsr} {
		for _, name := range p.list(dir) {
			file, ending := path.Join(dir, name), path.Ext(name)
			first := name < networkd.Prefix && (ending == ".network" || ending == ".link")
			if !first || seen[name] {
				continue
			}
			seen[name] = true
			if text, ok := p.current(p.resolve(file)); ok {
				others[ending] = append(others[ending], other{file, matchOf(string(text))})
			}
		}
	}
	for _, f := range files {
		ending := path.Ext(f.Name)
		l := p.byID[f.Link]
		if l == nil || len(others[ending]) == 0 {
			continue
		}
		traits := p.traits(l)
		for _, o := range others[ending] {
			if slices.ContainsFunc(traits, o.match.fits) {
				p.report(rules.NetworkShadowed, l.At, "/%s matches %q too, and comes before ours", o.path, l.ID)
				break
			}
		}
	}
}

// links says what becomes of each link.
func (p *networkPlan) links(files []networkd.File) {
	n := p.Input.Network
	owned := p.owned(files)
	for i := range n.Links {
		l := &n.Links[i]
		changed := p.changed[l.ID]
		delete(p.changed, l.ID)
		if len(changed) == 0 {
			continue
		}
		there := false
		for _, on := range p.interfaces(l) {
			if owned[on] == l.ID {
				p.plan.Network.Links = append(p.plan.Network.Links, *p.linkChange(l, changed, on))
				there = true
			}
		}
		if !there {
			p.plan.Network.Links = append(p.plan.Network.Links, *p.linkChange(l, changed, nil))
		}
	}
	var gone []string
	for of := range p.changed {
		gone = append(gone, of)
	}
	sort.Strings(gone)
	for _, of := range gone {
		p.plan.Network.Links = append(p.plan.Network.Links, p.linkGone(of, p.changed[of], owned)...)
	}
}

// owned says which link each interface is configured as: that of the first file that fits, which is what networkd takes.
func (p *networkPlan) owned(files []networkd.File) map[*Interface]string {
	owned := map[*Interface]string{}
	for _, f := range files {
		l := p.byID[f.Link]
		if l == nil || !strings.HasSuffix(f.Name, ".network") {
			continue
		}
		for _, on := range p.interfaces(l) {
			if owned[on] == "" {
				owned[on] = l.ID
			}
		}
	}
	return owned
}
