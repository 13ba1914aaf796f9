package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"cloudconfig/schema/certificate"
	"cloudconfig/schema/language"
	"cloudconfig/schema/unitfile"
)

// Machine is what the configuration, and the metadata if there is any, say of the machine's own names and addresses.
// What stands for a variable is known from the metadata alone.
func (c *Config) Machine(meta *Metadata) certificate.Machine {
	var m certificate.Machine
	name := func(n string) {
		if n = strings.TrimSuffix(n, "."); n != "" && language.ValidHostname(n) && !slices.Contains(m.Names, n) {
			m.Names = append(m.Names, n)
		}
	}
	address := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && !a.IsLoopback() && !a.IsUnspecified() {
			m.Addresses = append(m.Addresses, a.Unmap().WithZone(""))
		}
	}
	name(c.Hostname.V)
	name(c.System.FQDN.V)
	if meta != nil {
		name(meta.Hostname)
		for _, a := range []string{meta.PublicIPv4, meta.PrivateIPv4, meta.PublicIPv6, meta.PrivateIPv6} {
			address(a)
		}
	}
	for _, agent := range c.Agents {
		for _, s := range agent.Settings {
			if isOwnAddress(s.Key) {
				for _, item := range strings.Split(s.Value.V, ",") {
					address(hostNamed(strings.TrimSpace(item)))
				}
			}
		}
	}
	if c.Network != nil {
		for i := range c.Network.Links {
			for _, a := range c.Network.Links[i].Addresses {
				address(a.Prefix.Addr().String())
			}
		}
	}
	for _, u := range c.Units {
		if !strings.HasSuffix(u.Name.V, ".network") {
			continue
		}
		sections, _ := unitfile.Parse(u.Content.V)
		for _, section := range sections {
			for _, directive := range section.Directives {
				if directive.Name == "Address" {
					a, _, _ := strings.Cut(directive.Value, "/")
					address(a)
				}
			}
		}
	}
	return m
}

// isOwnAddress says that an agent's setting of this name is an address of the machine itself.
func isOwnAddress(key string) bool {
	switch key {
	case "advertise_client_urls", "initial_advertise_peer_urls", "listen_client_urls", "listen_peer_urls",
		"addr", "bind_addr", "peer_addr", "peer_bind_addr", "public_ip":
		return true
	}
	return false
}

// hostNamed is the host of a URL, or of an address with or without a port.
func hostNamed(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Hostname()
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().String()
	}
	return text
}
