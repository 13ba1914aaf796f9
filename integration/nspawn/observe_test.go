//go:build integration && linux

package nspawn_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// listener is a server on the far side that writes down what it is told.
type listener struct {
	mu   sync.Mutex
	told []string
}

func (m *machine) listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	var socket net.Listener
	err := (&lab{network: m.network}).beyond(func() (err error) {
		socket, err = net.Listen("tcp", gatewayAddress+":8080")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, r.URL.Path+" "+string(body))
	})}
	go func() { _ = server.Serve(socket) }()
	t.Cleanup(func() { server.Close() })
	return l
}

// wantTold waits until so much was told since the last call.
func (l *listener) wantTold(t *testing.T, n int) []string {
	t.Helper()
	var told []string
	for range 100 {
		l.mu.Lock()
		told = append(told, l.told...)
		l.told = nil
		l.mu.Unlock()
		if len(told) >= n {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if len(told) != n {
		t.Fatalf("told %q, want %d messages", told, n)
	}
	return told
}

// Who asks before anything has begun waits for the end; a server is told how it was, and a bundle has nothing of the user's.
func TestObserved(t *testing.T) {
	m := newImage(t, "datasources: [file=/usr/share/oem/cloud-config.yml]\ntrust: {insecure: yes}\nreport-url: http://"+gatewayAddress+":8080/report\n")
	l := m.listen(t)
	key := newSSHKey(t, "user-data")
	m.write(t, "usr/share/oem/cloud-config.yml", 0o600, user(key)+"phone_home: {url: 'http://"+gatewayAddress+":8080/home', post: [hostname, pub_key_ed25519]}\n")
	m.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var text string
	for asked := 0; ctx.Err() == nil; asked++ {
		// As soon as there is a systemd to ask.
		if up, _ := m.sh(ctx, "test -S /run/systemd/private && echo up"); up == "up" {
			text, _ = m.sh(ctx, "provisioner status --wait --timeout 2m --format json")
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var s struct {
		State, Stage string
		Stages       []struct {
			Name       string
			DurationMS int `json:"duration_ms"`
		}
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.State != "done" || len(s.Stages) < 5 {
		t.Fatalf("status %q, %v", text, err)
	}
	told := strings.Join(l.wantTold(t, 2), "\n")
	for _, part := range []string{"/report {", `"state":"done"`, `"datasource":"file"`, `"host_keys":[{`, "/home hostname=fromuser&pub_key_ed25519=ssh-ed25519+AAAA"} {
		if !strings.Contains(told, part) {
			t.Errorf("%q is not told: %s", part, told)
		}
	}
	m.settle(t, 1)
	m.want(t, "0", "provisioner status --explain | grep -c '^failed first' || :")
	m.want(t, "1", "journalctl -b -o cat MESSAGE_ID=6fff89310386484aa464bc8adb3a1849 | grep -c '^finished: done'")
	bundle, err := m.sh(ctx, "provisioner logs --output -")
	for _, part := range []string{"provisioner-logs/about.json", "Id=provisioner.service\n", `"MESSAGE":"provisioner: commit: `, `"name": "host0"`} {
		if err != nil || !strings.Contains(bundle, part) {
			t.Errorf("the bundle has no %q: %v", part, err)
		}
	}
	if strings.Contains(bundle, "hello\\n") || strings.Contains(bundle, key.public) {
		t.Error("the bundle has what the user wrote")
	}

	m.reboot(t)
	m.wantStatus(t, "done", "file")
	m.want(t, "", "while [ $(systemctl show -P SubState provisioner-handoff.service) = running ]; do sleep .2; done")
	l.wantTold(t, 0)
}
