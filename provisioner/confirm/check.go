package confirm

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cloudconfig/provisioner/plan"
)

const (
	// poll is how often the kernel is asked.
	poll = 250 * time.Millisecond
	// steady is how long all must have been well: networkd answers first and acts then, so what is seen at once may be of the
	// network before.
	steady = 2 * time.Second
	// asking is how long a gateway or a host is asked at a time.
	asking = 2 * time.Second
)

// check waits until everything is so that the description claims, and gives what is not when time is over.
func (in *Input) check(ctx context.Context, m *mark) []string {
	bound := in.Timeout
	if bound == 0 {
		bound = time.Duration(m.TimeoutMS) * time.Millisecond
	}
	if bound <= 0 {
		bound = usual
	}
	ends := in.Now().Add(bound)
	return in.await(ctx, bound, func(ctx context.Context, all []plan.Interface) []string {
		var wrong []string
		for i := range m.Links {
			if w := in.missing(ctx, &m.Links[i], all); w != "" {
				wrong = append(wrong, w)
			}
			if len(wrong) > 0 && !in.Now().Before(ends) {
				return wrong // each gateway of many that are silent takes its time
			}
		}
		if len(wrong) == 0 && m.Host != "" {
			ctx, cancel := context.WithTimeout(ctx, asking)
			defer cancel()
			if err := in.Prober.Reach(ctx, m.Host); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s cannot be reached: %v", m.Host, err))
			}
		}
		return wrong
	})
}

// await looks until nothing has been wrong for a while, or time is over, or ctx ends; it gives what was wrong last. It says what it
// waits for whenever that is something else.
func (in *Input) await(ctx context.Context, bound time.Duration, look func(context.Context, []plan.Interface) []string) []string {
	ends := in.Now().Add(bound)
	said := ""
	var well time.Time // since when nothing is wrong
	for {
		all, err := in.Kernel.Interfaces(ctx)
		var wrong []string
		if err != nil {
			wrong = []string{err.Error()}
		} else {
			wrong = look(ctx, all)
		}
		now := in.Now()
		left := ends.Sub(now)
		switch {
		case ctx.Err() != nil:
			return []string{"the check was ended"} // what is wrong may be nothing but that
		case len(wrong) > 0 && left <= 0:
			return wrong
		case len(wrong) > 0:
			well = time.Time{}
		case well.IsZero():
			well = now
		case now.Sub(well) >= steady:
			return nil
		}
		if text := strings.Join(wrong, "; "); text != said && text != "" {
			said = text
			in.Say("waiting up to %s: %s", left.Round(time.Second), text)
		}
		in.Sleep(ctx, poll)
	}
}

// missing is the first thing that is not so with a link; "" if all is.
func (in *Input) missing(ctx context.Context, l *Link, all []plan.Interface) string {
	if l.Unchecked {
		return ""
	}
	i := l.find(all)
	name := l.Name
	if name == "" {
		name = l.MAC
	}
	switch {
	case i == nil:
		return name + ": there is no such interface"
	case l.Rename && i.Name != l.Name:
		return fmt.Sprintf("%s: it is still called %s", name, i.Name)
	case !i.Up:
		return i.Name + ": it is not up"
	case l.NoCarrier && !i.Carrier:
		return "" // and networkd sets no address then
	case !i.Carrier:
		return i.Name + ": no carrier"
	}
	for _, p := range l.Addresses {
		switch at := slices.IndexFunc(i.Addresses, func(a plan.InterfaceAddress) bool { return a.Prefix == p }); {
		case at < 0:
			return fmt.Sprintf("%s: the address %s is not there", i.Name, p)
		case i.Addresses[at].Duplicate:
			return fmt.Sprintf("%s: another machine has the address %s", i.Name, p)
		case i.Addresses[at].Tentative:
			return fmt.Sprintf("%s: the address %s is tentative", i.Name, p)
		}
	}
	if (l.DHCP4 || l.DHCP6) && !l.hasLease(i) {
		return i.Name + ": no address by DHCP"
	}
	for _, gateway := range l.gateways(i) {
		if err := in.asked(ctx, all, i, l.Addresses, gateway); err != nil {
			return fmt.Sprintf("%s: the gateway %s %v", i.Name, gateway, err)
		}
	}
	return ""
}

// hasLease says that there is an address that the description does not give: of IPv4 if DHCP is asked for one, of IPv6 likewise;
// where both are asked for, one of them, as many networks have no DHCP for IPv6. A lease may last for ever, so nothing is made of
// its time.
func (l *Link) hasLease(i *plan.Interface) bool {
	return slices.ContainsFunc(i.Addresses, func(a plan.InterfaceAddress) bool {
		ip := a.Prefix.Addr()
		wanted := l.DHCP4 && ip.Is4() || l.DHCP6 && ip.Is6()
		return wanted && !ip.IsLinkLocalUnicast() && !a.Tentative && !a.Duplicate && !slices.Contains(l.Addresses, a.Prefix)
	})
}

// gateways are those that the description names, and those of the default routes that DHCP has given.
func (l *Link) gateways(i *plan.Interface) []netip.Addr {
	all := slices.Clone(l.Gateways)
	for _, r := range i.Routes {
		if l.DHCP4 && r.Protocol == "dhcp" && r.To.Bits() == 0 && r.Via.IsValid() && !slices.Contains(all, r.Via) {
			all = append(all, r.Via)
		}
	}
	return all
}

// asked says why a gateway of a link is none; nil if it answers, or if nobody can ask it.
func (in *Input) asked(ctx context.Context, all []plan.Interface, i *plan.Interface, own []netip.Prefix, gateway netip.Addr) error {
	if i.Kind == "vrf" {
		if i, own = memberFor(all, i.Name, gateway), nil; i == nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	answers, err := in.Prober.Answers(ctx, i.Index, source(i, own, gateway), gateway)
	if err != nil {
		return fmt.Errorf("cannot be asked: %w", err)
	}
	if !answers {
		return fmt.Errorf("does not answer")
	}
	return nil
}

// memberFor is the member of a VRF whose network a gateway is in: the VRF itself sends nothing. It is nil if there is none.
func memberFor(all []plan.Interface, vrf string, gateway netip.Addr) *plan.Interface {
	for n := range all {
		if all[n].Master == vrf && slices.ContainsFunc(all[n].Addresses, func(a plan.InterfaceAddress) bool { return a.Prefix.Contains(gateway) }) {
			return &all[n]
		}
	}
	return nil
}

// source is the address from which a gateway is asked: one in its network, else any of its family; not valid if there is none.
func source(i *plan.Interface, own []netip.Prefix, gateway netip.Addr) netip.Addr {
	all := slices.Clone(own)
	for _, a := range i.Addresses {
		all = append(all, a.Prefix)
	}
	var any netip.Addr
	for _, p := range all {
		if p.Contains(gateway) {
			return p.Addr()
		}
		if !any.IsValid() && p.Addr().Is4() == gateway.Is4() {
			any = p.Addr()
		}
	}
	return any
}
