//go:build integration && linux

package machines_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSlowLink has 64 kbit/s towards the machine, and a server that thinks for two seconds: what is fetched takes half a minute.
func TestSlowLink(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	w.dhcp(t)
	document := userData(key) + strings.Repeat("# what nobody needs but whoever reads it on a slow line\n", 4000)
	documents := newSite(document)
	w.serve(t, serverAddress+":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Second)
		documents.ServeHTTP(w, r)
	}))
	card := w.plug(t)
	mustRun(t, "nsenter", "--net=/run/netns/"+w.name, "tc", "qdisc", "add", "dev", card.tap, "root", "tbf", "rate", "64kbit", "burst", "4kb", "latency", "3s")
	m := w.powerOn(t, card, hardware{disk: overlay(t, installed(t)),
		arguments: fmt.Sprintf("cloud-config-url=http://%s/cloud-config cloud-config-digest=sha256-%x", serverAddress, sha256.Sum256([]byte(document)))})
	m.wantConfigured(t, key, "cmdline")
	t.Logf("%d bytes; asked: %q", len(document), documents.requests())
}

// TestLateNames has no name server for 20 seconds after the machine has its address.
func TestLateNames(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	leases := w.dhcp(t, "--port=0")
	document := userData(key)
	documents := newSite(document)
	w.serve(t, serverAddress+":80", documents)
	m := w.powerOn(t, w.plug(t), hardware{disk: overlay(t, installed(t)),
		arguments: fmt.Sprintf("cloud-config-url=http://boot.example.com/cloud-config cloud-config-digest=sha256-%x", sha256.Sum256([]byte(document)))})
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		if info, err := os.Stat(leases); err == nil && info.Size() > 0 {
			break
		}
		if time.Since(begin) > bootTimeout {
			t.Fatal("the machine does not ask for an address")
		}
	}
	t.Logf("an address after %.1f s", time.Since(m.since).Seconds())
	time.Sleep(20 * time.Second)
	if asked := documents.requests(); len(asked) > 0 {
		t.Errorf("asked without a name: %q", asked)
	}
	w.daemon(t, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--listen-address="+serverAddress, "--bind-interfaces", "--pid-file=", "--user=root",
		"--address=/boot.example.com/"+serverAddress)
	t.Logf("names after %.1f s", time.Since(m.since).Seconds())
	m.wantConfigured(t, key, "cmdline")
}

// TestClock has a machine wake up in 1970, and a certificate that is valid since 2026. Two time servers that DHCP names agree on what
// the time is. The image's own client for them is off, so that it cannot be that which puts the clock right.
func TestClock(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	const second = "10.77.0.2"
	mustRun(t, "ip", "-n", w.name, "addr", "add", second+"/24", "dev", "br0")
	w.dhcp(t, "--dhcp-option=option:ntp-server,"+serverAddress+","+second, "--address=/boot.example.com/"+serverAddress)
	for _, address := range []string{serverAddress, second} {
		w.serveTime(t, address+":123")
	}
	documents := newSite(userData(key))
	authority := w.serveTLS(t, "2026-11-01", "2049-12-31", documents)
	m := w.powerOn(t, w.plug(t), hardware{disk: overlay(t, installed(t)), clock: "1970-01-02T00:00:00",
		arguments: "systemd.mask=systemd-timesyncd.service cloud-config-url=https://boot.example.com/cloud-config cloud-config-ca=sha256:" + authority})
	m.wantConfigured(t, key, "cmdline")
	got, err := m.ssh(t.Context(), key, "elroy", "date -u +%s; journalctl -b -o short-iso --no-pager -u 'provisioner*' | grep clock")
	t.Logf("%s %v", got, err)
	var seconds int64
	if _, err := fmt.Sscan(got, &seconds); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		t.Errorf("its clock is at %s", time.Unix(seconds, 0))
	}
}

// serveTime is a time server. Format: RFC 4330, section 4.
func (w world) serveTime(t *testing.T, address string) {
	t.Helper()
	var conn net.PacketConn
	if err := w.enter(func() (err error) {
		conn, err = net.ListenPacket("udp4", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	const unixInNTP = 2208988800
	go func() {
		for p := make([]byte, 48); ; {
			n, from, err := conn.ReadFrom(p)
			if err != nil {
				return
			}
			if n < len(p) {
				continue
			}
			copy(p[24:], p[40:48]) // what the client says it sent is the originate time
			p[0], p[1] = 4<<3|4, 1 // version 4, a server, of the first stratum
			now := uint64(time.Now().Unix()+unixInNTP) << 32
			binary.BigEndian.PutUint64(p[32:], now)
			binary.BigEndian.PutUint64(p[40:], now)
			_, _ = conn.WriteTo(p, from)
		}
	}()
}
