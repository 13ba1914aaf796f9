package address_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"cloudconfig/datasources"
	"cloudconfig/datasources/address"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/metadatatest"
)

var server = &machine.Machine{
	DMI:  machine.DMI{ProductSerial: "CZ 3401/HB&K", ProductUUID: "30373237-3132-435a-3334-303148424b32", ChassisAssetTag: "To be filled by O.E.M."},
	Arch: "x86-64", Hostname: "web1",
	Links: []machine.Link{
		{Name: "bond0", MAC: "02:00:00:00:00:01"},
		{Name: "eno1", MAC: "52:54:00:12:34:56", Physical: true, Up: true},
		{Name: "eno2", MAC: "52:54:00:12:34:57", Physical: true},
	},
}

func TestVariables(t *testing.T) {
	withCmdline := func(text string) *machine.Machine {
		m := *server
		m.Cmdline = machine.ParseCmdline(text)
		return &m
	}
	twoCards := *server
	twoCards.Links = []machine.Link{{Name: "a", MAC: "52:54:00:12:34:56", Physical: true}, {Name: "b", MAC: "52:54:00:12:34:57", Physical: true}}
	for _, tt := range []struct {
		name, url string
		machine   *machine.Machine
		want      string
		wantErr   string
	}{
		{"none", "http://10.0.0.1/a?b=c", server, "http://10.0.0.1/a?b=c", ""},
		{"a UUID", "http://10.0.0.1/${uuid}.yaml", server, "http://10.0.0.1/30373237-3132-435a-3334-303148424b32.yaml", ""},
		{"a serial number with characters of URLs in it", "http://10.0.0.1/?s=${serial}&x", server, "http://10.0.0.1/?s=CZ%203401%2FHB%26K&x", ""},
		{"the card that has a carrier", "http://10.0.0.1/${mac}", server, "http://10.0.0.1/52:54:00:12:34:56", ""},
		{"with hyphens, as matchbox has it", "http://10.0.0.1/?mac=${mac:hexhyp}", server, "http://10.0.0.1/?mac=52-54-00-12-34-56", ""},
		{"without anything between", "http://10.0.0.1/${mac:hexraw}", server, "http://10.0.0.1/525400123456", ""},
		{"the card it was booted from", "http://10.0.0.1/${mac}", withCmdline("BOOTIF=01-52-54-00-aa-bb-cc"), "http://10.0.0.1/52:54:00:aa:bb:cc", ""},
		{"the same without the type of hardware", "http://10.0.0.1/${mac}", withCmdline("BOOTIF=52:54:00:aa:bb:cc"), "http://10.0.0.1/52:54:00:aa:bb:cc", ""},
		{"a BOOTIF that is none", "http://10.0.0.1/${mac}", withCmdline("BOOTIF=eth0"), "", "BOOTIF= of the kernel command line is no hardware address"},
		{"two cards without a carrier", "http://10.0.0.1/${mac}", &twoCards, "", "${mac}: the machine has none"},
		{"the rest", "http://${hostname}.example/${arch}", server, "http://web1.example/x86-64", ""},
		{"the address it leaves from", "http://10.0.0.1/${ip}", server, "http://10.0.0.1/10.0.0.7", ""},
		{"the way to a host that is not known yet", "http://${hostname}/${ip}", server, "http://web1/192.0.2.7", ""},
		{"what a vendor left", "http://10.0.0.1/${asset-tag}", server, "", "${asset-tag}: the machine has none; write ${asset-tag:-TEXT}"},
		{"what a vendor left, foreseen", "http://10.0.0.1/${asset-tag:-none}/x", server, "http://10.0.0.1/none/x", ""},
		{"and an empty text for it", "http://10.0.0.1/a${asset-tag:-}", server, "http://10.0.0.1/a", ""},
		{"twice", "http://10.0.0.1/${arch}/${arch}", server, "http://10.0.0.1/x86-64/x86-64", ""},
		{"one that does not exist", "http://10.0.0.1/${sysserial}", server, "", `"sysserial" is not a variable of a URL; known are arch, asset-tag,`},
		{"one in other letters", "http://10.0.0.1/${UUID}", server, "", `"UUID" is not a variable of a URL`},
		{"not closed", "http://10.0.0.1/${uuid", server, "", "a variable is not closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaves := func(host string) (netip.Addr, error) {
				if host == "" {
					return netip.MustParseAddr("192.0.2.7"), nil
				}
				return netip.MustParseAddr("10.0.0.7"), nil
			}
			got, err := address.Expand(t.Context(), tt.machine, false, leaves, tt.url)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, error %v; want %q", got, err, tt.want)
			}
		})
	}
}

// A network that is not there yet is waited for, and never gives a URL with a hole in it.
func TestNoNetworkYet(t *testing.T) {
	down := func(string) (netip.Addr, error) { return netip.Addr{}, errors.New("network is unreachable") }
	for _, variable := range []string{"${ip}", "${mac}"} {
		_, err := address.Expand(t.Context(), server, true, down, "http://10.0.0.1/"+variable)
		if !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "network is unreachable") {
			t.Errorf("%s: error %v", variable, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.com/a": "", "http://10.0.0.1/${mac}": "", "https://${hostname}.example/": "", "tftp://10.0.0.1/${uuid:-x}.yaml": "",
		"ftp://example.com/": "begins with http://", "/etc/passwd": "not a URL", "file:///etc/passwd": "not a URL", "": "not a URL",
		"http://10.0.0.1/${nope}": `"nope" is not a variable`, "http://": "not a URL", "http://[fe80::1%25eth0]/x": "",
	} {
		_, err := address.New(datasources.Env{}, url)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want %q", url, err, want)
		}
	}
}

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve: metadatatest.ServeURL,
		New: func(env datasources.Env, url string) (datasources.Source, error) {
			env.Root, env.Trust.Insecure = t.TempDir(), true
			return address.New(env, url+"/web1.yaml")
		},
		Bytes: true, Requests: 1, Series: 1,
	})
}

func FuzzExpand(f *testing.F) {
	f.Add("http://10.0.0.1/${mac:hexhyp}?${serial:-${x}")
	f.Fuzz(func(t *testing.T, url string) {
		leaves := func(string) (netip.Addr, error) { return netip.MustParseAddr("10.0.0.7"), nil }
		out, err := address.Expand(context.Background(), server, false, leaves, url)
		if err == nil && len(out) > len(url)*12 {
			t.Errorf("%q grows to %q", url, out)
		}
		if err == nil && strings.Contains(out, "${") && !strings.Contains(url, ":-") {
			t.Errorf("%q leaves a variable: %q", url, out)
		}
	})
}
