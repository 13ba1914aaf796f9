package networkd

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"cloudconfig/schema/network"
	"cloudconfig/schema/rules"
)

// netdevFile is the .netdev by which networkd makes a link; nil of one that is made with another, or not by networkd.
func (r *renderer) netdevFile(l *network.Link) *text {
	t := &text{}
	t.begin("NetDev")
	t.set("Name", l.ID)
	t.word("Kind", kind(l), "bond bridge vlan vrf dummy veth gre gretap ipip ip6gre ip6gretap ip6tnl sit vti vti6 vxlan wireguard")
	t.set("MACAddress", l.MAC)
	t.positive("MTUBytes", l.MTU)
	switch l.Kind {
	case network.Bond:
		if l.Bond != nil {
			t.begin("Bond")
			bond(t, l.Bond)
		}
	case network.Bridge:
		if l.Bridge != nil {
			t.begin("Bridge")
			bridge(t, l.Bridge)
		}
	case network.VLAN:
		t.begin("VLAN")
		id := uint32(l.VLANID)
		t.within("Id", &id, 0, 4094)
	case network.VRF:
		t.begin("VRF")
		t.within("Table", &l.Table, 1, math.MaxUint32)
	case network.Veth:
		// networkd makes both ends by the file of one.
		other := r.links[l.Peer.ID]
		switch {
		case l.Peer.ID == "" || l.Peer.ID == l.ID:
			r.report(rules.NetworkConflict, &l.At, "%q has no other end", l.ID)
			return nil
		case other != nil && other.Kind == network.Veth && other.ID < l.ID:
			return nil
		}
		t.begin("Peer")
		t.set("Name", l.Peer.ID)
	case network.Tunnel:
		if l.Tunnel == nil {
			r.report(rules.NetworkConflict, &l.At, "%q has no mode", l.ID)
			return nil
		}
		switch l.Tunnel.Mode {
		case "vxlan":
			vxlan(t, l)
		case "wireguard":
			wireguard(t, l.Tunnel)
		default:
			tunnel(t, l)
		}
	}
	return t
}

// kind is the Kind= of systemd.netdev(5).
func kind(l *network.Link) string {
	if l.Kind != network.Tunnel || l.Tunnel == nil {
		return string(l.Kind)
	}
	switch l.Tunnel.Mode {
	case "ipip6", "ip6ip6":
		return "ip6tnl"
	case "isatap":
		return "sit"
	}
	return l.Tunnel.Mode
}

func bond(t *text, b *network.BondOptions) {
	t.word("Mode", b.Mode, "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb")
	t.word("LACPTransmitRate", b.LACPRate, "slow fast")
	t.word("TransmitHashPolicy", b.TransmitHash, "layer2 layer3+4 layer2+3 encap2+3 encap3+4")
	t.word("AdSelect", b.AdSelect, "stable bandwidth count")
	t.milliseconds("MIIMonitorSec", b.MIIMonitor)
	t.milliseconds("UpDelaySec", b.UpDelay)
	t.milliseconds("DownDelaySec", b.DownDelay)
	t.milliseconds("ARPIntervalSec", b.ARPInterval)
	var targets []string
	for _, a := range b.ARPTargets {
		targets = append(targets, a.String())
	}
	t.items("ARPIPTargets", targets)
	t.word("ARPValidate", b.ARPValidate, "none active backup all")
	t.word("ARPAllTargets", b.ARPAllTargets, "any all")
	t.word("FailOverMACPolicy", b.FailOverMAC, "none active follow")
	t.word("PrimaryReselectPolicy", b.PrimaryReselect, "always better failure")
	t.number("MinLinks", b.MinLinks)
	t.toggle("AllSlavesActive", b.AllMembersActive)
	t.within("GratuitousARP", b.GratuitousARP, 0, 255)
	t.within("PacketsPerSlave", b.PacketsPerMember, 0, 65535)
	t.within("ResendIGMP", b.ResendIGMP, 0, 255)
	t.within("LearnPacketIntervalSec", b.LearnPacketSec, 1, math.MaxInt32)
	t.toggle("DynamicTransmitLoadBalancing", b.DynamicLB)
}

func bridge(t *text, b *network.BridgeOptions) {
	if b.STP == network.On { // the kernel's own is off
		t.set("STP", "yes")
	}
	t.within("Priority", b.Priority, 0, 65535)
	t.number("AgeingTimeSec", b.AgeingTime)
	t.number("ForwardDelaySec", b.ForwardDelay)
	t.number("HelloTimeSec", b.HelloTime)
	t.number("MaxAgeSec", b.MaxAge)
	t.toggle("VLANFiltering", b.VLANFiltering)
}

