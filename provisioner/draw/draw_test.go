package draw_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/provisioner/draw"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/source"
)

func drawn(t *testing.T, p plan.Plan, o draw.Options) string {
	t.Helper()
	var b strings.Builder
	if err := draw.Write(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func at(line int) source.Range {
	return source.Range{File: "user-data", Start: source.Pos{Line: line, Column: 1}, End: source.Pos{Line: line, Column: 2}}
}

func why(line int) []source.Range { return []source.Range{at(line)} }

// was is a regular file that facts saw.
func was(data string, mode uint32) plan.Seen {
	return plan.Seen{
		Info:   fsroot.Info{Kind: fsroot.Regular, Size: int64(len(data)), Attr: fsroot.Attr{Mode: mode}},
		SHA256: plan.Digest([]byte(data)), Data: []byte(data),
	}
}

var absent = plan.Seen{Info: fsroot.Info{Kind: fsroot.Absent}}

func fileChange(path, data string, seen plan.Seen) plan.Change {
	return plan.Change{Kind: plan.WriteFile, Path: path, Data: []byte(data), Attr: fsroot.Attr{Mode: 0o644}, Was: seen, Why: why(5)}
}

func TestDrawChanges(t *testing.T) {
	const end = "1 to add, 0 to change, 0 to remove, 0 jobs\n"
	secret := fileChange("etc/key", "canary", absent)
	secret.Attr.Mode, secret.Secret = 0o600, true
	changedSecret := fileChange("etc/key", "canary", was("canary-old", 0o644))
	changedSecret.Secret = true
	records := fileChange("etc/shadow", "canary", was("canary-old", 0o640))
	records.Secret = true
	records.Records = []plan.Record{{Name: "user core", Action: "added", Detail: "password (secret)"}, {Name: "user x", Action: "removed"}}
	owned := fileChange("etc/x", "a\n", was("a\n", 0o600))
	owned.Attr.UID, owned.Attr.GID = 1000, 7
	many := fileChange("a", "", absent)
	many.Why = []source.Range{at(1), at(2), at(3), at(4), at(5)}
	platform := fileChange("etc/hostname", "web1\n", absent)
	platform.Why, platform.Origin = nil, "metadata"
	for _, tt := range []struct {
		name   string
		change plan.Change
		want   string
	}{
		{name: "a new file", change: fileChange("etc/motd", "Hello there\n", absent), want: "+ file /etc/motd 0644 root:root 12 bytes  (user-data:5:1)\n" + end},
		{name: "a new directory", change: plan.Change{Kind: plan.MakeDirectory, Path: "opt", Attr: fsroot.Attr{Mode: 0o1755}, Was: absent}, want: "+ directory /opt 1755 root:root\n" + end},
		{name: "a new link", change: plan.Change{Kind: plan.MakeLink, Path: "a", Target: "/dev/null", Was: absent, Why: why(1)}, want: "+ link /a -> /dev/null  (user-data:1:1)\n" + end},
		{name: "a secret has neither size nor digest", change: secret, want: "+ file /etc/key 0600 root:root (secret)  (user-data:5:1)\n" + end},
		{
			name: "nor does a secret that changes", change: changedSecret,
			want: "~ file /etc/key 0644 root:root (secret)  (user-data:5:1)\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "a shared file by records", change: records,
			want: "~ file /etc/shadow 0640 -> 0644 root:root (secret)  (user-data:5:1)\n    + user core: password (secret)\n    - user x\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "a text", change: fileChange("a", "1\n2\nthree\n4\n", was("1\n2\n3\n4\n", 0o644)),
			want: "~ file /a 0644 root:root 8 -> 12 bytes  (user-data:5:1)\n    @@ -1,4 +1,4 @@\n     1\n     2\n    -3\n    +three\n     4\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "owner and mode", change: owned,
			want: "~ file /etc/x 0600 -> 0644 root:root -> core:7 2 bytes  (user-data:5:1)\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "what only its owner could read is not shown to others", change: fileChange("a", "open\n", was("canary\n", 0o600)),
			want: "~ file /a 0600 -> 0644 root:root 5 bytes  (user-data:5:1)\n    content was for its owner only, and is not shown\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "a private key is not shown wherever it is", change: fileChange("a", "-----BEGIN PRIVATE KEY-----\ncanary", was("x", 0o644)),
			want: fmt.Sprintf("~ file /a 0644 root:root 1 -> 34 bytes  (user-data:5:1)\n    sha256 %.16s -> %.16s\n0 to add, 1 to change, 0 to remove, 0 jobs\n", plan.Digest([]byte("x")), plan.Digest([]byte("-----BEGIN PRIVATE KEY-----\ncanary"))),
		},
		{
			name: "what is no text", change: fileChange("a", "\x00\x01", was("x", 0o644)),
			want: fmt.Sprintf("~ file /a 0644 root:root 1 -> 2 bytes  (user-data:5:1)\n    sha256 %.16s -> %.16s\n0 to add, 1 to change, 0 to remove, 0 jobs\n", plan.Digest([]byte("x")), plan.Digest([]byte("\x00\x01"))),
		},
		{
			name: "nothing of the user's moves the cursor or turns the line", change: fileChange("etc/a\x1b[2J\u202e", "x", absent),
			want: "+ file /etc/a\\u{1b}[2J\\u{202e} 0644 root:root 1 byte  (user-data:5:1)\n" + end,
		},
		{
			name: "nor of what is in a file", change: fileChange("a", "x\r\n\ty\u2028\xff é日\n", was("", 0o644)),
			want: fmt.Sprintf("~ file /a 0644 root:root 0 -> %d bytes  (user-data:5:1)\n    sha256 %.16s -> %.16s\n0 to add, 1 to change, 0 to remove, 0 jobs\n", len("x\r\n\ty\u2028\xff é日\n"), plan.Digest(nil), plan.Digest([]byte("x\r\n\ty\u2028\xff é日\n"))),
		},
		{
			name: "line ends and separators are seen, tabs and letters stay", change: fileChange("a", "x\r\n\ty\u2028 é日\n", was("", 0o644)),
			want: "~ file /a 0644 root:root 0 -> 15 bytes  (user-data:5:1)\n    @@ -0,0 +1,2 @@\n    +x\\u{d}\n    +\ty\\u{2028} é日\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{
			name: "a removed mask", change: plan.Change{Kind: plan.Remove, Path: "a", Was: plan.Seen{Info: fsroot.Info{Kind: fsroot.Link, Target: "/dev/null"}}, Why: why(1)},
			want: "- link /a -> /dev/null  (user-data:1:1)\n0 to add, 0 to change, 1 to remove, 0 jobs\n",
		},
		{
			name: "a link in place of a file", change: plan.Change{Kind: plan.MakeLink, Path: "a", Target: "b", Was: was("x", 0o644)},
			want: "~ link /a -> b (was a file)\n0 to add, 1 to change, 0 to remove, 0 jobs\n",
		},
		{name: "many places", change: many, want: "+ file /a 0644 root:root 0 bytes  (user-data:1:1, user-data:2:1, user-data:3:1, 2 more)\n" + end},
		{name: "nobody wrote it", change: platform, want: "+ file /etc/hostname 0644 root:root 5 bytes  (metadata)\n" + end},
	} {
		t.Run(tt.name, func(t *testing.T) {
			passwd := was("root:x:0:0::/root:/bin/sh\ncore:x:1000:1000::/home/core:/bin/sh\n", 0o644)
			facts := plan.Facts{Paths: map[string]*plan.Seen{"etc/passwd": &passwd}}
			got := drawn(t, plan.Plan{Changes: []plan.Change{tt.change}}, draw.Options{Facts: facts})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			for _, o := range []draw.Options{{}, {JSON: true}} {
				if got := drawn(t, plan.Plan{Changes: []plan.Change{tt.change}}, o); strings.Contains(got, "canary") {
					t.Errorf("a secret is told: %s", got)
				}
			}
		})
	}
}

func TestDrawWhatComesAfter(t *testing.T) {
	p := plan.Plan{
		Changes:  []plan.Change{fileChange("etc/a", "x", absent)},
		Runtime:  []plan.Change{fileChange("run/a", "x", absent)},
		Hostname: "web1", Reload: true, Networkd: true,
		Commands: []plan.Command{{Argv: []string{"/usr/sbin/update", "--now"}, Inputs: "digest", Why: why(2)}},
		Jobs:     []plan.Job{{Unit: "a.service", Action: "start", Why: why(3)}},
		Scripts:  []plan.Script{{Name: "user-data part 2", Content: []byte("#!/bin/sh\necho canary"), Why: why(9)}},

		BootSteps: []plan.Step{{Name: "bootcmd[0]", Text: "echo canary", Why: why(10)}},
		Steps:     []plan.Step{{Name: "runcmd[0]", Text: "echo\ncanary\n", Why: why(11)}},
		Power:     &plan.Power{Mode: "reboot", DelayMinutes: 5, Condition: "canary", Message: "canary", Why: why(12)},
		PhoneHome: &plan.PhoneHome{URL: "https://u:canary@example.com/${INSTANCE_ID}?token=canary", Post: []string{"hostname", "fqdn"}, Why: why(13)},
	}
	want := `before all else, on a running system only:
  run bootcmd[0], 1 line, on every boot  (user-data:10:1)
+ file /etc/a 0644 root:root 1 byte  (user-data:5:1)
below /run, and again at each boot:
+ file /run/a 0644 root:root 1 byte  (user-data:5:1)
after the commit:
  set hostname web1 (was localhost)
  reload systemd
  reload networkd
  run /usr/sbin/update --now  (user-data:2:1)
  start a.service  (user-data:3:1)
  run script user-data part 2, 2 lines  (user-data:9:1)
  run runcmd[0], 2 lines  (user-data:11:1)
  tell https://example.com/$INSTANCE_ID?token=..., once: hostname, fqdn  (user-data:13:1)
  reboot in 5 minutes, if its condition holds  (user-data:12:1)
2 to add, 0 to change, 0 to remove, 1 job, 1 command, 3 scripts
`
	if diff := cmp.Diff(want, drawn(t, p, draw.Options{Facts: plan.Facts{Live: true, SystemHostname: "localhost"}})); diff != "" {
		t.Error(diff)
	}
}

func TestDrawNothing(t *testing.T) {
	if got := drawn(t, plan.Plan{}, draw.Options{}); got != "nothing to do\n" {
		t.Errorf("got %q", got)
	}
}

func TestDrawInColour(t *testing.T) {
	p := plan.Plan{Changes: []plan.Change{fileChange("a", "1\n", absent), fileChange("b", "2\n", was("1\n", 0o644))}}
	want := "\x1b[32m+ file /a 0644 root:root 2 bytes  (user-data:5:1)\x1b[0m\n" +
		"\x1b[33m~ file /b 0644 root:root 2 bytes  (user-data:5:1)\x1b[0m\n" +
		"    @@ -1 +1 @@\n\x1b[31m    -1\x1b[0m\n\x1b[32m    +2\x1b[0m\n1 to add, 1 to change, 0 to remove, 0 jobs\n"
	if diff := cmp.Diff(want, drawn(t, p, draw.Options{Color: true})); diff != "" {
		t.Error(diff)
	}
}

func TestDrawJSON(t *testing.T) {
	secret := fileChange("etc/key", "canary", was("canary-old", 0o644))
	secret.Secret = true
	shared := fileChange("etc/hosts", "127.0.1.1 a\n", was("", 0o644))
	shared.Records = []plan.Record{{Name: "host a", Action: "added", Detail: "127.0.1.1 a"}}
	p := plan.Plan{
		Changes: []plan.Change{
			fileChange("etc/motd", "x\n", absent), secret, shared,
			{Kind: plan.MakeLink, Path: "a", Target: "/dev/null", Was: was("x", 0o644), Why: why(2)},
		},
		Runtime:  []plan.Change{{Kind: plan.Remove, Path: "run/m", Was: plan.Seen{Info: fsroot.Info{Kind: fsroot.Link, Target: "/dev/null"}}, Origin: "metadata"}},
		Hostname: "web1", Reload: true,
		Commands: []plan.Command{{Argv: []string{"/usr/sbin/update", "--now"}, Inputs: "digest", Why: why(2)}},
		Jobs:     []plan.Job{{Unit: "a.service", Action: "start", Why: why(3)}},
		Scripts:  []plan.Script{{Name: "user-data", Content: []byte("canary\n"), Why: why(9)}},

		PhoneHome: &plan.PhoneHome{URL: "https://u:canary@example.com/?token=canary", Why: why(10)},
	}
	got := drawn(t, p, draw.Options{JSON: true})
	if strings.Contains(got, "canary") || strings.Contains(got, plan.Digest([]byte("canary"))) || strings.Contains(got, plan.Digest([]byte("canary-old"))) {
		t.Errorf("a secret is told: %s", got)
	}
	var have, want any
	if err := json.Unmarshal([]byte(got), &have); err != nil {
		t.Fatal(err)
	}
	attr := `"mode":"0644","uid":0,"gid":0,"owner":"root:root"`
	if err := json.Unmarshal([]byte(`{
		"version": 1, "hostname": "web1", "reload": true, "networkd": false,
		"changes": [
			{"action":"added","kind":"file","path":"/etc/motd","why":["user-data:5:1"],"state":{"kind":"file",`+attr+`,"size_bytes":2,"sha256":"`+plan.Digest([]byte("x\n"))+`"}},
			{"action":"changed","kind":"file","path":"/etc/key","secret":true,"why":["user-data:5:1"],"state":{"kind":"file",`+attr+`},"was":{"kind":"file",`+attr+`}},
			{"action":"changed","kind":"file","path":"/etc/hosts","why":["user-data:5:1"],"state":{"kind":"file",`+attr+`},"was":{"kind":"file",`+attr+`},
				"records":[{"name":"host a","action":"added","detail":"127.0.1.1 a"}]},
			{"action":"changed","kind":"link","path":"/a","why":["user-data:2:1"],"state":{"kind":"link","target":"/dev/null"},
				"was":{"kind":"file",`+attr+`,"size_bytes":1,"sha256":"`+plan.Digest([]byte("x"))+`"}},
			{"action":"removed","kind":"remove","path":"/run/m","runtime":true,"why":["metadata"],"was":{"kind":"link","target":"/dev/null"}}
		],
		"commands": [{"argv":["/usr/sbin/update","--now"],"why":["user-data:2:1"]}],
		"jobs": [{"unit":"a.service","action":"start","why":["user-data:3:1"]}],
		"scripts": [{"name":"user-data","lines":1,"why":["user-data:9:1"]}],
		"phone_home": {"url":"https://example.com/?token=...","post":["pub_key_rsa","pub_key_ecdsa","pub_key_ed25519","instance_id","hostname","fqdn"],"why":["user-data:10:1"]},
		"summary": {"added":1,"changed":3,"removed":1,"commands":1,"jobs":1,"scripts":1}
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestDrawJSONOfNothing(t *testing.T) {
	got := drawn(t, plan.Plan{}, draw.Options{JSON: true})
	for _, list := range []string{`"changes": []`, `"commands": []`, `"jobs": []`, `"scripts": []`} {
		if !strings.Contains(got, list) {
			t.Errorf("%s is not in %s", list, got)
		}
	}
}
