package networkd

import (
	"net"
	"sort"
	"strings"

	"cloudconfig/schema/network"
)

// offloads are those of systemd.link(5) that take yes or no.
const offloads = " ReceiveChecksumOffload TransmitChecksumOffload TCPSegmentationOffload TCP6SegmentationOffload " +
	"GenericSegmentationOffload GenericReceiveOffload GenericReceiveOffloadHardware LargeReceiveOffload " +
	"ReceiveVLANCTAGHardwareAcceleration TransmitVLANCTAGHardwareAcceleration ReceiveVLANCTAGFilter TransmitVLANSTAGHardwareAcceleration NTupleFilter "

// linkFile is the .link of a card: what udev sets before networkd sees it. It is nil if there is nothing of that kind.
func linkFile(l *network.Link) *text {
	h := l.Hardware
	if l.Rename == "" && h.MACPolicy == "" && l.MTU == 0 && h.WakeOnLAN == network.Unset && len(h.Offloads) == 0 {
		return nil
	}
	t := &text{}
	t.begin("Match")
	t.items("Driver", l.Match.Drivers)
	own(t, l)
	names := l.Match.Names
	if l.Match.IsZero() {
		names = []string{l.ID}
	}
	t.items("OriginalName", names)

	t.begin("Link")
	switch {
	case l.Rename != "":
		t.set("Name", l.Rename)
	case !l.Match.IsZero():
		// udev takes one file for a link, and this one is instead of its 99-default.link: the card is still named as there.
		t.set("NamePolicy", "keep kernel database onboard slot path")
		t.set("AlternativeNamesPolicy", "database onboard slot path")
		if h.MACPolicy == "" {
			t.set("MACAddressPolicy", "persistent")
		}
	}
	t.word("MACAddressPolicy", h.MACPolicy, "persistent random")
	switch h.WakeOnLAN {
	case network.On:
		t.set("WakeOnLan", "magic")
	case network.Off:
		t.set("WakeOnLan", "off")
	}
	t.positive("MTUBytes", l.MTU)
	for _, key := range sorted(h.Offloads) {
		if !strings.Contains(offloads, " "+key+" ") {
			t.problems = append(t.problems, problem{"an offload", "systemd has no such setting"})
			continue
		}
		t.toggle(key, network.ToggleOf(h.Offloads[key]))
	}
	return t
}

// own matches a card by its own address. The current one is not it: a bond gives its members one address, and a VLAN has that of its parent.
func own(t *text, l *network.Link) {
	m := &l.Match
	written := m.MAC
	if mac, err := net.ParseMAC(m.MACText); err == nil && mac.String() == m.MAC {
		written = m.MACText
	}
	switch {
	case m.Current && l.MAC != "": // it is given another
		t.items("MACAddress", []string{written, l.MAC})
	case m.Current:
		t.set("MACAddress", written)
	default:
		t.set("PermanentMACAddress", written)
	}
}

func sorted(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
