//go:build integration && linux

package disks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cloudconfig/datasources"
	"cloudconfig/datasources/configdrive"
	"cloudconfig/datasources/disk"
	"cloudconfig/datasources/nocloud"
	"cloudconfig/integration/vm"
)

// guest is what the test does as the init of a virtual machine.
func guest(m *testing.M) {
	status := 99
	if err := prepare(); err != nil {
		fmt.Printf("guest: %v\n", err)
	} else {
		os.Args = []string{"init", "-test.v", "-test.run=^TestGuest$"}
		status = m.Run()
	}
	fmt.Printf("\nguest: exit status %d\n", status)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// prepare mounts what every system has, and loads the modules.
func prepare() error {
	for _, m := range []struct{ kind, path string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}} {
		if err := unix.Mount("none", m.path, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.path, err)
		}
	}
	if err := vm.LoadModules(); err != nil {
		return err
	}
	for range 100 { // the drive is found by a thread of the kernel's
		if _, err := os.Stat("/sys/class/block/sr0"); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("no drive")
}

// TestGuest reads all disks; it runs in the virtual machine alone.
func TestGuest(t *testing.T) {
	if os.Getpid() != 1 {
		t.Skip("it runs in the virtual machine of TestDisks")
	}
	t.Run("detect", testDetect)
	t.Run("virtio", func(t *testing.T) { testPlan(t, configDrive, "vda", false) })
	t.Run("cdrom", func(t *testing.T) { testPlan(t, noCloud, "sr0", false) })
	for _, i := range allImages() {
		t.Run(i.name, func(t *testing.T) {
			before := mounts(t)
			l := attach(t, filepath.Join(images, i.name))
			switch {
			case i.name == "hostile.iso":
				testHostile(t, l)
			case i.source == "":
				testBroken(t, l, i)
			default:
				testRead(t, l, i)
			}
			if after := mounts(t); after != before {
				t.Errorf("mounted besides:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func mounts(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testDetect has the program find out by itself where it is: the firmware says OpenStack, and there is a disk for each of
// two datasources. The first of them is taken.
func testDetect(t *testing.T) {
	out, err := exec.Command("/provisioner", "detect", "--format", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var detected struct {
		Platform   string `json:"platform"`
		Candidates []struct{ Source, Reason string }
	}
	if err := json.Unmarshal(out, &detected); err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, c := range detected.Candidates {
		t.Logf("%s: %s", c.Source, c.Reason)
		sources = append(sources, c.Source)
	}
	if got := strings.Join(sources, " "); got != "nocloud configdrive openstack" || !strings.HasPrefix(detected.Platform, "OpenStack") {
		t.Errorf("on %q these are asked: %s", detected.Platform, got)
	}
	if err := os.MkdirAll("/root/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("/provisioner", "plan").CombinedOutput()
	if err != nil || !strings.Contains(string(text), "fetch: nocloud:") || !strings.Contains(string(text), "web1") {
		t.Errorf("%v: %s", err, text)
	}
}

// testPlan has the program itself read a disk that a hypervisor shows.
func testPlan(t *testing.T, source, name string, removable bool) {
	all, err := disk.Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range all {
		t.Logf("%s %s %s %d bytes, removable %v: %s", d.Name, d.Label, d.Type, d.SizeBytes, d.Removable, d.Why)
		if d.Name == name {
			found = d.Removable == removable
		}
	}
	if !found {
		t.Errorf("%s is not there, or removable", name)
	}
	if err := os.MkdirAll("/root/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	out, err := exec.Command("/provisioner", "plan", "--datasource", source).CombinedOutput()
	t.Logf("plan took %s", time.Since(start).Round(time.Millisecond))
	if err != nil || !strings.Contains(string(out), "web1") {
		t.Errorf("%v: %s", err, out)
	}
}

// loop is an image that is a disk of a root of its own, so that no other disk is seen.
type loop struct{ root, name string }

func attach(t *testing.T, image string) loop {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatal(err)
	}
	l := loop{t.TempDir(), fmt.Sprintf("loop%d", n)}
	device, err := os.OpenFile("/dev/"+l.name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	back, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	config := unix.LoopConfig{Fd: uint32(back.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_PARTSCAN}}
	if err := unix.IoctlLoopConfigure(int(device.Fd()), &config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		device, err := os.OpenFile("/dev/"+l.name, os.O_RDWR, 0)
		if err == nil {
			defer device.Close()
			err = unix.IoctlSetInt(int(device.Fd()), unix.LOOP_CLR_FD, 0)
		}
		if err != nil {
			t.Errorf("detach: %v", err)
		}
	})
	for _, dir := range []string{"sys/class/block", "dev"} {
		if err := os.MkdirAll(filepath.Join(l.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob("/sys/class/block/" + l.name + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		name := filepath.Base(path)
		for link, to := range map[string]string{"sys/class/block/": path, "dev/": "/dev/" + name} {
			if err := os.Symlink(to, filepath.Join(l.root, link+name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

func (l loop) source(t *testing.T, name string) datasources.Source {
	t.Helper()
	make := configdrive.New
	if name == noCloud {
		make = nocloud.New
	}
	s, err := make(datasources.Env{Root: l.root}, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testRead(t *testing.T, l loop, i image) {
	start := time.Now()
	data, err := l.source(t, i.source).Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("read in %s", time.Since(start).Round(time.Millisecond))
	if m := data.Meta; m.InstanceID != "i-1" || m.Hostname != "web1" || m.PrivateIPv4 != "10.0.0.5" || string(data.UserData) != userData {
		t.Errorf("%+v", data)
	}
	all, err := disk.Find(t.Context(), l.root)
	if err != nil || len(all) == 0 || all[0].Removable || strings.HasSuffix(all[0].Name, "p1") != i.part {
		t.Errorf("%+v, error %v", all, err)
	}
	other := map[string]string{noCloud: configDrive, configDrive: noCloud}[i.source]
	if _, err := l.source(t, other).Fetch(t.Context()); !errors.Is(err, datasources.ErrAbsent) {
		t.Errorf("for %s it is no absence: %v", other, err)
	}
}

// testBroken wants an error, or what could be read in spite of it, soon.
func testBroken(t *testing.T, l loop, i image) {
	start := time.Now()
	for _, name := range []string{configDrive, noCloud} {
		data, err := l.source(t, name).Fetch(t.Context())
		t.Logf("%s: %+v, error %v", name, data.Meta, err)
		if err == nil && string(data.UserData) != userData {
			t.Errorf("took %+v", data)
		}
		if i.want != "" && err != nil && !strings.Contains(err.Error(), "no disk labelled") && !strings.Contains(err.Error(), i.want) {
			t.Errorf("error %v, want %q", err, i.want)
		}
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func testHostile(t *testing.T, l loop) {
	all, err := disk.Find(t.Context(), l.root)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, error %v", all, err)
	}
	tree, err := all[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	testMount(t)
	if b, err := tree.Read(t.Context(), "folder/file"); err != nil || string(b) != "text" {
		t.Errorf("%q, error %v", b, err)
	}
	for path, want := range map[string]string{
		"link": "a symbolic link", "absolute": "a symbolic link", "up": "a symbolic link", "way/file": "a symbolic link", "fifo": "not a regular file",
		"node": "permission denied", "large": "larger than 16 MiB", "folder": "not a regular file", "../etc/hostname": "cross-device", "/etc/hostname": "cross-device", "none": "no such file",
	} {
		if b, err := tree.Read(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, error %v, want %q", path, len(b), err, want)
		}
	}
}

// testMount looks at the one file system of a disk that this process has open.
func testMount(t *testing.T) {
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		var fs unix.Statfs_t
		if unix.Statfs(fd, &fs) != nil || fs.Type != unix.ISOFS_SUPER_MAGIC {
			continue
		}
		const noSymfollow = 0x2000 // ST_NOSYMFOLLOW of linux/statfs.h
		const want = unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC | noSymfollow
		if fs.Flags&want != want {
			t.Errorf("mounted with %#x, which is not all of %#x", fs.Flags, want)
		}
		return
	}
	t.Error("nothing is mounted")
}
