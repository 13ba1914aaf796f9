package gce_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"cloudconfig/datasources/gce"
)

var at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Whatever the server says: what is taken can be what it should be, and what is not can be printed.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"id":1,"hostname":"web1.c.p.internal","zone":"projects/1/zones/us-central1-a","attributes":{"ssh-keys":"a:b","user-data":"eA==","user-data-encoding":"base64"},"networkInterfaces":[{"ip":"10.0.0.1","ipv6s":["fd20::1"],"accessConfigs":[{"externalIp":""}]}]}`, `{"ssh-keys":"c:d"}`)
	f.Add(`{"id":1e400}`, ``)
	f.Add(`{"id":"1","networkInterfaces":{}}`, `[]`)
	f.Add(`null`, `null`)
	f.Fuzz(func(t *testing.T, instance, project string) {
		data, err := gce.Read(instance, project, at)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) {
				t.Errorf("error %q", err)
			}
			return
		}
		m := data.Meta
		for _, word := range []string{m.InstanceID, m.Hostname, m.Zone, m.Region, m.InstanceType} {
			if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("took %q", word)
			}
		}
		for _, addr := range []string{m.PublicIPv4, m.PrivateIPv4, m.PublicIPv6, m.PrivateIPv6} {
			if _, err := netip.ParseAddr(addr); addr != "" && err != nil {
				t.Errorf("took the address %q", addr)
			}
		}
		if _, err := json.Marshal(data.Tree); err != nil {
			t.Errorf("tree: %v", err)
		}
	})
}

// Every key is one line, and one that ends is not there.
func FuzzKeys(f *testing.F) {
	f.Add("a:ssh-ed25519 A me\nb:ssh-ed25519 B google-ssh {\"userName\":\"b\",\"expireOn\":\"2025-12-31T00:00:00+0000\"}\n", "", "")
	f.Add("a:b google-ssh {", "c:d", "true")
	f.Add("\r\n:\n \t:x", "#", "no")
	f.Fuzz(func(t *testing.T, mine, projects, block string) {
		text := func(attributes map[string]string) string {
			b, err := json.Marshal(attributes)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		instance, err := json.Marshal(map[string]any{"id": 1, "attributes": json.RawMessage(text(map[string]string{"ssh-keys": mine, "block-project-ssh-keys": block}))})
		if err != nil {
			t.Fatal(err)
		}
		data, err := gce.Read(string(instance), text(map[string]string{"ssh-keys": projects}), at)
		if err != nil {
			return
		}
		for _, key := range data.Meta.SSHKeys {
			if key == "" || key != strings.TrimSpace(key) || strings.Contains(key, "\n") || strings.Contains(key, " google-ssh ") {
				t.Errorf("took the key %q", key)
			}
		}
	})
}
