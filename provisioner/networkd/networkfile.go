package networkd

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// networkFile is the .network of a link: all that networkd itself sets.
func (r *renderer) networkFile(l *network.Link) *text {
	t := &text{}
	t.begin("Match")
	match(t, l)
	t.begin("Link")
	activation := l.Activation
	if activation == "off" {
		activation = "always-down"
	}
	t.word("ActivationPolicy", activation, "always-down manual")
	if l.Optional || activation != "" {
		t.set("RequiredForOnline", "no")
	}
	t.set("MACAddress", l.MAC)
	t.positive("MTUBytes", l.MTU)

	t.begin("Network")
	r.protocols(t, l)
	r.names(t, l)
	if l.Kind != network.Ethernet || l.IgnoreCarrier == network.On {
		t.set("ConfigureWithoutCarrier", "yes")
	}
	if l.DHCP.Critical {
		t.set("KeepConfiguration", "yes")
	}
	r.position(t, l)

	addresses := map[netip.Prefix]bool{}
	for i := range l.Addresses {
		if a := &l.Addresses[i]; !addresses[a.Prefix] { // networkd would take the first, and say so
			addresses[a.Prefix] = true
			t.begin("Address")
			r.address(t, l, a)
		}
	}
	for i := range l.Routes {
		t.begin("Route")
		r.route(t, l, &l.Routes[i])
	}
	for i := range l.Rules {
		t.begin("RoutingPolicyRule")
		policy(t, &l.Rules[i])
	}
	r.dhcp(t, l)
	if l.Hardware.Infiniband != "" {
		// systemd.network(5) of 252 has a section IPoIB, which networkd itself calls unknown.
		d := diag.New(rules.NetworkUnsupported, l.At, "systemd-networkd does not set the InfiniBand mode of %q", l.ID)
		d.Severity = diag.Warning
		r.found.Add(d)
	}
	return t
}

// match says which interface it is. A card that is known by its address is taken even where its new name did not come about.
func match(t *text, l *network.Link) {
	name := l.Name()
	switch {
	case l.Kind != network.Ethernet || l.Match.IsZero():
		t.items("Name", []string{name})
		return
	case name != "" && l.Match.MAC == "":
		t.items("Name", []string{name})
	case name == "":
		t.items("Name", l.Match.Names)
		for _, pattern := range l.Match.Names {
			if strings.IndexByte("*?[", pattern[0]) >= 0 {
				t.set("Type", "ether infiniband") // not lo, nor the tunnels
				break
			}
		}
	}
	t.items("Driver", l.Match.Drivers)
	own(t, l)
}

// protocols are the ways to addresses that are not written down.
func (r *renderer) protocols(t *text, l *network.Link) {
	switch {
	case l.DHCP.V4 && l.DHCP.V6:
		t.set("DHCP", "yes")
	case l.DHCP.V4:
		t.set("DHCP", "ipv4")
	case l.DHCP.V6:
		t.set("DHCP", "ipv6")
	}
	local := r.linkLocal(l)
	if l.DHCP.V6 && !local.V6 {
		local.V6 = true // it begins from such an address, and networkd would pass it over
		r.report(rules.NetworkIgnored, &l.At, "%q gets a link-local address of IPv6 although it is to have none: DHCPv6 needs it", l.ID)
	}
	switch {
	case local.V4 && local.V6:
		t.set("LinkLocalAddressing", "yes")
	case local.V4:
		t.set("LinkLocalAddressing", "ipv4")
	case local.V6:
		t.set("LinkLocalAddressing", "ipv6")
	default:
		t.set("LinkLocalAddressing", "no")
	}
	accept := l.IPv6.AcceptRA
	if accept == network.Unset && l.DHCP.V6Stateless {
		accept = network.On
	}
	t.toggle("IPv6AcceptRA", accept)
	t.toggle("IPv6PrivacyExtensions", l.IPv6.Privacy)
	switch {
	case l.IPv6.Token != "":
		t.set("IPv6Token", "static:"+l.IPv6.Token)
	case l.IPv6.Generation == "stable-privacy":
		t.set("IPv6Token", "prefixstable")
	}
	if l.MTU6 != 0 {
		mtu := uint32(l.MTU6)
		t.within("IPv6MTUBytes", &mtu, 1280, math.MaxUint32)
	}
	if l.EmitLLDP == network.On {
		t.set("EmitLLDP", "yes")
	}

	if l.DHCP.V6 && accept == network.Off {
		r.report(rules.NetworkIgnored, &l.At, "no DHCPv6 on %q: networkd begins it when a router is heard, and routers are not listened to", l.ID)
	}
}

// linkLocal are the families in which a link gets an address that is good on the link alone. A port of a bond or bridge has none of its own.
func (r *renderer) linkLocal(l *network.Link) network.LinkLocal {
	local := network.LinkLocal{V6: true}
	if in := r.master[l.ID].of; in != nil && (in.Kind == network.Bond || in.Kind == network.Bridge) {
		local.V6 = false
	} else if l.LinkLocal.Said {
		local = l.LinkLocal
	}
	return local
}

