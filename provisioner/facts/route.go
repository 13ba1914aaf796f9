package facts

import (
	"net/netip"

	"cloudconfig/provisioner/plan"
)

// tableMain is the routing table that everybody looks at.
const tableMain = 254

// defaultRoutes finds an address of the interface of the default route, for each family; empty without one.
func defaultRoutes(all []plan.Interface) (ipv4, ipv6 string) {
	return defaultAddress(all, netip.Addr.Is4), defaultAddress(all, netip.Addr.Is6)
}

// defaultAddress is the address from which the default route with the lowest metric sends, or else the first one of
// its interface that is good for others.
func defaultAddress(all []plan.Interface, family func(netip.Addr) bool) string {
	var best *plan.InterfaceRoute
	var of *plan.Interface
	for i := range all {
		for j := range all[i].Routes {
			r := &all[i].Routes[j]
			if r.To.Bits() == 0 && r.Table == tableMain && family(r.To.Addr()) && (best == nil || r.Metric < best.Metric) {
				best, of = r, &all[i]
			}
		}
	}
	switch {
	case best == nil:
		return ""
	case usable(best.Source):
		return best.Source.String()
	}
	for _, a := range of.Addresses {
		if family(a.Prefix.Addr()) && usable(a.Prefix.Addr()) && !a.Tentative && !a.Duplicate && !a.Deprecated && !a.Temporary {
			return a.Prefix.Addr().String()
		}
	}
	return ""
}

func usable(a netip.Addr) bool { return a.IsGlobalUnicast() }
