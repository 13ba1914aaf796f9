package unitfile

import (
	"slices"
	"sort"
	"strings"
)

// Node is a unit of which [Cycles] looks at the order.
type Node struct {
	Name string
	// Whole says that the first of Texts is the unit's own; the others are drop-ins.
	Whole bool
	Texts []string
	// Enabled says that the links of its [Install] section are made, so that it starts with the machine.
	Enabled bool
}

// Step is one step of a cycle: Unit starts after the unit of the next step.
type Step struct {
	Unit string
	// Node and Text say where that is written, from one offset to another; Node is -1 where it is so by default.
	Node, Text, From, To int
}

// Cycle is a ring of units of which each starts after the next, and the last after the first.
type Cycle struct {
	Steps []Step // the first one is written in a text
	// Together says that all of it is written, and that the units start together.
	Together bool
}

// Cycles finds units that wait for each other, one ring for each knot of them. Beside what is written it knows
// the order that systemd gives units by default, that of the targets of the boot and of our own units; these
// count for units that start with the machine alone, since a unit started later finds the boot behind it.
//
// Source: bootup(7), "Default Dependencies" of systemd.service(5) and its like, systemd 252.
func Cycles(nodes []Node) []Cycle {
	g := graph{nodes: nodes, index: make(map[string]int, len(nodes)), before: map[link]bool{}}
	g.read()
	return g.cycles()
}

// Later are the units that start after one, directly or by way of others, if all of them are started while the machine
// boots; by what [Cycles] knows.
func Later(nodes []Node, unit string) map[string]bool {
	g := graph{nodes: nodes, index: make(map[string]int, len(nodes)), before: map[link]bool{}, during: true}
	g.read()
	first, known := g.index[unit]
	if !known {
		return nil
	}
	followers := make([][]int, len(g.names))
	for later, edges := range g.after {
		for _, e := range edges {
			followers[e.to] = append(followers[e.to], later)
		}
	}
	out := map[string]bool{}
	for queue := []int{first}; len(queue) > 0; queue = queue[1:] {
		for _, v := range followers[queue[0]] {
			if name := g.names[v]; !out[name] {
				out[name] = true
				queue = append(queue, v)
			}
		}
	}
	return out
}

// milestones are the points of the boot and our own units, each after those that follow it.
var milestones = [][]string{
	{"local-fs.target", "local-fs-pre.target"},
	{"provisioner-local.service", "local-fs.target"},
	{"sysinit.target", "local-fs.target", "swap.target", "provisioner-local.service"},
	{"basic.target", "sysinit.target", "sockets.target", "paths.target"},
	{"network-pre.target", "provisioner-local.service"},
	{"network.target", "network-pre.target"},
	{"provisioner-floor.service", "sysinit.target"},
	{"provisioner.service", "basic.target", "provisioner-floor.service"},
	{"provisioner-handoff.service", "provisioner.service"},
	{"provisioner.target", "provisioner-handoff.service"},
	{"multi-user.target", "basic.target", "provisioner.target"},
	{"graphical.target", "multi-user.target"},
}

type graph struct {
	nodes []Node
	index map[string]int // of units by name, then of milestones
	names []string
	after [][]edge // what each unit starts after
	needs [][]int  // units that each starts with it
	// before has the targets that a text puts a unit behind: the target starts first, whatever is the default.
	before map[link]bool
	during bool       // every unit starts while the machine boots
	boot   []bool     // starts with the machine
	units  []nodeText // what the texts of each node say
}

type edge struct {
	to   int
	text int // -1: by default
	d    Directive
	from int // offsets in the value
	end  int
	// reverse says that it is written in the other unit, as Before=.
	reverse bool
}

// link is a unit and another one that it starts after.
type link struct{ later, earlier int }

// nodeText is what the texts of a unit say about order.
type nodeText struct {
	order    []mention // After and Before
	needs    []string
	install  Install
	defaults bool
	where    string // the mount point, the service of a socket, ...
	remote   bool   // a mount that needs the network
}

// mention is a unit that a directive names.
type mention struct {
	name     string
	before   bool
	text     int
	d        Directive
	from, to int
}

