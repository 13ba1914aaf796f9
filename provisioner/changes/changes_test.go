package changes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/changes"
	"cloudconfig/schema"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

const (
	key  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f anna@laptop"
	hash = "$6$examplesalt$jfTLmATMLm2jDA3ByHyFJeVai3E8Gbt9AA7EuFAupFJWg8unspwt5kkHp4zW8Susuta6Rd6iSk0sucz5sJm/j0"
)

func decode(t testing.TB, name, text string) *schema.Config {
	t.Helper()
	if text != "" {
		text = "#cloud-config\n" + text
	}
	cfg, found := schema.Decode(schema.Input{Files: []*source.File{{Name: name, Bytes: []byte(text)}}, Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)})
	if found.HasErrors() {
		t.Fatalf("%s: %v", name, found)
	}
	return cfg
}

func between(t testing.TB, in changes.Input) []changes.Item {
	t.Helper()
	items, found, err := changes.Between(in)
	if err != nil || len(found) > 0 {
		t.Fatalf("%v, %v", found, err)
	}
	return items
}

// short is an item on a line: danger, action, kind, name, states, places.
func short(i changes.Item) string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s: %s %s %s [%s|%s] %s>%s", i.Danger, i.Action, i.Kind, i.Name, i.Was, i.Now, i.Old, i.New)), " ")
}

