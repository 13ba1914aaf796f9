package plan

import (
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// orderFile is the drop-in that says what an agent starts after.
const orderFile = "10-provisioner-order.conf"

// ladder are the units between which there is an order: those of a rung start after those of the rungs before. The
// first rung is there if this plan sets up the service, the others if it sets up or starts the agent. For the time it
// is enough that the service runs, which puts a clock that is behind to when the machine was last on:
// time-sync.target may wait for ever for a server.
var ladder = [...][]string{
	{networkdUnit, resolved, timesyncd},
	{"etcd.service", "etcd2.service", "etcd-member.service"},
	{flanneld},
	{"docker.service"},
	{"fleet.service", "kubelet.service", locksmith},
}

const (
	networkdUnit = "systemd-networkd.service"
	flanneld     = "flanneld.service"
	handoffUnit  = "provisioner-handoff.service"
)

// rung is one unit of the ladder that counts.
type rung struct {
	name   string
	height int
	why    []source.Range
}

// orderAgents plans the order between the agents that the configuration sets up or starts, as drop-ins below /run.
// They order, and require nothing: that is for the units to say. Where a unit of the user's or of the image
// has it the other way round, that stays.
func (c *computation) orderAgents() {
	rungs := c.rungs()
	for _, r := range rungs {
		if r.height > 0 {
			c.plan.Agents = append(c.plan.Agents, r.name)
		}
	}
	if len(c.plan.Agents) == 0 || len(rungs) < 2 {
		return
	}
	nodes := c.neighbours(rungs)
	for _, r := range rungs {
		later, after, why, asked := unitfile.Later(nodes, r.name), "", r.why, false
		for _, earlier := range rungs {
			if earlier.height < r.height && !later[earlier.name] {
				after += " " + earlier.name
				why = append(why, earlier.why...)
				asked = asked || earlier.height > 0 && c.isAsked(earlier.name)
			}
		}
		if asked && !later[handoffUnit] {
			after += " " + handoffUnit
		}
		file := "run/systemd/system/" + r.name + ".d/" + orderFile
		if after == "" || r.height == 0 {
			if kind, _ := c.will(file); kind == fsroot.Regular { // of what was wanted before
				c.put(&Change{Kind: Remove, Path: file, Why: r.why})
			}
			continue
		}
		text := "[Unit]\nAfter=" + after[1:] + "\n"
		i := slices.IndexFunc(nodes, func(n unitfile.Node) bool { return n.Name == r.name })
		nodes[i].Texts = append(nodes[i].Texts, text)
		c.put(&Change{
			Kind: WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(text), Why: unique(why),
		})
	}
}

// isAsked says that there is a job for a unit. That one starts only when the hand-off asks for it, on every boot, so that
// whoever comes after it has to wait for the hand-off: the boot itself may start him.
func (c *computation) isAsked(unit string) bool {
	return slices.ContainsFunc(c.plan.Jobs, func(j Job) bool { return j.Unit == unit && j.Action != "stop" })
}

// rungs are the units of the ladder that are on the machine and that this plan has to do with, from the bottom up.
func (c *computation) rungs() (out []rung) {
	why := c.concerned()
	for height, names := range ladder {
		for _, name := range names {
			if len(why[name]) == 0 {
				continue
			}
			if f := c.find(name); f.exists() && !f.masked && f.name == name {
				out = append(out, rung{name, height, why[name]})
			}
		}
	}
	return out
}

// concerned says of units why this plan has to do with them.
func (c *computation) concerned() map[string][]source.Range {
	why := map[string][]source.Range{}
	for i := range c.Config.Agents {
		if a := &c.Config.Agents[i]; len(a.Settings) > 0 {
			why[agentUnit(a.Name)] = []source.Range{a.At}
		}
	}
	for i := range c.Config.Units {
		if u := &c.Config.Units[i]; u.Command.V != "stop" {
			why[u.Name.V] = append(why[u.Name.V], u.At)
		}
	}
	for _, j := range c.plan.Jobs {
		if j.Action != "stop" {
			why[j.Unit] = append(why[j.Unit], j.Why...)
		}
	}
	for _, cl := range c.order {
		switch p := cl.want.Path; {
		case isNetworkd(p):
			why[networkdUnit] = append(why[networkdUnit], firstRange(cl.want.Why))
		case p == timesyncdFile:
			why[timesyncd] = cl.want.Why
		case p == resolvedFile:
			why[resolved] = cl.want.Why
		}
	}
	return why
}

// maxNeighbours bounds the units whose texts are read, and maxUnitText those texts, in bytes.
const (
	maxNeighbours = 256
	maxUnitText   = 64 << 10
)

// neighbours are the texts of the rungs, of the configuration's units, and of the units that those name: all that is
// known of an order the other way round.
func (c *computation) neighbours(rungs []rung) (nodes []unitfile.Node) {
	planned := c.plannedDropIns()
	var queue []string
	for _, r := range rungs {
		queue = append(queue, r.name)
	}
	for i := range c.Config.Units {
		queue = append(queue, c.Config.Units[i].Name.V)
	}
	seen := map[string]bool{}
	for ; len(queue) > 0 && len(nodes) < maxNeighbours; queue = queue[1:] {
		name := queue[0]
		if seen[name] || !unitfile.ValidName(name) {
			continue
		}
		seen[name] = true
		f := c.find(name)
		if !f.exists() || f.masked || f.name != name {
			continue
		}
		n := unitfile.Node{Name: name, Whole: true}
		size := 0
		for _, text := range c.unitTexts(f, planned) {
			if size += len(text); size > maxUnitText {
				break
			}
			n.Texts = append(n.Texts, text)
			sections, _ := unitfile.Parse(text)
			queue = append(queue, named(sections)...)
			n.Enabled = n.Enabled || c.isEnabled(name, unitfile.InstallOf(sections))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// named are the units that the texts of a unit name, with those it starts after and before.
func named(sections []unitfile.Section) (names []string) {
	for _, s := range sections {
		for _, d := range s.Directives {
			switch s.Name + "." + d.Name {
			case "Unit.After", "Unit.Before", "Unit.Requires", "Unit.Wants", "Unit.BindsTo":
				names = append(names, strings.Fields(d.Value)...)
			}
		}
	}
	return names
}

// isEnabled says that a link of an [Install] section is there, or will be.
func (c *computation) isEnabled(unit string, install unitfile.Install) bool {
	for _, dir := range unitPath {
		for _, by := range install.WantedBy {
			if kind, _ := c.will(dir + "/" + by + ".wants/" + unit); kind == fsroot.Link {
				return true
			}
		}
		for _, by := range install.RequiredBy {
			if kind, _ := c.will(dir + "/" + by + ".requires/" + unit); kind == fsroot.Link {
				return true
			}
		}
	}
	return false
}
