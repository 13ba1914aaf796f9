//go:build integration && linux

package nspawn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// state is everything that the kernel and resolved hold of a machine's network, one thing a line and sorted, but what
// the kernel makes by itself: the loopback, addresses that are link-local, routes to what is on a link, the three
// rules. Of a link there is its kind, with what tells one of its kind from another, and its MTU if it is not 1500:
//
//	eth0 card 02:00:00:00:00:01
//	bond0 bond active-backup
//	bond0.5 vlan 5 on bond0 mtu 1400
//	eth1 card 02:00:00:00:00:02 in bond0
//	eth0 10.77.0.2/24
//	default via 10.77.0.1 dev eth0
//	table 100 default via 10.77.1.1 dev eth1 metric 50
//	rule 100 from 10.77.1.0/24 lookup 100
//	eth0 dns 10.77.0.1 10.77.1.1
//	eth0 domains example.net ~.
type state []string

func (m *machine) state(ctx context.Context) (state, error) {
	text, err := m.sh(ctx, `ip -d -json link && ip -json addr && ip -4 -json route show table all && ip -json -6 route show table all &&
		ip -json rule && ip -json -6 rule && resolvectl dns && resolvectl domain`)
	if err != nil {
		return nil, err
	}
	var (
		links    []link
		addrs    []link
		routes   [2][]route
		rules    [2][]rule
		settings state
	)
	d := json.NewDecoder(strings.NewReader(text))
	for _, into := range []any{&links, &addrs, &routes[0], &routes[1], &rules[0], &rules[1]} {
		if err := d.Decode(into); err != nil {
			return nil, fmt.Errorf("what ip says: %w: %s", err, text)
		}
	}
	for i, kind := range strings.Split(text[d.InputOffset():], "Global") {
		settings = append(settings, resolver(kind, []string{"", "dns", "domains"}[min(i, 2)])...)
	}
	s := settings
	for _, l := range links {
		if l.Name != "lo" {
			s = append(s, l.String())
		}
	}
	for _, l := range addrs {
		s = append(s, l.addresses()...)
	}
	for _, family := range routes {
		for _, r := range family {
			if r.ofKernel() {
				continue
			}
			for _, hop := range r.Hops { // IPv6's routes to one place are shown as one
				one := r
				one.Gateway, one.Dev = hop.Gateway, hop.Dev
				s = append(s, one.String())
			}
			if len(r.Hops) == 0 {
				s = append(s, r.String())
			}
		}
	}
	for i, family := range rules {
		for _, r := range family {
			if !r.ofKernel() {
				s = append(s, r.in(i))
			}
		}
	}
	slices.Sort(s)
	return s, nil
}

// resolver is one answer of resolvectl: "Link 2 (eth0): 10.0.0.1 10.0.0.2".
func resolver(text, kind string) (s state) {
	for line := range strings.Lines(text) {
		name, values, ok := strings.Cut(strings.TrimSpace(line), "): ")
		_, name, found := strings.Cut(name, "(")
		if ok && found && values != "" {
			s = append(s, name+" "+kind+" "+values)
		}
	}
	return s
}

// link is what ip says of one, with or without its addresses.
type link struct {
	Name    string `json:"ifname"`
	Parent  string `json:"link"`
	Master  string
	Address string
	MTU     int
	Info    struct {
		Kind string `json:"info_kind"`
		Data struct {
			ID    int
			Mode  string
			Table int
		} `json:"info_data"`
	} `json:"linkinfo"`
	Addresses []struct {
		Local                string
		Length               int `json:"prefixlen"`
		Scope                string
		Tentative, DadFailed bool
	} `json:"addr_info"`
}

func (l link) String() string {
	text := l.Name
	switch l.Info.Kind {
	case "", "veth":
		text += " card " + l.Address
	case "vlan":
		text += fmt.Sprintf(" vlan %d on %s", l.Info.Data.ID, l.Parent)
	case "bond":
		text += " bond " + l.Info.Data.Mode
	case "vrf":
		text += fmt.Sprintf(" vrf table %d", l.Info.Data.Table)
	default:
		text += " " + l.Info.Kind
	}
	if l.Master != "" {
		text += " in " + l.Master
	}
	if l.MTU != 1500 && l.Info.Kind != "vrf" {
		text += fmt.Sprintf(" mtu %d", l.MTU)
	}
	return text
}

func (l link) addresses() (s state) {
	for _, a := range l.Addresses {
		if l.Name == "lo" && a.Scope == "host" || a.Scope == "link" && strings.HasPrefix(a.Local, "fe80:") {
			continue
		}
		text := fmt.Sprintf("%s %s/%d", l.Name, a.Local, a.Length)
		if a.Tentative {
			text += " tentative"
		}
		if a.DadFailed {
			text += " duplicate"
		}
		s = append(s, text)
	}
	return s
}

// route is what ip says of one.
type route struct {
	Type, Dst, Gateway, Dev, Protocol, PrefSrc, Table string
	Via                                               struct{ Host string }
	Metric                                            int
	Flags                                             []string
	Hops                                              []struct{ Gateway, Dev string } `json:"nexthops"`
}

