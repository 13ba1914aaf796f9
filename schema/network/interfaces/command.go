package interfaces

import (
	"net/netip"
	"path"
	"strconv"
	"strings"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// command takes what a line of up, pre-up or post-up adds: by ip(8) or route(8). Any other command has no effect.
func (r *reader) command(l *link, o *option) {
	words, plain := expand(l.ID, o.args)
	if !plain {
		r.notRun(o)
		return
	}
	found := len(r.c.Diags)
	for len(words) > 0 {
		end := 0
		for end < len(words) && words[end].text != ";" && words[end].text != "&&" {
			end++
		}
		if end > 0 && !r.one(l, o, words[:end]) {
			if len(r.c.Diags) == found { // else it is told already
				r.notRun(o)
			}
			return
		}
		words = words[min(end+1, len(words)):]
	}
}

// notRun tells of a command by its place.
func (r *reader) notRun(o *option) {
	d := r.c.ReportAt(rules.NetworkIgnored, "", r.span(o), "the command of %s is not run", network.Quoted(o.name.text))
	d.Detail = "of commands, only the addresses, routes and rules are taken that ip(8) and route(8) add"
}

// expand puts the name of the interface in its place, and takes off what makes a failure count for nothing. plain is false of
// a line that only a shell understands.
func expand(name string, args []word) (words []word, plain bool) {
	if n := len(args); n > 2 && args[n-2].text == "||" && (args[n-1].text == "true" || args[n-1].text == ":") {
		args = args[:n-2]
	}
	for _, w := range args {
		if w.text[0] == '#' {
			break // a comment of the shell's
		}
		switch w.text {
		case "$IFACE", "${IFACE}", "%IFACE%", `"$IFACE"`, `"${IFACE}"`:
			w.text = name
		case ";", "&&":
			words = append(words, w)
			continue
		}
		text, ended := strings.CutSuffix(w.text, ";")
		if w.text = text; strings.ContainsAny(w.text, "|&;<>()$`\\\"'*?[]{}~#!%=") {
			return nil, false
		}
		words = append(words, w)
		if ended {
			words = append(words, word{";", w.to, w.to})
		}
	}
	return words, true
}

// one takes one command; false if it has no meaning here.
func (r *reader) one(l *link, o *option, words []word) bool {
	switch args := words[1:]; path.Base(words[0].text) {
	case "ip":
		return r.ip(l, o, args)
	case "route":
		return r.oldRoute(l, o, args)
	case "ifconfig": // eth0 up, eth0 0.0.0.0 up
		return len(args) >= 2 && len(args) <= 3 && args[0].text == l.ID && args[len(args)-1].text == "up" &&
			(len(args) == 2 || args[1].text == "0.0.0.0" || args[1].text == "0")
	case "true", ":":
		return true
	}
	return false
}

// ip takes a command of ip(8).
func (r *reader) ip(l *link, o *option, args []word) bool {
	v6 := false
	for len(args) > 0 && strings.HasPrefix(args[0].text, "-") {
		switch args[0].text {
		case "-4":
		case "-6":
			v6 = true
		case "-f", "-family":
			if len(args) < 2 || args[1].text != "inet" && args[1].text != "inet6" {
				return false
			}
			v6 = args[1].text == "inet6"
			args = args[1:]
		default:
			return false
		}
		args = args[1:]
	}
	if len(args) < 2 {
		return false
	}
	object, verb := args[0].text, args[1].text
	adds := verb == "add" || verb == "a" || verb == "replace" || verb == "append"
	switch args = args[2:]; {
	case strings.HasPrefix("route", object) && adds:
		return r.ipRoute(l, o, args, v6)
	case len(object) > 1 && strings.HasPrefix("rule", object) && adds:
		return r.ipRule(l, o, args, v6)
	case (strings.HasPrefix("address", object) || object == "addr") && adds:
		return r.ipAddress(l, args)
	case strings.HasPrefix("link", object) && verb == "set":
		if len(args) > 0 && args[0].text == "dev" {
			args = args[1:]
		}
		return len(args) == 2 && args[0].text == l.ID && args[1].text == "up"
	}
	return false
}

// ipRoute takes what follows ip route add.
func (r *reader) ipRoute(l *link, o *option, args []word, v6 bool) bool {
	route := &network.Route{At: r.span(o)}
	device := word{l.ID, o.name.from, o.name.to}
	if len(args) > 0 {
		switch kind := args[0].text; kind {
		case "unicast", "blackhole", "unreachable", "prohibit":
			route.Type = kind
			args = args[1:]
		}
	}
	if len(args) == 0 {
		return false
	}
	to := args[0]
	for args = args[1:]; len(args) > 0; args = args[2:] {
		for len(args) > 0 && args[0].text == "onlink" {
			route.OnLink, args = network.On, args[1:]
		}
		if len(args) == 0 {
			break
		}
		if len(args) < 2 {
			return false
		}
		ok := true
		switch value := args[1]; args[0].text {
		case "via":
			ok = r.via(route, value)
		case "dev":
			device = value
		case "src":
			route.From, ok = r.addr(value, "")
		case "metric", "preference", "priority":
			route.Metric = r.number(value)
			ok = route.Metric != nil
		case "table":
			ok = r.table(&route.Table, value)
		case "mtu":
			n, err := network.ParseRange(value.text, "an MTU", 68, 65_536)
			route.MTU, ok = int(n), err == nil
		case "scope":
			route.Scope = value.text
			ok = value.text == "global" || value.text == "link" || value.text == "host"
		case "proto", "protocol":
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	if !r.to(route, to, v6) {
		return false
	}
	r.route(l, device, route)
	return true
}

// to is where a route leads: default, a network, or a host.
func (r *reader) to(route *network.Route, w word, v6 bool) bool {
	if w.text == "default" || w.text == "any" {
		route.To = all(v6 || route.Via.Is6())
	} else {
		p, err := network.ParseNetwork(w.text)
		if err != nil {
			r.refuse(rules.NetworkAddress, w, err)
			return false
		}
		route.To, route.ToText = p, w.text
	}
	if route.Via.IsValid() && route.Via.Is4() != route.To.Addr().Is4() || route.From.IsValid() && route.From.Is4() != route.To.Addr().Is4() {
		r.report(rules.NetworkConflict, w, "a route has addresses of one family")
		return false
	}
	return true
}

func (r *reader) via(route *network.Route, w word) (ok bool) {
	route.Via, ok = r.addr(w, "")
	route.ViaText, route.ViaAt = w.text, r.at(w)
	return ok
}

// table reads the number of a routing table, or one of the names that all machines have.
func (r *reader) table(to *uint32, w word) bool {
	switch w.text {
	case "main":
		*to = 0
		return true
	case "default":
		*to = 253
		return true
	}
	n, err := network.ParseRange(w.text, "a routing table", 1, 1<<32-1)
	*to = n
	return err == nil
}

// route adds one to the link that it is on, of which a later stanza may be.
func (r *reader) route(l *link, device word, route *network.Route) {
	if device.text == l.ID {
		l.AddRoute(route)
		return
	}
	r.routes = append(r.routes, pending{device, route})
}

// oldRoute takes a command of route(8): add -net 10.0.0.0 netmask 255.0.0.0 gw 192.0.2.1 metric 3 dev eth0.
func (r *reader) oldRoute(l *link, o *option, args []word) bool {
	route := &network.Route{At: r.span(o)}
	device := word{l.ID, o.name.from, o.name.to}
	var to, mask word
	v6, isNet := false, false
	for added := false; len(args) > 0; args = args[1:] {
		w := args[0]
		value := word{}
		if len(args) > 1 {
			value = args[1]
		}
		switch w.text {
		case "add":
			added = true
			continue
		case "-6", "--inet6":
			v6 = true
			continue
		case "-4", "--inet":
			continue
		case "-net":
			isNet = true
			continue
		case "-host":
			continue
		case "-A", "gw", "netmask", "metric", "dev", "mss", "window":
			if value.text == "" {
				return false
			}
			args = args[1:]
		default:
			if !added || to.text != "" && w != args[len(args)-1] {
				return false
			}
			if to.text != "" { // the device may be last, without a word before it
				device = w
				continue
			}
			to = w
			continue
		}
		ok := true
		switch w.text {
		case "-A":
			v6 = value.text == "inet6"
			ok = v6 || value.text == "inet"
		case "gw":
			ok = r.via(route, value)
		case "netmask":
			mask = value
		case "metric":
			route.Metric = r.number(value)
			ok = route.Metric != nil
		case "dev":
			device = value
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	if to.text == "" {
		return false
	}
	if a, err := netip.ParseAddr(to.text); err == nil && a.Is4() && (mask.text != "" || isNet) {
		if mask.text == "" {
			mask = word{strconv.Itoa(classful(a)), to.from, to.to}
		}
		p, err := network.PrefixOf(a, mask.text)
		if err != nil {
			r.refuse(rules.NetworkAddress, mask, err)
			return false
		}
		to.text = p.String()
	} else if mask.text != "" {
		return false
	}
	if !r.to(route, to, v6) {
		return false
	}
	r.route(l, device, route)
	return true
}

// ipRule takes what follows ip rule add.
func (r *reader) ipRule(l *link, o *option, args []word, v6 bool) bool {
	rule := network.Rule{At: r.span(o)}
	for ; len(args) > 0; args = args[2:] {
		if len(args) < 2 {
			return false
		}
		ok := true
		switch value := args[1]; args[0].text {
		case "from":
			rule.From, rule.FromText, ok = r.of(value, v6)
		case "to":
			rule.To, rule.ToText, ok = r.of(value, v6)
		case "table", "lookup":
			ok = r.table(&rule.Table, value)
			if value.text == "main" {
				rule.Table = 254
			}
		case "priority", "pref", "prio", "preference", "order":
			rule.Priority = r.number(value)
			ok = rule.Priority != nil
		case "fwmark":
			rule.Mark = r.number(value)
			ok = rule.Mark != nil
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	if rule.Table == 0 || !rule.From.IsValid() && !rule.To.IsValid() {
		return false
	}
	l.Rules = append(l.Rules, rule)
	return true
}

// of is what a rule is about: all, a network, or a host.
func (r *reader) of(w word, v6 bool) (p netip.Prefix, text string, ok bool) {
	if w.text == "all" || w.text == "any" || w.text == "default" {
		return all(v6), "", true
	}
	p, err := network.ParseNetwork(w.text)
	if err != nil {
		r.refuse(rules.NetworkAddress, w, err)
		return p, "", false
	}
	return p, w.text, true
}

// all is the prefix that has every address of a family.
func all(v6 bool) netip.Prefix {
	if v6 {
		return network.Everywhere(netip.IPv6Unspecified())
	}
	return network.Everywhere(netip.IPv4Unspecified())
}

// ipAddress takes what follows ip addr add: 192.0.2.10/24 dev eth0.
func (r *reader) ipAddress(l *link, args []word) bool {
	if len(args) == 0 {
		return false
	}
	first := args[0]
	a := &network.Address{At: r.at(first), Text: first.text}
	for args = args[1:]; len(args) > 0; args = args[2:] {
		if len(args) < 2 {
			return false
		}
		switch value := args[1]; args[0].text {
		case "dev":
			if value.text != l.ID {
				return false
			}
		case "label":
			if a.Label = value.text; network.CheckName(strings.ReplaceAll(a.Label, ":", ".")) != nil {
				return false
			}
		case "brd", "broadcast":
			if value.text == "+" {
				continue
			}
			addr, err := netip.ParseAddr(value.text)
			if err != nil || !addr.Is4() {
				return false
			}
			a.Broadcast = addr
		case "scope":
			if value.text != "global" {
				return false
			}
		default:
			return false
		}
	}
	if !strings.Contains(first.text, "/") {
		addr, ok := r.addr(first, "")
		if !ok {
			return false
		}
		a.Prefix, a.Text = netip.PrefixFrom(addr, addr.BitLen()), ""
	} else if p, err := network.ParsePrefix(first.text); err != nil {
		r.refuse(rules.NetworkAddress, first, err)
		return false
	} else {
		a.Prefix = p
	}
	if a.Prefix.Addr().Is6() || a.Prefix.Bits() > 30 {
		a.Broadcast = netip.Addr{}
	}
	if a.Prefix.Addr().Is6() {
		a.Label = ""
	}
	r.address(l, first, a)
	return true
}
