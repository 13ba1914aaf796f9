//go:build integration && linux

package machines_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"debug/elf"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudconfig/integration/vm"
	issue "cloudconfig/schema/certificate/certificatetest"
)

// guide is docs/pxe.md, of which every marked box is used as it stands.
type guide string

func readGuide(t *testing.T) guide {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "pxe.md"))
	if err != nil {
		t.Fatal(err)
	}
	return guide(text)
}

// box is the code after <!-- run: NAME -->, with pairs of what is replaced in it. What is not there cannot be replaced.
func (g guide) box(t *testing.T, name string, replace ...string) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(g), "<!-- run: "+name+" -->\n```")
	_, rest, begins := strings.Cut(rest, "\n")
	code, _, ends := strings.Cut(rest, "```\n")
	if !ok || !begins || !ends {
		t.Fatalf("docs/pxe.md has no box %s", name)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(code, replace[i]) {
			t.Fatalf("%s in docs/pxe.md has no %q", name, replace[i])
		}
		code = strings.ReplaceAll(code, replace[i], replace[i+1])
	}
	return code
}

// fingerprint is what docs/pxe.md has where a site's own authority is to be.
const fingerprint = "2b1a0c9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3"

// netboot is a folder with what is booted over the network, made once for all tests: vmlinuz and
// ram.img.
func netboot(t *testing.T) string {
	t.Helper()
	images.Lock()
	defer images.Unlock()
	dir := filepath.Join(imageFolder(t), "netboot")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	kernel, files, err := vm.Kernel("loop", "squashfs", "overlay")
	if err != nil {
		missing(t, "a kernel: "+err.Error())
	}
	unfinished := root(dir + ".unfinished")
	unfinished.copy(t, "vmlinuz", 0o644, kernel)
	init := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(init, []byte(readGuide(t).box(t, "init")), 0o755); err != nil {
		t.Fatal(err)
	}
	files = append(files, vm.File{Name: "bin/busybox", Path: busybox(t), Mode: 0o100755}, vm.File{Name: "init", Path: init, Mode: 0o100755})
	if err := vm.WriteInitrd(filepath.Join(string(unfinished), "initrd.gz"), files, "bin"); err != nil {
		t.Fatal(err)
	}
	withRoot(t, pristine(t), func(r root) {
		r.installProgram(t, "")
		mustRun(t, "mksquashfs", string(r), filepath.Join(string(unfinished), "root.squashfs"), "-comp", "lz4", "-quiet", "-no-progress")
	})
	join := exec.Command("sh", "-ec", readGuide(t).box(t, "ram.img"))
	join.Dir = string(unfinished)
	if _, err := output(join); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(string(unfinished), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// busybox is one that needs no library.
func busybox(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		missing(t, "busybox, of Debian's busybox-static")
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		missing(t, "a static busybox, of Debian's busybox-static")
	}
	return path
}

// bootServer has what DHCP names first and all that is booted, and remembers what was asked for.
func (w world) bootServer(t *testing.T, script string) *site {
	t.Helper()
	tftp := t.TempDir()
	conf := filepath.Join(t.TempDir(), "dnsmasq.conf")
	if err := os.WriteFile(conf, []byte(readGuide(t).box(t, "dnsmasq.conf", "/srv/tftp", tftp)), 0o644); err != nil {
		t.Fatal(err)
	}
	w.dhcp(t, "--conf-file="+conf, "--address=/boot.example.com/"+serverAddress)
	s, files := newSite(script), http.FileServer(http.Dir(netboot(t)))
	w.serve(t, serverAddress+":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/boot.ipxe":
			s.ServeHTTP(w, r)
		case "/ipxe.efi":
			s.remember(r)
			http.ServeFile(w, r, efiLoader)
		default:
			s.remember(r)
			files.ServeHTTP(w, r)
		}
	}))
	return s
}

// serveTLS serves https for boot.example.com, and says the fingerprint of the authority, which it sends itself.
func (w world) serveTLS(t *testing.T, from, to string, handler http.Handler) (authority string) {
	t.Helper()
	ca := issue.Make(issue.Request{Name: "authority of the site", From: from, To: to, Key: issue.ECDSA(2), CA: true})
	leaf := issue.Make(issue.Request{Name: "boot.example.com", Hosts: []string{"boot.example.com", serverAddress}, From: from, To: to, Issuer: ca})
	certificate := tls.Certificate{Certificate: [][]byte{leaf.Certificate.Raw, ca.Certificate.Raw}, PrivateKey: crypto.PrivateKey(leaf.Signer)}
	l := w.listen(t, serverAddress+":443")
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})) }() // until it is closed
	t.Cleanup(func() { s.Close() })
	return fmt.Sprintf("%x", sha256.Sum256(ca.Certificate.Raw))
}