func (r route) ofKernel() bool {
	return r.Protocol == "kernel" || r.Table == "local" || r.Type == "multicast" || r.Dst == "multicast" || strings.HasPrefix(r.Dst, "fe80:")
}

func (r route) String() string {
	var text string
	if r.Table != "" && r.Table != "main" {
		text = "table " + r.Table + " "
	}
	if r.Type != "" && r.Type != "unicast" {
		text += r.Type + " "
	}
	text += r.Dst
	if gateway := r.Gateway + r.Via.Host; gateway != "" {
		text += " via " + gateway
	}
	text += " dev " + r.Dev
	if r.Metric != 0 && r.Metric != 1024 { // the kernel's for IPv6, and networkd's for DHCP
		text += fmt.Sprintf(" metric %d", r.Metric)
	}
	if r.PrefSrc != "" {
		text += " src " + r.PrefSrc
	}
	if r.Protocol != "static" {
		text += " by " + r.Protocol
	}
	if slices.Contains(r.Flags, "onlink") {
		text += " onlink"
	}
	return text
}

// rule is what ip says of one.
type rule struct {
	Priority           int
	Src, Dst           string
	SrcLen, DstLen     int
	Table, FwMark, Iif string
	Tos                string
}

// ofKernel are the three that are always there, and that of VRFs.
func (r rule) ofKernel() bool {
	return r.Priority == 0 || r.Priority >= 32766 || r.Priority == 1000 && r.Table == ""
}

func (r rule) in(family int) string {
	text := fmt.Sprintf("rule %d", r.Priority)
	if family == 1 {
		text = fmt.Sprintf("rule6 %d", r.Priority)
	}
	for _, end := range []struct {
		name, address string
		bits          int
	}{{"from", r.Src, r.SrcLen}, {"to", r.Dst, r.DstLen}} {
		switch address, err := netip.ParseAddr(end.address); {
		case end.address == "" || end.address == "all":
		case err == nil && end.bits != 0 && end.bits != address.BitLen():
			text += " " + end.name + " " + end.address + "/" + strconv.Itoa(end.bits)
		default:
			text += " " + end.name + " " + end.address
		}
	}
	for _, more := range []struct{ name, value string }{{"fwmark", r.FwMark}, {"tos", r.Tos}, {"iif", r.Iif}} {
		if more.value != "" {
			text += " " + more.name + " " + more.value
		}
	}
	return text + " lookup " + r.Table
}

// wantState waits until the network is exactly as it should be, and no link has failed.
func (m *machine) wantState(t *testing.T, want ...string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	began, again := time.Now(), false
	err := poll(t.Context(), 30*time.Second, func() error {
		got, err := m.state(t.Context())
		if err != nil {
			return err
		}
		if diff := difference(got, want); diff != "" {
			// systemd-networkd 252 may have a lease before it is done with a link that has just come up, begins anew, and
			// never sets the address that it gets once more. Only its restart helps.
			if stuck, _ := m.sh(t.Context(), "networkctl --no-legend list | awk '$5 == \"configuring\" { print $2 }'"); stuck != "" && !again && time.Since(began) > 10*time.Second {
				again = true
				t.Logf("systemd-networkd is stuck with %s, which lacks\n%s", stuck, diff)
				_, _ = m.sh(t.Context(), "systemctl restart systemd-networkd")
			}
			return fmt.Errorf("the network is other than asked:\n%s", diff)
		}
		return m.failedLink(t.Context())
	})
	if err != nil {
		out, _ := m.sh(t.Context(), "networkctl --no-pager -a status; tail -n +1 /etc/systemd/network/* /run/systemd/network/*; journalctl -b --no-pager -u systemd-networkd | tail -n 60")
		t.Errorf("%v\n%s", err, out)
	}
}

// difference is what is there and not wanted, and the other way round.
func difference(got, want []string) string {
	var out strings.Builder
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	if out.Len() == 0 && len(got) != len(want) {
		return fmt.Sprintf("something is there twice: %q", got)
	}
	return out.String()
}

// failedLink is the error that a link is not as networkd wants it.
func (m *machine) failedLink(ctx context.Context) error {
	text, err := m.sh(ctx, "networkctl --json=short list")
	if err != nil {
		return err
	}
	var all struct {
		Interfaces []struct{ Name, AdministrativeState string }
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return fmt.Errorf("networkctl: %w: %s", err, text)
	}
	for _, i := range all.Interfaces {
		// One that waits for router advertisements is "configuring" for 12 seconds, with all that else is asked of it.
		if i.AdministrativeState == "failed" || i.AdministrativeState == "pending" {
			return fmt.Errorf("%s is %s", i.Name, i.AdministrativeState)
		}
	}
	return nil
}

// wantNoComplaint checks that since the last time networkd had nothing to say against any file, and could do all that they say.
func (m *machine) wantNoComplaint(t *testing.T) {
	t.Helper()
	m.want(t, "", `journalctl -b -o cat --no-pager --cursor-file=/run/seen -u systemd-networkd -u systemd-udevd -u systemd-resolved |
		grep -E '/systemd/network/.*:|rong|nknown|gnoring|ailed|nvalid|ould not|annot|onflict|requires|without' |
		grep -vE 'Could not set (hostname|timezone)|Failed to (create symlink|check NRestarts|read .* for the interface, ignoring)' || :`)
}