// names are the name servers and domains of a link, and those of all links.
func (r *renderer) names(t *text, l *network.Link) {
	all := r.dns
	if l.DNS.Alone {
		all = network.DNS{}
	}
	servers := map[netip.Addr]bool{}
	for _, list := range [][]network.Server{l.DNS.Servers, all.Servers} {
		for _, s := range list {
			if !servers[s.Addr] {
				servers[s.Addr] = true
				t.set("DNS", writtenAddr(s.Text, s.Addr))
			}
		}
	}
	domains := map[string]bool{}
	for _, list := range [][]network.Domain{l.DNS.Search, all.Search} {
		for _, d := range list {
			switch why := domainProblem(d.Name); {
			case domains[d.Name]:
			case why != "":
				r.report(rules.NetworkIgnored, &d.At, "systemd-networkd would not take the domain %q: %s", d.Name, why)
			default:
				t.items("Domains", []string{d.Name})
			}
			domains[d.Name] = true
		}
	}
}

// domainProblem says why networkd would pass over a domain; empty if it does not.
func domainProblem(domain string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(domain, "~"), ".")
	if own := "." + strings.TrimSuffix(strings.ToLower(name), ".localdomain"); strings.HasSuffix(own, ".localhost") {
		return "it is this machine"
	}
	if len(name) > 253 {
		return "it is too long"
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > 63 || label == "" && name != "" {
			return "a part between dots is empty, or of more than 63 characters"
		}
	}
	return ""
}

// position is what the link is in, and what is made on it.
func (r *renderer) position(t *text, l *network.Link) {
	in := r.master[l.ID]
	if in.of != nil {
		switch in.of.Kind {
		case network.Bond:
			t.set("Bond", in.of.ID)
			if b := in.of.Bond; b != nil && b.Primary.ID == l.ID {
				t.set("PrimarySlave", "yes")
			}
		case network.Bridge:
			t.set("Bridge", in.of.ID)
		case network.VRF:
			t.set("VRF", in.of.ID)
		}
	}
	for _, s := range r.stacked[l.ID] {
		t.set(s.key, s.value)
	}
	if in.of != nil && in.of.Kind == network.Bridge {
		t.begin("Bridge")
		t.within("Cost", in.as.Cost, 1, 65535)
		t.within("Priority", in.as.Priority, 0, 63)
		t.toggle("HairPin", in.as.Hairpin)
		t.toggle("Learning", in.as.Learning)
		t.toggle("NeighborSuppression", in.as.NeighSuppress)
	}
}

func (r *renderer) address(t *text, l *network.Link, a *network.Address) {
	t.set("Address", writtenPrefix(a.Text, a.Prefix))
	if a.Prefix.Addr().Is4() {
		t.set("Label", a.Label)
		if a.Broadcast.IsValid() {
			t.set("Broadcast", a.Broadcast.String())
		}
	} else if a.Label != "" || a.Broadcast.IsValid() {
		r.report(rules.NetworkIgnored, &a.At, "an address of IPv6 has no label and no broadcast address: those of %q have no effect", l.ID)
	}
	if a.Peer.IsValid() {
		t.set("Peer", netip.PrefixFrom(a.Peer, a.Prefix.Bits()).String())
	}
	if a.Deprecated {
		t.set("PreferredLifetime", "0")
	} else if a.Forever {
		t.set("PreferredLifetime", "forever")
	}
}

func (r *renderer) route(t *text, l *network.Link, v *network.Route) {
	// A gateway alone is that of the default route. Where the description names the route, the file does too.
	if !v.IsDefault() || !v.Via.IsValid() || v.ToText != "" || v.Metric != nil || v.Table != 0 {
		t.set("Destination", writtenPrefix(v.ToText, v.To))
	}
	if v.Via.IsValid() {
		t.set("Gateway", writtenAddr(v.ViaText, v.Via))
	}
	switch alone := v.Via.IsValid() && len(l.Addresses) == 0; {
	case v.OnLink == network.On || alone && v.OnLink == network.Unset: // networkd takes the second for granted, and says so each time
		t.set("GatewayOnLink", "yes")
	case alone:
		t.set("GatewayOnLink", "no")
	}
	if v.From.IsValid() {
		t.set("PreferredSource", v.From.String())
	}
	t.number("Metric", v.Metric)
	if v.Table != 0 {
		t.number("Table", &v.Table)
	}
	switch {
	case v.Scope == "" || v.Scope == "global":
	case v.To.Addr().Is4():
		t.word("Scope", v.Scope, "site link host nowhere")
	case v.Type != "local": // whose scope goes without saying
		r.report(rules.NetworkIgnored, &v.At, "routes of IPv6 have no scope: %q of %q has no effect", v.Scope, l.ID)
	}
	if v.Type != "unicast" {
		t.word("Type", v.Type, "local broadcast anycast multicast blackhole unreachable prohibit throw nat xresolve")
	}
	t.positive("MTUBytes", v.MTU)
	t.positive("TCPAdvertisedMaximumSegmentSize", v.AdvertisedMSS)
	window(t, "InitialCongestionWindow", v.CongestionWindow)
	window(t, "InitialAdvertisedReceiveWindow", v.AdvertisedReceiveWindow)
}