func (g *graph) read() {
	for i, n := range g.nodes {
		g.index[n.Name] = i
		g.names = append(g.names, n.Name)
		g.units = append(g.units, readOrder(n))
	}
	for _, m := range milestones {
		for _, name := range m {
			if _, there := g.index[name]; !there {
				g.index[name] = len(g.names)
				g.names = append(g.names, name)
			}
		}
	}
	g.after = make([][]edge, len(g.names))
	g.boot = make([]bool, len(g.names))
	g.needs = make([][]int, len(g.nodes))
	for i := range g.boot {
		g.boot[i] = g.during || i >= len(g.nodes)
	}
	g.startWithBoot()
	for i := range g.nodes {
		for _, m := range g.units[i].order {
			other, known := g.index[m.name]
			if !known || other == i || other >= len(g.nodes) && !g.boot[i] {
				continue
			}
			e, later := edge{to: other, text: m.text, d: m.d, from: m.from, end: m.to}, i
			if m.before {
				e.to, e.reverse, later = i, true, other
			}
			g.after[later] = append(g.after[later], e)
			if strings.HasSuffix(g.names[e.to], ".target") {
				g.before[link{later, e.to}] = true
			}
		}
	}
	for i := range g.nodes {
		if g.nodes[i].Whole {
			g.byDefault(i)
		}
	}
	for _, m := range milestones {
		for _, earlier := range m[1:] {
			g.implied(m[0], earlier)
		}
	}
}

