//go:build linux

package messages_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/messages"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

func TestPhoneHome(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "etc/ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/ssh/ssh_host_ed25519_key.pub"), []byte(key+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m := messages.PhoneHome(root, plan.PhoneHome{
		URL: "http://example.com/$INSTANCE_ID/x", Post: []string{"hostname", "fqdn", "pub_key_ed25519", "pub_key_rsa", "instance_id"}, Names: []string{"web1.example.com"},
	}, "i 1/2")
	body := string(m.Body)
	if m.Kind != messages.PhoneHomeKind || m.URL != "http://example.com/i%201%2F2/x" || m.Tries != 10 ||
		!strings.HasPrefix(body, "fqdn=web1.example.com&hostname=web1&instance_id=i+1%2F2&pub_key_ed25519=ssh-ed25519+AAAA") || !strings.HasSuffix(body, "pub_key_rsa=N%2FA") {
		t.Errorf("%+v\n%s", m, body)
	}
}

// A message that says how often it is tried is given up after that; the body of the last try is the whole one.
func TestPost(t *testing.T) {
	tries, got := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		if tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	env := datasources.Env{Sleep: func(context.Context, time.Duration) error { return nil }, Now: time.Now}
	m := state.Message{URL: server.URL + "/hook", ContentType: "text/plain", Body: []byte("it is well"), Tries: 2}
	err := messages.Post(t.Context(), env, trust.Policy{Insecure: true}, m, 1)
	if err == nil || !strings.Contains(err.Error(), "tried 2 times") || tries != 2 || strings.Contains(err.Error(), "hook") {
		t.Errorf("%v after %d tries", err, tries)
	}
	if err := messages.Post(t.Context(), env, trust.Policy{Insecure: true}, m, 1); err != nil || got != "it is well" {
		t.Errorf("%v, %q", err, got)
	}
}
