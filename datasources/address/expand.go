package address

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/machine"
)

// Variables are what a URL may have between "${" and "}".
var variables = []string{"arch", "asset-tag", "hostname", "ip", "mac", "mac:hexhyp", "mac:hexraw", "serial", "uuid"}

// network says from where a request to a host would leave. It sends nothing.
type network func(ctx context.Context, host string) (netip.Addr, error)

// expander fills in the variables of one URL.
type expander struct {
	machine *machine.Machine
	network network
	live    bool   // the machine is the one we run on
	host    string // of the URL; "" if it has a variable
	source  netip.Addr
}

// expand gives a URL with every variable replaced by its value, escaped so that it stays one piece of a path or of
// a query. "${name:-text}" is the text where the machine has no value; without the text that is an error. It wraps
// datasources.ErrNotReady if a value may come with the network.
func (x *expander) expand(ctx context.Context, rawURL string) (string, error) {
	var out strings.Builder
	x.host = hostOf(rawURL)
	err := walk(rawURL, func(text string) { out.WriteString(text) }, func(name, otherwise string, hasOtherwise bool) error {
		if err := known(name); err != nil {
			return err
		}
		value, err := x.value(ctx, name)
		switch {
		case err != nil:
			return fmt.Errorf("${%s}: %w", name, err)
		case value == "" && !hasOtherwise:
			return fmt.Errorf("${%s}: the machine has none; write ${%s:-TEXT} for one that may have none", name, name)
		case value == "":
			value = otherwise
		}
		out.WriteString(escape(value))
		return nil
	})
	return out.String(), err
}

// walk calls text for what stands between variables, and variable for each of them.
func walk(rawURL string, text func(string), variable func(name, otherwise string, hasOtherwise bool) error) error {
	for rest := rawURL; ; {
		before, after, found := strings.Cut(rest, "${")
		text(before)
		if !found {
			return nil
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return errors.New("a variable is not closed: write ${name}")
		}
		name, otherwise, has := strings.Cut(name, ":-")
		if err := variable(name, otherwise, has); err != nil {
			return err
		}
		rest = behind
	}
}

func known(name string) error {
	for _, v := range variables {
		if v == name {
			return nil
		}
	}
	return fmt.Errorf("%.40q is not a variable of a URL; known are %s", name, strings.Join(variables, ", "))
}

func (x *expander) value(ctx context.Context, name string) (string, error) {
	switch name {
	case "arch":
		return x.machine.Arch, nil
	case "asset-tag":
		return machine.Real(x.machine.DMI.ChassisAssetTag), nil
	case "hostname":
		return x.machine.Hostname, nil
	case "serial":
		return machine.Real(x.machine.DMI.ProductSerial), nil
	case "uuid":
		return x.machine.UUID(), nil
	case "ip":
		addr, err := x.leaves(ctx)
		return addr.String(), err
	}
	mac, err := x.mac(ctx)
	switch name {
	case "mac:hexhyp":
		mac = strings.ReplaceAll(mac, ":", "-")
	case "mac:hexraw":
		mac = strings.ReplaceAll(mac, ":", "")
	}
	return mac, err
}

// leaves is the address that the request comes from.
func (x *expander) leaves(ctx context.Context) (netip.Addr, error) {
	if !x.source.IsValid() {
		addr, err := x.network(ctx, x.host)
		if err != nil {
			return addr, fmt.Errorf("no way to the server yet: %v: %w", err, datasources.ErrNotReady)
		}
		x.source = addr
	}
	return x.source, nil
}

// mac is that of the card that the machine was booted from, as PXE loaders write it to the command line, else of the
// card that the request leaves from, else of the only card there is.
//
// Source: SYSLINUX, "IPAPPEND" (6.03): BOOTIF=01-88-99-aa-bb-cc-dd, the first byte being the type of hardware.
func (x *expander) mac(ctx context.Context) (string, error) {
	if boot, ok := x.machine.Cmdline.Get("BOOTIF"); ok {
		hw, err := net.ParseMAC(strings.ReplaceAll(boot, "-", ":"))
		if err != nil {
			hw, err = net.ParseMAC(strings.ReplaceAll(strings.TrimPrefix(boot, "01-"), "-", ":"))
		}
		if err != nil {
			return "", errors.New("BOOTIF= of the kernel command line is no hardware address")
		}
		return hw.String(), nil
	}
	if x.live {
		addr, err := x.leaves(ctx)
		if err != nil {
			return "", err
		}
		if mac := macOf(addr); mac != "" {
			return mac, nil
		}
	}
	return x.onlyCard(), nil
}

// onlyCard is the address of the card with a carrier, or of the card, if there is just one.
func (x *expander) onlyCard() string {
	var cards, up []string
	for _, l := range x.machine.Links {
		if l.Physical && l.MAC != "" {
			cards = append(cards, l.MAC)
			if l.Up {
				up = append(up, l.MAC)
			}
		}
	}
	for _, list := range [][]string{up, cards} {
		if len(list) == 1 {
			return list[0]
		}
	}
	return ""
}

// macOf is the hardware address of the interface that has an address, "" if none has both.
func macOf(addr netip.Addr) string {
	links, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, l := range links {
		addrs, err := l.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == addr.WithZone("") {
				return l.HardwareAddr.String()
			}
		}
	}
	return ""
}

// hostOf is the host of a URL, "" if a variable is in it.
func hostOf(rawURL string) string {
	_, rest, _ := strings.Cut(rawURL, "://")
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	u, err := url.Parse("http://" + host)
	if err != nil || strings.Contains(host, "${") {
		return ""
	}
	return u.Hostname()
}

// route asks the kernel for the way to a host, by connecting a UDP socket, which sends nothing. Without a host it is
// the way to anywhere.
func route(ctx context.Context, host string) (netip.Addr, error) {
	hosts := []string{host}
	if host == "" {
		hosts = []string{"192.0.2.1", "2001:db8::1"} // addresses for documentation: only the default route leads there
	}
	var err error
	for _, h := range hosts {
		var conn net.Conn
		if conn, err = (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(h, "9")); err != nil {
			continue
		}
		local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		return local, conn.Close()
	}
	return netip.Addr{}, err
}

// escape is url.QueryEscape, but that a colon stays and a blank is %20, as in a path.
func escape(value string) string {
	return strings.NewReplacer("+", "%20", "%3A", ":").Replace(url.QueryEscape(value))
}