func TestBetween(t *testing.T) {
	anna := "users:\n  - name: anna\n    ssh_authorized_keys: " + key + "\n"
	fingerprint := "ssh-ed25519 SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA anna@laptop"
	unit := func(more string) string {
		return "coreos:\n  units:\n    - name: web.service\n" + more + "      content: |\n        [Service]\n        ExecStart=/opt/web\n        [Install]\n        WantedBy=multi-user.target\n"
	}
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", anna, anna, nil},
		{"a configuration that was not there", "", "hostname: web1\n", []string{": added hostname hostname [|web1] >new:2:11"}},
		{"another hostname", "hostname: web1\n", "\nhostname: web2\n", []string{": changed hostname hostname [web1|web2] old:2:11>new:3:11"}},
		{"a user with a key", "", anna, []string{
			": added user anna [|home /home/anna, shell /bin/bash] >new:3:5",
			": added key anna: " + fingerprint + " [|] >new:4:26",
		}},
		{"a key is lost", anna, "users: [{name: anna}]\n", []string{"login: removed key anna: " + fingerprint + " [|] old:4:26>"}},
		{"the default user comes and goes with top-level keys", "ssh_authorized_keys: " + key + "\n", "", []string{
			"login: removed user core [home /home/core, shell /bin/bash|] >",
			"login: removed key core: " + fingerprint + " [|] old:2:22>",
			"root: removed member docker: core [|] >", "root: removed member sudo: core [|] >", "root: removed member wheel: core [|] >",
		}},
		{"an id nobody wrote is no change", "users: [{name: anna}, {name: bert}]\n", "users: [{name: bert}]\n", []string{
			"login: removed user anna [home /home/anna, shell /bin/bash|] old:2:9>"}},
		{"an id somebody wrote is one", "users: [{name: bert, uid: 1500}]\n", "users: [{name: bert, uid: 1501}]\n", []string{
			": changed user bert [uid 1500, home /home/bert, shell /bin/bash|uid 1501, home /home/bert, shell /bin/bash] old:2:9>new:2:9"}},
		{"a password is locked", "users: [{name: bert, passwd: \"" + hash + "\"}]\n", "users: [{name: bert, passwd: \"" + hash + "\", lock_passwd: true}]\n", []string{
			"login: removed password bert [|] old:2:30>"}},
		{"a shell that lets nobody in", "users: [{name: bert}]\n", "users: [{name: bert, shell: /usr/sbin/nologin}]\n", []string{
			"login: changed user bert [home /home/bert, shell /bin/bash|home /home/bert, shell /usr/sbin/nologin] old:2:9>new:2:9"}},
		{"sudo and docker", "users: [{name: bert, sudo: ALL=(ALL) ALL}]\n", "users: [{name: bert, groups: docker}]\n", []string{
			"root: added member docker: bert [|] >new:2:30", "root: removed sudo bert: ALL=(ALL) ALL [|] old:2:28>"}},
		{"keys from elsewhere", "users: [{name: bert, coreos_ssh_import_url: \"https://example.com/?t=canary\"}]\n", "users: [{name: bert, coreos_ssh_import_github: carla}]\n", []string{
			"login: removed key bert: those at a URL [|] old:2:45>", ": added key bert: those of carla at GitHub [|] >new:2:48"}},
		{"a file, its mode and its owner", "write_files: [{path: /a, content: x}, {path: /b, content: x}]\n", "write_files: [{path: /a, content: x, permissions: \"0664\"}, {path: /b, content: x, owner: web}]\n", []string{
			"mode: changed file /a [0644 root:root|0664 root:root] old:2:15>new:2:15", "mode: changed file /b [0644 root:root|0644 web:root] old:2:39>new:2:60"}},
		{"a mode that becomes narrower", "write_files: [{path: /a, content: x}]\n", "write_files: [{path: /a, content: x, permissions: \"0640\"}]\n", []string{
			": changed file /a [0644 root:root|0640 root:root] old:2:15>new:2:15"}},
		{"a secret that everybody may read", "write_files: [{path: /a, content: x, secret: true}]\n", "write_files: [{path: /a, content: x}]\n", []string{
			"secret: changed file /a [0600 root:root|0644 root:root] old:2:15>new:2:15"}},
		{"a setuid program", "", "write_files: [{path: /a, content: x, permissions: \"4755\"}]\n", []string{"mode: added file /a [|4755 root:root, 1 line] >new:2:15"}},
		{"sshd's own settings", "", "write_files: [{path: /etc/ssh/sshd_config, content: x}]\n", []string{"login: added file /etc/ssh/sshd_config [|0644 root:root, 1 line] >new:2:15"}},
		{"more at the end of a file", "write_files: [{path: /etc/hosts, content: \"x\\n\", append: true}]\n", "write_files: [{path: /etc/hosts, content: \"y\\n\", append: true}]\n", []string{
			": changed file /etc/hosts [|] old:2:15>new:2:15"}},
		{"a network file", "", "coreos: {units: [{name: a.network, content: \"[Match]\\nName=eth0\"}]}\n", []string{
			"network: added network /etc/systemd/network/a.network [|0644 root:root, 2 lines] >new:2:18"}},
		{"a unit is enabled and started", unit(""), unit("      enable: true\n      command: start\n"), []string{
			": added enablement web.service [|multi-user.target] >new:5:15", ": added job web.service [|start] >new:6:16"}},
		{"a unit goes", unit("      enable: true\n"), "", []string{
			"service: removed unit /etc/systemd/system/web.service [0644 root:root, 4 lines|] old:4:7>", "service: removed enablement web.service [multi-user.target|] old:5:15>"}},
		{"sshd is masked, another is stopped", "", "coreos: {units: [{name: sshd.service, mask: true}, {name: web.service, command: stop}]}\n", []string{
			"login: added mask sshd.service [|] >new:2:45", "service: added job web.service [|stop] >new:2:81"}},
		{"settings of an agent, one by one", "coreos: {etcd2: {name: a, debug: true}}\n", "coreos: {etcd2: {name: b, debug: true}}\n", []string{
			": changed setting coreos.etcd2.name [a|b] old:2:24>new:2:24"}},
		{"a secret of an agent", "coreos: {flannel: {etcd_password: canary1}}\n", "coreos: {flannel: {etcd_password: canary2}}\n", []string{
			": changed setting coreos.flannel.etcd_password [|] old:2:35>new:2:35"}},
		{"lines of a file that others have lines in", "coreos: {update: {group: alpha}}\n", "coreos: {update: {group: beta}}\n", []string{
			": changed line /etc/coreos/update.conf: GROUP [alpha|beta] old:2:26>new:2:26"}},
		{"variables stay as they are", "hostname: $private_ipv4\n", "hostname: $instance_id\n", []string{
			": changed hostname hostname [$private_ipv4|$instance_id] old:2:11>new:2:11"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, i := range between(t, changes.Input{Old: decode(t, "old", c.old), New: decode(t, "new", c.new)}) {
				got = append(got, short(i))
				if strings.Contains(fmt.Sprintf("%+v", i), "canary") || strings.Contains(fmt.Sprintf("%+v", i), "examplesalt") {
					t.Errorf("a secret in %+v", i)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestScript: of a script it is known that it is another one, and nothing of its text is shown.
func TestScript(t *testing.T) {
	script := func(text string) *schema.Config {
		cfg, _ := schema.Decode(schema.Input{Files: []*source.File{{Name: "s", Bytes: []byte("#!/bin/sh\n" + text)}}})
		return cfg
	}
	items := between(t, changes.Input{Old: script("echo canary1\n"), New: script("echo canary2\n")})
	if len(items) != 1 || items[0].Danger != changes.DangerScript || items[0].Kind != changes.KindScript || strings.Contains(fmt.Sprint(items), "canary") {
		t.Errorf("%+v", items)
	}
}

func TestCommands(t *testing.T) {
	old := decode(t, "old", "bootcmd: [date]\nruncmd: [echo canary1, date]\npower_state: {mode: reboot}\nfinal_message: a\nphone_home: {url: 'https://example.com/?t=canary3'}\n")
	items := between(t, changes.Input{Old: old, New: decode(t, "new", "bootcmd: [date]\nruncmd: [echo canary2, date, [cat, /canary]]\npower_state: {mode: reboot, delay: 1, condition: cat /canary}\nphone_home: {url: 'https://example.com/?t=canary4', post: [fqdn]}\n")})
	var got []string
	for _, i := range items {
		got = append(got, fmt.Sprint(i.Action, " ", i.Name, " ", i.Danger, ": ", i.Was, " -> ", i.Now))
	}
	want := []string{
		"added runcmd[2] script:  -> 1 line", "changed runcmd[0] script:  -> ",
		"changed power_state : reboot -> reboot in 1 minute, if its condition holds",
		"changed phone_home : tell https://example.com/?t=..., once: pub_key_rsa, pub_key_ecdsa, pub_key_ed25519, instance_id, hostname, fqdn -> tell https://example.com/?t=..., once: fqdn",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiff(t *testing.T) {
	file := func(content, more string) *schema.Config {
		return decode(t, "f", "write_files:\n  - path: /etc/web.conf\n"+more+"    content: |\n      "+strings.ReplaceAll(content, "\n", "\n      ")+"\n")
	}
	for _, c := range []struct {
		name     string
		old, new *schema.Config
		want     []string
	}{
		{"lines", file("a\nb", ""), file("a\nc", ""), []string{"@@ -1,2 +1,2 @@", " a", "-b", "+c"}},
		{"a line that looks like a secret", file("a", ""), file("password=canary", ""), []string{"@@ -1 +1 @@", "-a", "+(secret)"}},
		{"a secret file", file("canary1", "    permissions: \"0600\"\n"), file("canary2", "    permissions: \"0600\"\n"), nil},
		{"one that was secret", file("canary1", "    permissions: \"0600\"\n"), file("canary2", ""), nil},
		{"what acts on a terminal", file("a", ""), decode(t, "f", "write_files: [{path: /etc/web.conf, content: \"\\e[31m\\n\"}]\n"), []string{"@@ -1 +1 @@", "-a", `+\u{1b}[31m`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			items := between(t, changes.Input{Old: c.old, New: c.new})
			if len(items) != 1 {
				t.Fatalf("%+v", items)
			}
			if diff := cmp.Diff(c.want, items[0].Diff); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestImage: what an image has is no change, and what plan would refuse on it is a finding.
func TestImage(t *testing.T) {
	image := image.Shipped("debian-12")
	enable := decode(t, "new", "coreos: {units: [{name: systemd-networkd.service, enable: true}]}\n")
	items := between(t, changes.Input{Old: decode(t, "old", ""), New: enable, Image: image})
	if len(items) == 0 || items[0].Kind != changes.KindLink && items[0].Kind != changes.KindEnabled {
		t.Errorf("%+v", items)
	}
	missing := decode(t, "new", "coreos: {units: [{name: docker.service, enable: true}]}\n")
	_, found, err := changes.Between(changes.Input{Old: decode(t, "old", ""), New: missing, Image: image})
	if err != nil || len(found) != 1 || found[0].Rule.ID != "unit-missing" {
		t.Errorf("%v %v", found, err)
	}
	items = between(t, changes.Input{Old: decode(t, "old", ""), New: decode(t, "new", "users: [{name: root, ssh_authorized_keys: "+key+"}]\n"), Image: image})
	if len(items) != 1 || items[0].Kind != changes.KindKey {
		t.Errorf("%+v", items)
	}
}

func TestMetadata(t *testing.T) {
	unit := func(text string) *schema.Config {
		return decode(t, "f", "coreos: {units: [{name: a.service, content: \"[Service]\\nExecStart=/a\\nEnvironment=A="+text+"\"}]}\n")
	}
	in := changes.Input{Old: unit("10.0.0.1"), New: unit("$private_ipv4"), Meta: schema.Metadata{PrivateIPv4: "10.0.0.1"}}
	if items := between(t, in); len(items) != 0 {
		t.Errorf("%+v", items)
	}
	in.Meta = schema.Metadata{}
	if items := between(t, in); len(items) != 1 || !slices.Contains(items[0].Diff, "+Environment=A=$private_ipv4") {
		t.Errorf("%+v", items)
	}
}

// TestMarkdown: no text of the user's is markup, mentions anybody or ends what it stands in.
func TestMarkdown(t *testing.T) {
	items := []changes.Item{
		{Kind: changes.KindFile, Name: "/a`b``c", Action: "changed", Was: "@everyone <script>", Now: "x\n# y", Old: "old`.yaml:1:2",
			Diff: []string{"@@ -1 +1 @@", "-```", "+````", "+@everyone"}},
		{Kind: changes.KindHostname, Name: "hostname", Action: "added", Now: "`"},
	}
	var out bytes.Buffer
	if err := changes.Write(&out, changes.Report{Old: "[x](http://evil)", New: "new", Items: items}, changes.Options{Format: "markdown"}); err != nil {
		t.Fatal(err)
	}
	want := "### What changes on a machine\n\n`[x](http://evil) -> new`: 1 added, 1 changed, 0 removed; 0 dangerous\n" +
		"\n#### The rest\n\n" +
		"- changed file ```/a`b``c```: `@everyone <script> -> x\\u{a}# y` (``old`.yaml:1:2``)\n" +
		"\n  `````diff\n  @@ -1 +1 @@\n  -```\n  +````\n  +@everyone\n  `````\n" +
		"- added hostname: `` ` ``\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestMarkdownIsBounded: services refuse comments of more than 64 KiB.
func TestMarkdownIsBounded(t *testing.T) {
	var items []changes.Item
	for i := range 500 {
		items = append(items, changes.Item{Kind: changes.KindFile, Name: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 4000)), Action: "changed", Diff: []string{strings.Repeat("+", 1000), strings.Repeat("+", 1000)}})
	}
	var out bytes.Buffer
	if err := changes.Write(&out, changes.Report{Items: items}, changes.Options{Format: "markdown"}); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 60<<10 || !strings.Contains(out.String(), "more\n") {
		t.Errorf("%d bytes", out.Len())
	}
}

// FuzzBetween: whatever two configurations say, comparing them ends well, is the same each time, and the other way
// round has as many changes.
func FuzzBetween(f *testing.F) {
	var texts [][]byte
	for _, pattern := range []string{"../../examples/*.[ys]*", "../../schema/testdata/ok/*"} {
		files, _ := filepath.Glob(pattern)
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			texts = append(texts, text)
		}
	}
	for i := range texts {
		f.Add(texts[i], texts[(i+1)%len(texts)])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		config := func(name string, text []byte) *schema.Config {
			cfg, found := schema.Decode(schema.Input{Files: []*source.File{{Name: name, Bytes: text}}})
			if found.HasErrors() {
				t.Skip()
			}
			return cfg
		}
		first, second := config("a", a), config("b", b)
		there, _, err := changes.Between(changes.Input{Old: first, New: second})
		if err != nil {
			t.Skip(err)
		}
		again, _, _ := changes.Between(changes.Input{Old: config("a", a), New: config("b", b)})
		if x, y := asJSON(t, there), asJSON(t, again); x != y {
			t.Errorf("%s\n%s", x, y)
		}
		back, _, _ := changes.Between(changes.Input{Old: config("b", b), New: config("a", a)})
		if len(there) != len(back) {
			t.Errorf("%d changes there, %d back", len(there), len(back))
		}
		if same, _, _ := changes.Between(changes.Input{Old: first, New: config("a", a)}); len(same) != 0 {
			t.Errorf("the same configuration has changes: %+v", same)
		}
	})
}

func asJSON(t *testing.T, items []changes.Item) string {
	text, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