func window(t *text, key string, packets int) {
	if packets != 0 {
		n := uint32(packets)
		t.within(key, &n, 1, 1023)
	}
}

func policy(t *text, r *network.Rule) {
	if r.From.IsValid() {
		t.set("From", writtenPrefix(r.FromText, r.From))
	}
	if r.To.IsValid() {
		t.set("To", writtenPrefix(r.ToText, r.To))
	}
	if !r.From.IsValid() && !r.To.IsValid() {
		t.set("Family", "both") // networkd would take IPv4 alone
	}
	if r.Table != 0 {
		t.number("Table", &r.Table)
	}
	t.number("Priority", r.Priority)
	t.within("FirewallMark", r.Mark, 1, math.MaxUint32)
	t.within("TypeOfService", r.TOS, 0, 255)
}

// dhcp says what of the answers of DHCP servers and routers is taken.
func (r *renderer) dhcp(t *text, l *network.Link) {
	d := &l.DHCP
	v4, v6, ra := &d.Overrides4, &d.Overrides6, &l.IPv6.RA
	// What is sent as the name is one setting for both.
	if !d.V4 {
		v4 = &network.Overrides{SendHostname: v6.SendHostname, Hostname: v6.Hostname}
	} else if d.V6 && (v6.SendHostname != network.Unset && v6.SendHostname != v4.SendHostname || v6.Hostname != "" && v6.Hostname != v4.Hostname) {
		r.report(rules.NetworkIgnored, &l.At, "networkd sends one name by DHCP on %q, that for IPv4", l.ID)
	}
	t.begin("DHCPv4")
	if d.ByMAC && d.V4 {
		t.set("ClientIdentifier", "mac")
	}
	taken(t, v4)
	t.toggle("UseMTU", v4.UseMTU)
	t.toggle("UseRoutes", v4.UseRoutes)
	t.toggle("SendHostname", v4.SendHostname)
	t.set("Hostname", v4.Hostname)
	t.number("RouteMetric", v4.Metric)

	if d.V6 {
		t.begin("DHCPv6")
		taken(t, v6)
		// Routes do not come by DHCPv6 but by router advertisements: networkd takes the metric here as that of those.
		if ra.Metric == nil {
			t.number("RouteMetric", v6.Metric)
		}
		// What is said of both versions alike, as netplan wants it, is meant for IPv4.
		if v6.UseRoutes != network.Unset && !(d.V4 && v6.UseRoutes == v4.UseRoutes) || v6.UseMTU != network.Unset && !(d.V4 && v6.UseMTU == v4.UseMTU) {
			r.report(rules.NetworkIgnored, &l.At, "DHCPv6 tells neither routes nor an MTU, so whether %q uses them has no effect", l.ID)
		}
	}

	t.begin("IPv6AcceptRA")
	t.toggle("UseDNS", ra.UseDNS)
	t.word("UseDomains", ra.UseDomains, "yes no route")
	t.toggle("UseMTU", ra.UseMTU)
	if ra.UseRoutes != network.Unset {
		t.toggle("UseGateway", ra.UseRoutes)
		t.toggle("UseRoutePrefix", ra.UseRoutes)
	}
	if ra.UseNTP != network.Unset || ra.UseHostname != network.Unset || ra.SendHostname != network.Unset || ra.Hostname != "" {
		r.report(rules.NetworkIgnored, &l.At, "routers say nothing of time servers and names of machines, so that of %q has no effect", l.ID)
	}
	t.number("RouteMetric", ra.Metric)
	if l.IPv6.RATable != 0 {
		t.set("RouteTable", strconv.FormatUint(uint64(l.IPv6.RATable), 10))
	}
}

// taken are the settings that DHCP has in both versions.
func taken(t *text, o *network.Overrides) {
	t.toggle("UseDNS", o.UseDNS)
	t.toggle("UseNTP", o.UseNTP)
	t.toggle("UseHostname", o.UseHostname)
	t.word("UseDomains", o.UseDomains, "yes no route")
}

// writtenAddr is an address as its author wrote it, if that is what was read.
func writtenAddr(text string, addr netip.Addr) string {
	if a, err := netip.ParseAddr(text); err == nil && a == addr {
		return text
	}
	return addr.String()
}

// writtenPrefix is a prefix as its author wrote it, without bits for a host, if that is what was read.
func writtenPrefix(text string, prefix netip.Prefix) string {
	p, err := netip.ParsePrefix(text)
	if a, hostErr := netip.ParseAddr(text); hostErr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err == nil && (p == prefix || p.Masked() == prefix) {
		return text
	}
	return prefix.String()
}
