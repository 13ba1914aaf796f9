package v1

import (
	"slices"
	"strconv"

	"cloudconfig/schema/network"
	"cloudconfig/schema/network/entry"
)

// bond reads a bond.
func (r *reader) bond(e *entry.Entry, l *network.Link) {
	r.members(e, "bond_interfaces", l)
	p := e.Below("params").Bare("bond_")
	p.Only("the parameters of a bond", slices.Concat(bondParams, noBondParams, []string{"mac_address", "slaves"})...)
	r.members(p, "slaves", l)
	o := Bond(p)
	o.Primary = r.ref(p.Ref("primary"), p.Path("primary"))
	if mac := p.MAC("mac_address"); mac != "" && l.MAC == "" {
		l.MAC = mac
	}
	l.Bond = o
	r.add(l)
}

// bondParams are the parameters of a bond, as ifenslave and the kernel call them.
var bondParams = []string{
	"mode", "miimon", "updelay", "downdelay", "xmit_hash_policy", "lacp_rate", "ad_select", "arp_interval", "arp_ip_target", "arp_ip_targets", "arp_validate",
	"arp_all_targets", "fail_over_mac", "primary", "primary_reselect", "min_links", "all_slaves_active", "num_grat_arp", "num_unsol_na", "packets_per_slave",
	"resend_igmp", "lp_interval", "tlb_dynamic_lb",
}

// noBondParams are those that systemd-networkd has no settings for.
var noBondParams = []string{
	"active_slave", "ad_actor_key", "ad_actor_sys_prio", "ad_actor_system", "ad_aggregator", "ad_num_ports", "ad_partner_key", "ad_partner_mac",
	"ad_user_port_key", "mii_status", "peer_notif_delay", "queue_id", "use_carrier",
}

// choice is a parameter in words, also where it is written as the kernel's number.
func choice(e *entry.Entry, key string) string {
	n := e.Scalar(key)
	if n == nil {
		return ""
	}
	words := network.BondWords(key)
	if i, err := strconv.Atoi(n.Value); err == nil && i >= 0 && i < len(words) {
		return words[i]
	}
	// YAML has made truths of words.
	if n.Tag == "!!bool" && (key == "arp_validate" || key == "fail_over_mac") {
		if e.Toggle(key) == network.Off {
			return "none"
		}
		return map[string]string{"arp_validate": "all", "fail_over_mac": "active"}[key]
	}
	return e.Word(key, words...)
}

// Bond is the options of a bond by its parameters, whose primary is for the caller. What systemd-networkd has no setting
// for is reported.
func Bond(p *entry.Entry) *network.BondOptions {
	milliseconds := func(key string) *uint32 { return p.Number(key, "a number of milliseconds", 0, 1<<31-1) }
	o := &network.BondOptions{
		Mode: choice(p, "mode"), LACPRate: choice(p, "lacp_rate"), TransmitHash: choice(p, "xmit_hash_policy"), AdSelect: choice(p, "ad_select"),
		MIIMonitor: milliseconds("miimon"), UpDelay: milliseconds("updelay"), DownDelay: milliseconds("downdelay"),
		ARPInterval: milliseconds("arp_interval"), ARPValidate: choice(p, "arp_validate"), ARPAllTargets: choice(p, "arp_all_targets"),
		FailOverMAC: choice(p, "fail_over_mac"), PrimaryReselect: choice(p, "primary_reselect"),
		MinLinks:         p.Number("min_links", "a number of links", 0, 1<<16),
		AllMembersActive: p.Toggle("all_slaves_active"), DynamicLB: p.Toggle("tlb_dynamic_lb"),
		GratuitousARP:    p.Number("num_grat_arp", "a number of packets", 0, 255),
		PacketsPerMember: p.Number("packets_per_slave", "a number of packets", 0, 65535),
		ResendIGMP:       p.Number("resend_igmp", "a number of packets", 0, 255),
		LearnPacketSec:   p.Number("lp_interval", "a number of seconds", 1, 1<<31-1),
	}
	if n := p.Number("num_unsol_na", "a number of packets", 0, 255); o.GratuitousARP == nil {
		o.GratuitousARP = n // the kernel has one number under both names
	}
	for _, key := range []string{"arp_ip_target", "arp_ip_targets"} {
		for _, s := range p.Servers(key) {
			o.ARPTargets = append(o.ARPTargets, s.Addr)
		}
	}
	for _, key := range noBondParams {
		if p.Value(key) != nil {
			p.Ignored(key, "systemd-networkd has no setting for %s of a bond", key)
		}
	}
	return o
}