// startWithBoot marks the units that are enabled for a target of the boot, and what they need.
func (g *graph) startWithBoot() {
	var queue []int
	mark := func(i int) {
		if !g.boot[i] {
			g.boot[i] = true
			queue = append(queue, i)
		}
	}
	for i := range g.nodes {
		for _, name := range g.units[i].needs {
			if other, known := g.index[name]; known && other < len(g.nodes) {
				g.needs[i] = append(g.needs[i], other)
			}
		}
		for _, by := range slices.Concat(g.units[i].install.WantedBy, g.units[i].install.RequiredBy) {
			switch other, known := g.index[by]; {
			case known && other < len(g.nodes):
				g.needs[other] = append(g.needs[other], i)
			case known, by == "default.target", by == "timers.target", by == "remote-fs.target":
				mark(i)
			}
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, other := range g.needs[i] {
			mark(other)
		}
	}
}

// implied says that one unit starts after another by default, unless the other way round is written.
func (g *graph) implied(name, earlier string) {
	later, known := g.index[name]
	first, also := g.index[earlier]
	if !known || !also || later == first || !g.boot[later] || !g.boot[first] {
		return
	}
	if strings.HasSuffix(name, ".target") && g.before[link{first, later}] {
		return
	}
	g.after[later] = append(g.after[later], edge{to: first, text: -1})
}

// byDefault adds the order that systemd gives a unit by itself.
func (g *graph) byDefault(i int) {
	u, name := &g.units[i], g.names[i]
	stem, suffix, _ := cutSuffix(name)
	if suffix == "socket" || suffix == "timer" || suffix == "path" {
		service := u.where
		if service == "" {
			service = stem + ".service"
		}
		g.implied(service, name)
	}
	if !u.defaults {
		return
	}
	switch suffix {
	case "service":
		g.implied(name, "sysinit.target")
		g.implied(name, "basic.target")
	case "socket", "path":
		g.implied(name, "sysinit.target")
		g.implied(suffix+"s.target", name)
	case "timer":
		g.implied(name, "sysinit.target")
	case "mount":
		if !u.remote {
			g.implied(name, "local-fs-pre.target")
			g.implied("local-fs.target", name)
		}
	case "swap":
		g.implied("swap.target", name)
	case "target":
		for _, other := range g.needs[i] {
			if g.units[other].defaults {
				g.implied(name, g.names[other])
			}
		}
	}
	if g.nodes[i].Enabled {
		for _, target := range append(u.install.WantedBy, u.install.RequiredBy...) {
			if strings.HasSuffix(target, ".target") {
				g.implied(target, name)
			}
		}
	}
}

// readOrder reads what the texts of a unit say about order.
func readOrder(n Node) nodeText {
	u := nodeText{defaults: true}
	var all []Section
	for text := range n.Texts {
		sections, _ := Parse(n.Texts[text])
		all = append(all, sections...)
		for _, s := range sections {
			for _, d := range s.Directives {
				u.directive(s.Name, d, text)
			}
		}
	}
	if n.Enabled {
		u.install = InstallOf(all)
	}
	return u
}

func (u *nodeText) directive(section string, d Directive, text int) {
	switch section + "." + d.Name {
	case "Unit.After", "Unit.Before":
		all, open := split(d.Value)
		if d.Value == "" || open >= 0 {
			return
		}
		for _, w := range all {
			u.order = append(u.order, mention{name: w.text(d.Value), before: d.Name == "Before", text: text, d: d, from: w.from, to: w.to})
		}
	case "Unit.Requires", "Unit.Wants", "Unit.BindsTo", "Unit.Upholds":
		u.needs = append(u.needs, words(d.Value)...)
	case "Unit.DefaultDependencies":
		u.defaults = !isBoolean(d.Value) || IsTrue(d.Value)
	case "Socket.Service", "Timer.Unit", "Path.Unit":
		u.where = d.Value
	case "Mount.Options":
		u.remote = u.remote || slices.Contains(strings.Split(d.Value, ","), "_netdev")
	case "Mount.Type":
		u.remote = u.remote || strings.HasPrefix(d.Value, "nfs") || slices.Contains([]string{"cifs", "ceph", "glusterfs", "sshfs", "smb3", "9p"}, d.Value)
	}
}

// cycles finds the knots (Tarjan's strongly connected components, without recursion) and a ring in each.
func (g *graph) cycles() []Cycle {
	n := len(g.names)
	order, low, next := make([]int, n), make([]int, n), make([]int, n)
	knot := make([]int, n) // 0: in none yet
	var stack, path []int
	var out []Cycle
	count, knots := 0, 0
	for root := range g.nodes {
		if order[root] != 0 {
			continue
		}
		path = append(path, root)
		for len(path) > 0 {
			v := path[len(path)-1]
			if order[v] == 0 {
				count++
				order[v], low[v] = count, count
				stack = append(stack, v)
			}
			if next[v] < len(g.after[v]) {
				w := g.after[v][next[v]].to
				next[v]++
				if order[w] == 0 {
					path = append(path, w)
				} else if knot[w] == 0 {
					low[v] = min(low[v], order[w])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				parent := path[len(path)-1]
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != order[v] {
				continue
			}
			knots++
			size, start := 0, n
			for {
				w := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				knot[w] = knots
				size++
				start = min(start, w)
				if w == v {
					break
				}
			}
			if size > 1 && start < len(g.nodes) {
				if c, ok := g.ring(start, knot, knots); ok {
					out = append(out, c)
				}
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Steps[0].Node < out[j].Steps[0].Node })
	return out
}

// ring is the shortest way from a unit back to itself within its knot.
func (g *graph) ring(start int, knot []int, id int) (Cycle, bool) {
	type hop struct {
		from int
		e    edge
	}
	came := map[int]hop{}
	queue := []int{start}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for _, e := range g.after[v] {
			if knot[e.to] != id {
				continue
			}
			if _, seen := came[e.to]; seen {
				continue
			}
			came[e.to] = hop{from: v, e: e}
			if e.to == start {
				queue = nil
				break
			}
			queue = append(queue, e.to)
		}
	}
	c := Cycle{Together: true}
	written := -1
	for v := start; ; {
		h, ok := came[v]
		if !ok {
			return c, false
		}
		step := Step{Unit: g.names[h.from], Node: -1}
		if h.e.text >= 0 {
			step.Node, step.Text = h.from, h.e.text
			if h.e.reverse {
				step.Node = h.e.to
			}
			text := g.nodes[step.Node].Texts[step.Text]
			places := places{text: text, d: h.e.d}
			step.From = places.of(h.e.from)
			step.To = max(step.From+1, places.of(h.e.end-1)+1)
		}
		c.Together = c.Together && h.e.text >= 0 && g.needed(h.from, v)
		c.Steps = append(c.Steps, step)
		if v = h.from; v == start {
			break
		}
	}
	slices.Reverse(c.Steps)
	for i, s := range c.Steps {
		if s.Node >= 0 && (written < 0 || s.Node < c.Steps[written].Node) {
			written = i
		}
	}
	if written < 0 {
		return c, false
	}
	c.Steps = append(c.Steps[written:], c.Steps[:written]...)
	return c, true
}

// needed says that one of two units starts the other.
func (g *graph) needed(a, b int) bool {
	return a < len(g.nodes) && slices.Contains(g.needs[a], b) || b < len(g.nodes) && slices.Contains(g.needs[b], a)
}