// TestHTTPBoot is the same with UEFI, whose firmware fetches iPXE by HTTP.
func TestHTTPBoot(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	documents := newSite(userData(key))
	authority := w.serveTLS(t, "2026-01-01", "2049-12-31", documents)
	scripts := w.bootServer(t, readGuide(t).box(t, "boot.ipxe", fingerprint, authority, "quiet", "quiet "+emulated))
	m := w.powerOn(t, w.plug(t), hardware{efi: true, memoryMiB: 1536})
	m.wantConfigured(t, key, "cmdline")
	if asked := scripts.requests(); !slices.Contains(asked, "/ipxe.efi") {
		t.Errorf("iPXE was not fetched by HTTP: %q", asked)
	}
}

// TestPXE boots over the network from iPXE in the card's ROM, with the root in memory. The configuration is on a plain
// web server, one file for each machine, and trusted by the authority on the kernel command line.
func TestPXE(t *testing.T) {
	need(t)
	w, key := newWorld(t), newSSHKey(t, "user-data")
	documents := newSite(userData(key))
	authority := w.serveTLS(t, "2026-01-01", "2049-12-31", documents)
	scripts := w.bootServer(t, readGuide(t).box(t, "boot.ipxe", fingerprint, authority, "quiet", "quiet "+emulated))
	card := w.plug(t)
	const uuid = "33343138-3333-5a43-4a31-333330304a31" // as HPE's firmware makes them of product and serial number
	m := w.powerOn(t, card, hardware{pxe: true, memoryMiB: 1536, uuid: uuid,
		smbios: []string{"type=1,manufacturer=HPE,product=ProLiant DL360 Gen10,serial=CZJ13300J1"}})
	m.wantConfigured(t, key, "cmdline")
	if want := "/" + strings.ReplaceAll(card.mac, ":", "-") + ".yaml?uuid=" + uuid; !slices.Contains(documents.requests(), want) {
		t.Errorf("asked for %q, not for %s", documents.requests(), want)
	}
	t.Logf("asked of the boot server: %q", scripts.requests())
	m.want(t, key, "overlay", "stat -f -c %T / | sed s/overlayfs/overlay/")
	m.want(t, key, "tls", `provisioner status --format json | sed -n 's/.*"proof": *"\([a-z]*\)".*/\1/p'`)
}

// TestMatchbox boots as docs/pxe.md has it with matchbox, the real one, which knows the machine by its MAC address.
func TestMatchbox(t *testing.T) {
	need(t)
	g, w, key := readGuide(t), newWorld(t), newSSHKey(t, "user-data")
	card := w.plug(t)
	dir := root(t.TempDir())
	const theirKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"
	dir.write(t, "profiles/node.json", 0o644, g.box(t, "profiles/node.json", `"quiet"`, `"quiet `+emulated+`"`))
	dir.write(t, "groups/node1.json", 0o644, g.box(t, "groups/node1.json", "52:54:00:12:34:01", card.mac, theirKey, key.public))
	dir.write(t, "cloud/node.yaml.tmpl", 0o644, g.box(t, "cloud/node.yaml.tmpl"))
	dir.write(t, "assets/provisioner.yaml", 0o644, g.box(t, "provisioner.yaml"))
	for _, name := range []string{"vmlinuz", "ram.img"} {
		if err := os.Symlink(filepath.Join(netboot(t), name), filepath.Join(string(dir), "assets", name)); err != nil {
			t.Fatal(err)
		}
	}
	w.daemon(t, matchbox(t), "-address="+serverAddress+":8080", "-rpc-address=", "-log-level=debug", "-data-path="+string(dir), "-assets-path="+filepath.Join(string(dir), "assets"))
	w.dhcp(t, "--address=/matchbox.example.com/"+serverAddress, "--dhcp-boot=http://matchbox.example.com:8080/boot.ipxe")
	m := w.powerOn(t, card, hardware{pxe: true, memoryMiB: 1536, uuid: "11111111-2222-4333-8444-555555555503"})
	m.login(t, key, "core")
	for command, want := range map[string]string{
		"provisioner status --wait --format json | sed -n 's/.*\"state\": *\"\\([a-z]*\\)\".*/\\1/p'": "done",
		"hostname":      "node1",
		"cat /run/role": "storage",
		failedUnits:     "",
	} {
		if got, err := m.ssh(t.Context(), key, "core", command); got != want {
			t.Errorf("%s\n got  %q (%v)\n want %q", command, got, err, want)
		}
	}
	metadata, err := m.ssh(t.Context(), key, "core", "sort /run/matchbox")
	t.Logf("matchbox's metadata: %q %v", metadata, err)
}

// matchbox is the program, built when it is missing, which takes a minute.
func matchbox(t *testing.T) string {
	t.Helper()
	const module = "../tools/matchbox/go.mod"
	text, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache(t), fmt.Sprintf("matchbox-%x", sha256.Sum256(text))[:len("matchbox-")+16])
	if _, err := os.Stat(path); err == nil {
		return path
	}
	unfinished := fmt.Sprintf("%s.%d", path, os.Getpid())
	if _, err := run("env", "CGO_ENABLED=0", "go", "build", "-modfile="+module, "-trimpath", "-o", unfinished, "github.com/poseidon/matchbox/cmd/matchbox"); err != nil {
		missing(t, "matchbox: "+err.Error())
	}
	if err := os.Rename(unfinished, path); err != nil {
		t.Fatal(err)
	}
	return path
}
