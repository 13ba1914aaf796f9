//go:build linux

package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/minisign"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/settings"
	"cloudconfig/schema/certificate/certificatetest"
)

func TestLoad(t *testing.T) {
	defaults := settings.Settings{DefaultUser: "core", LaterBoots: "report", KeepUserData: true, Floor: true}
	with := func(change func(*settings.Settings)) settings.Settings {
		s := defaults
		change(&s)
		return s
	}
	for _, c := range []struct {
		name, text string
		want       settings.Settings
		err        string
	}{
		{"no file", "", defaults, ""},
		{"an empty file", "\n# nothing\n", defaults, ""},
		{"everything", "datasources: [ec2, file=/a]\ndefault-user: ops\nlater-boots: apply\nkeep-user-data: no\nfloor: false\nimdsv1: yes\n",
			settings.Settings{Datasources: []string{"ec2", "file=/a"}, DefaultUser: "ops", LaterBoots: "apply", IMDSv1: true}, ""},
		{"an unknown setting", "datasources: [ec2]\ndatasource: [ec2]\n", defaults, ":2:13: unknown setting \"datasource\""},
		{"a setting twice", "floor: yes\nfloor: no\n", defaults, ":2:1: "},
		{"no list", "datasources: ec2\n", defaults, "datasources must be a list"},
		{"a list in the list", "datasources: [[ec2]]\n", defaults, "a datasource is a name"},
		{"no name", "default-user: ../root\n", defaults, "default-user must be the name of an account"},
		{"another word", "later-boots: never\n", defaults, "later-boots must be report or apply"},
		{"neither yes nor no", "floor: maybe\n", defaults, "floor must be yes or no"},
		{"neither yes nor no for version 1", "imdsv1: optional\n", defaults, "imdsv1 must be yes or no"},
		{"a network checked for longer", "network-timeout: 2m30s\nnetwork-check: \"https://user:secret@mirror.example.com/a?b=c\"\n", with(func(s *settings.Settings) {
			s.NetworkTimeout, s.NetworkCheck = 150*time.Second, "mirror.example.com:443"
		}), ""},
		{"a network that must reach a port", "network-check: \"tcp://[2001:db8::1]:22\"\n", with(func(s *settings.Settings) { s.NetworkCheck = "[2001:db8::1]:22" }), ""},
		{"a check that takes too long", "network-timeout: 1h\n", defaults, "network-timeout must be from 5s to 8m0s"},
		{"a check without a unit", "network-timeout: 60\n", defaults, "network-timeout must be from 5s to 8m0s"},
		{"where reports go", "report-url: https://example.com/up?token=x\n", with(func(s *settings.Settings) { s.ReportURL = "https://example.com/up?token=x" }), ""},
		{"reports by a way that anybody can read", "report-url: http://example.com/up\n", with(func(s *settings.Settings) { s.ReportURL = "http://example.com/up" }), "report-url is of http"},
		{"reports by such a way that the owner wants", "report-url: http://example.com/up\ntrust: {insecure: yes}\n", with(func(s *settings.Settings) {
			s.ReportURL, s.Trust.Insecure = "http://example.com/up", true
		}), ""},
		{"no URL for reports", "report-url: example.com\n", defaults, "report-url must be a URL of https or http"},
		{"a port that is not known", "network-check: \"tcp://192.0.2.1\"\n", defaults, "it has no port"},
		{"no URL", "network-check: mirror.example.com\n", defaults, "network-check must be a URL of http or https, or tcp://HOST:PORT: it has no host"},
		{"another provisioner", "owner: cloud-init\n", with(func(s *settings.Settings) { s.Owner = "cloud-init" }), ""},
		{"nobody's", "owner: me\n", defaults, ":1:8: owner must be one of provisioner, other, cloud-init"},
		{"no mapping", "- ec2\n", defaults, "the settings are a mapping"},
		{"no YAML", "floor: [\n", defaults, "/etc/provisioner/provisioner.yaml:1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, settings.Path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			got, err := settings.Load(root)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	const zeros = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	const key = "untrusted comment: minisign public key 33DA153ED8CB5782\nRWSCV8vYPhXaMyZXqkThctOm/QTZw9xudvkCb/lziTTUyaIrC5wSlpmW\n"
	ca := certificatetest.Make(certificatetest.Request{Name: "CA", From: "2020-01-01", To: "2049-12-31", CA: true}).PEM()
	with := func(change func(*trust.Policy)) (p trust.Policy) {
		change(&p)
		return p
	}
	for _, c := range []struct {
		name, text string
		key        string // in /etc/provisioner/site.pub
		want       trust.Policy
		ntp        []string
		err        string
	}{
		{name: "time servers", text: "ntp: [ntp1.example.com, 192.0.2.1, \"[2001:db8::1]:1123\"]\n", ntp: []string{"ntp1.example.com", "192.0.2.1", "[2001:db8::1]:1123"}},
		{name: "one time server", text: "ntp: ntp1.example.com\n", ntp: []string{"ntp1.example.com"}},
		{name: "a CA in a file of the image, and one by its fingerprint", text: "trust:\n  ca: [/etc/ca.pem, sha256:" + strings.Repeat("0", 64) + "]\n",
			want: with(func(p *trust.Policy) { p.CAs, p.CADigests = []byte(ca+"\n"), make([][32]byte, 1) })},
		{name: "two pins", text: "trust: {pin: [" + zeros + ", " + zeros + "]}\n", want: with(func(p *trust.Policy) { p.Pins = make([][32]byte, 2) })},
		{name: "one pin", text: "trust: {pin: " + zeros + "}\n", want: with(func(p *trust.Policy) { p.Pins = make([][32]byte, 1) })},
		{name: "a digest", text: "trust: {digest: sha256-" + strings.Repeat("0", 64) + "}\n", want: with(func(p *trust.Policy) {
			p.Digest = trust.Sum{Name: "sha256", Sum: strings.Repeat("\x00", 32)}
		})},
		{name: "signed", text: "trust: {signature: yes}\n", want: trust.Policy{Signed: true}},
		{name: "anything at all", text: "trust: {insecure: yes}\n", want: trust.Policy{Insecure: true}},
		{name: "a key", key: key, want: with(func(p *trust.Policy) {
			k, err := minisign.ParseKey([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			p.Keys = []minisign.Key{k}
		})},
		{name: "a key that is none", key: "ssh-ed25519 AAAA\n", err: "/etc/provisioner/site.pub: it is no minisign public key"},
		{name: "no mapping", text: "trust: yes\n", err: ":1:8: trust must be a mapping"},
		{name: "an unknown setting", text: "trust: {keys: /x}\n", err: "unknown setting \"keys\" of trust"},
		{name: "no such file", text: "trust: {ca: /etc/none.pem}\n", err: "ca: "},
		{name: "a file outside", text: "trust: {ca: /../../ca.pem}\n", err: "ca: "},
		{name: "no pin", text: "trust: {pin: x}\n", err: "pin: a pin has the form sha256//BASE64"},
		{name: "an empty list", text: "trust: {pin: []}\n", err: "pin must be a list"},
		{name: "a list in the list", text: "ntp: [[a]]\n", err: "an entry of ntp is one word"},
		{name: "two words", text: "ntp: [a b]\n", err: "an entry of ntp is the name or the address"},
		{name: "too many servers", text: "ntp: [a, b, c, d, e]\n", err: "more than 4 time servers"},
		{name: "neither yes nor no", text: "trust: {insecure: maybe}\n", err: "insecure must be yes or no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "etc/provisioner"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"provisioner/provisioner.yaml": c.text, "provisioner/site.pub": c.key, "ca.pem": ca} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			root, err := fsroot.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			got, err := settings.Load(root)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Trust); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.ntp, got.NTP); diff != "" {
				t.Error(diff)
			}
		})
	}
}
