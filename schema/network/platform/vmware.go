package platform

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// VMware reads the variables of guestinfo that coreos-cloudinit has for the network, a line of KEY=VALUE each.
//
// A card is known by its name, which may be a pattern, by its hardware address, or by both. It asks by DHCP, or has addresses and routes, or all of that.
// Name servers and domains are those of all cards.
//
// Format: coreos-cloudinit 1.41.0, Documentation/vmware-guestinfo.md and network/vmware.go.
func VMware(c *findings.Collector, f *source.File) *network.Network {
	r := &guestinfo{c: c, file: f, network: &network.Network{At: f.Range(0, 0)}, values: map[string]*variable{}}
	r.parse()
	for i := range maxCards {
		if v := r.value("dns.server.%d", i); v == nil {
			break
		} else if a, err := network.ParseAddr(v.text); err != nil {
			r.refuse(rules.NetworkAddress, v, err)
		} else {
			r.network.DNS.Servers = append(r.network.DNS.Servers, network.Server{Addr: a, Text: v.text, At: r.at(v)})
		}
	}
	for i := range maxCards {
		if v := r.value("dns.domain.%d", i); v == nil {
			break
		} else if err := network.CheckDomain(v.text); err != nil {
			r.refuse(rules.BadValue, v, err)
		} else {
			r.network.DNS.Search = append(r.network.DNS.Search, network.Domain{Name: v.text, At: r.at(v)})
		}
	}
	for i := range maxCards {
		if !r.card(i) {
			break
		}
	}
	return r.network
}

type guestinfo struct {
	c       *findings.Collector
	file    *source.File
	network *network.Network
	values  map[string]*variable
}

// A variable is a value, which is not empty, and its place, between two offsets in the file.
type variable struct {
	text     string
	from, to int
}

func (r *guestinfo) parse() {
	from := 0
	for line := range bytes.SplitSeq(r.file.Bytes, []byte("\n")) {
		if key, value, ok := bytes.Cut(line, []byte("=")); ok && len(value) > 0 {
			r.values[string(key)] = &variable{string(value), from + len(key) + 1, from + len(line)}
		}
		from += len(line) + 1
	}
}

func (r *guestinfo) at(v *variable) source.Range { return r.file.Range(v.from, v.to) }

func (r *guestinfo) refuse(rule *diag.Rule, v *variable, err *network.Fault) {
	r.c.ReportAt(rule, "", r.at(v), "%s", err.Summary).Detail = err.Detail
}

func (r *guestinfo) value(format string, args ...any) *variable {
	return r.values[fmt.Sprintf(format, args...)]
}

// card reads one; false if nothing is said of it.
func (r *guestinfo) card(i int) bool {
	name, mac, asks := r.value("interface.%d.name", i), r.value("interface.%d.mac", i), r.value("interface.%d.dhcp", i)
	first := cmp.Or(name, mac, asks)
	l := network.Link{Kind: network.Ethernet, ID: fmt.Sprintf("interface.%d", i)}
	for a := range maxCards {
		v := r.value("interface.%d.ip.%d.address", i, a)
		if v == nil {
			break
		}
		first = cmp.Or(first, v)
		if p, err := network.ParsePrefix(v.text); err != nil {
			r.refuse(rules.NetworkAddress, v, err)
		} else {
			l.Addresses = append(l.Addresses, network.Address{Prefix: p, Text: v.text, At: r.at(v)})
		}
	}
	for n := range maxCards {
		gateway, to := r.value("interface.%d.route.%d.gateway", i, n), r.value("interface.%d.route.%d.destination", i, n)
		if gateway == nil && to == nil {
			break
		}
		first = cmp.Or(first, gateway, to)
		r.route(&l, gateway, to)
	}
	if first == nil {
		return false
	}
	switch {
	case asks == nil || asks.text == "no":
	case asks.text == "yes":
		l.DHCP.V4, l.DHCP.V6, l.DHCP.At = true, true, r.at(asks)
		l.DHCP.Overrides4 = network.Overrides{UseMTU: network.On, UseDomains: "yes"}
	default:
		r.c.ReportAt(rules.BadValue, "", r.at(asks), "%s is not yes or no", network.Quoted(asks.text))
	}
	l.At = r.at(first)
	if r.match(&l, name, mac) {
		r.network.Links = append(r.network.Links, l)
	}
	return true
}

// match says which card it is.
func (r *guestinfo) match(l *network.Link, name, mac *variable) bool {
	if name == nil && mac == nil {
		r.c.ReportAt(rules.MissingKey, "", l.At, "which card %s is, is not said: it has neither a name nor a mac", l.ID)
		return false
	}
	ok := true
	if mac != nil {
		address, err := network.ParseMAC(mac.text)
		if err != nil {
			r.refuse(rules.NetworkMAC, mac, err)
			ok = false
		}
		l.Match.MAC, l.Match.At = address, r.at(mac)
	}
	if name == nil {
		return ok
	}
	if err := network.CheckPattern(name.text); err != nil {
		r.refuse(rules.NetworkName, name, err)
		return false
	}
	if mac == nil && !strings.ContainsAny(name.text, "*?[") {
		if err := network.CheckName(name.text); err != nil {
			r.refuse(rules.NetworkName, name, err)
			return false
		}
		l.ID = name.text
		return ok
	}
	l.Match.Names = []string{name.text}
	return ok
}

// route adds one, which leads everywhere if it does not say where to.
func (r *guestinfo) route(l *network.Link, gateway, to *variable) {
	if gateway == nil {
		r.c.ReportAt(rules.MissingKey, "", r.at(to), "the route to %s has no gateway", network.Quoted(to.text))
		return
	}
	via, err := network.ParseAddr(gateway.text)
	if err != nil {
		r.refuse(rules.NetworkAddress, gateway, err)
		return
	}
	route := &network.Route{To: network.Everywhere(via), Via: via, ViaText: gateway.text, At: r.at(gateway), ViaAt: r.at(gateway)}
	if to != nil {
		if route.To, err = network.ParseNetwork(to.text); err != nil {
			r.refuse(rules.NetworkAddress, to, err)
			return
		}
		if route.At = r.at(to); !route.IsDefault() {
			route.ToText = to.text
		}
	}
	l.AddRoute(route)
}