// ends are the two addresses of a tunnel; a group of many is the far end of a VXLAN.
func ends(t *text, o *network.TunnelOptions) {
	if o.Local.IsValid() {
		t.set("Local", o.Local.String())
	}
	switch {
	case o.Mode == "vxlan" && (o.Remote.IsMulticast() || !o.Remote.IsValid() && o.Group.IsValid()):
		group := o.Group
		if o.Remote.IsValid() {
			group = o.Remote
		}
		t.set("Group", group.String())
	case o.Remote.IsValid():
		t.set("Remote", o.Remote.String())
	}
	t.within("TTL", o.TTL, 0, 255)
}

func tunnel(t *text, l *network.Link) {
	o := l.Tunnel
	t.begin("Tunnel")
	if l.Parent.ID == "" {
		t.set("Independent", "yes")
	}
	switch o.Mode {
	case "ipip6", "ip6ip6":
		t.set("Mode", o.Mode)
	case "isatap":
		t.set("ISATAP", "yes")
	}
	ends(t, o)
	t.set("InputKey", o.InputKey)
	t.set("OutputKey", o.OutputKey)
}

func vxlan(t *text, l *network.Link) {
	o := l.Tunnel
	t.begin("VXLAN")
	t.within("VNI", o.VNI, 1, 1<<24-1)
	if l.Parent.ID == "" {
		t.set("Independent", "yes")
	}
	ends(t, o)
	t.within("TOS", o.TypeOfService, 0, 255)
	t.toggle("MacLearning", o.MACLearning)
	t.number("FDBAgeingSec", o.Ageing)
	t.number("MaximumFDBEntries", o.Limit)
	t.toggle("ReduceARPProxy", o.ARPProxy)
	t.toggle("RouteShortCircuit", o.ShortCircuit)
	flags(t, o.Notifications, "l2-miss L2MissNotification", "l3-miss L3MissNotification")
	flags(t, o.Checksums, "udp UDPChecksum", "zero-udp6-tx UDP6ZeroChecksumTx", "zero-udp6-rx UDP6ZeroChecksumRx", "remote-tx RemoteChecksumTx", "remote-rx RemoteChecksumRx")
	flags(t, o.Extensions, "group-policy GroupPolicyExtension", "generic-protocol GenericProtocolExtension")
	t.within("DestinationPort", o.Port, 1, 65535)
	if o.PortRange != [2]uint16{} {
		t.set("PortRange", fmt.Sprintf("%d-%d", o.PortRange[0], o.PortRange[1]))
	}
	t.within("FlowLabel", o.FlowLabel, 0, 1<<20-1)
	t.toggle("IPDoNotFragment", o.DontFragment)
}

// flags sets those of some settings whose words are in a list; each is a word and a key.
func flags(t *text, words []string, known ...string) {
	for _, word := range words {
		key := ""
		for _, k := range known {
			if w, setting, _ := strings.Cut(k, " "); w == word {
				key = setting
			}
		}
		if key == "" {
			t.problems = append(t.problems, problem{fmt.Sprintf("%q", word), "networkd has no such setting"})
			continue
		}
		t.set(key, "yes")
	}
}

func wireguard(t *text, o *network.TunnelOptions) {
	t.begin("WireGuard")
	t.set("PrivateKey", o.PrivateKey.Reveal())
	t.set("PrivateKeyFile", o.PrivateKeyFile)
	t.within("ListenPort", o.ListenPort, 1, 65535)
	t.within("FirewallMark", o.Mark, 1, math.MaxUint32)
	t.secret = o.PrivateKey != ""
	for _, p := range o.Peers {
		t.begin("WireGuardPeer")
		t.set("PublicKey", p.PublicKey)
		t.set("PresharedKey", p.PresharedKey.Reveal())
		t.set("PresharedKeyFile", p.PresharedKeyFile)
		t.set("Endpoint", p.Endpoint)
		t.set("AllowedIPs", prefixes(p.AllowedIPs))
		t.within("PersistentKeepalive", p.Keepalive, 0, 65535)
		t.secret = t.secret || p.PresharedKey != ""
	}
}

func prefixes(list []netip.Prefix) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.Masked().String()
	}
	return strings.Join(words, ",")
}
