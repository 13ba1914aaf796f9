//go:build integration && linux

package disks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// image is a disk and how it is made.
type image struct {
	name string
	make func(t *testing.T, path string)
	// labels are those of the disk; source is what can read it, "" if nothing can, and part says that a partition has it.
	source string
	part   bool
	// want is what the error has if it cannot be read.
	want string
}

const (
	configDrive = "configdrive"
	noCloud     = "nocloud"
)

func allImages() []image {
	all := []image{
		{name: "config-2-rock-joliet.iso", source: configDrive, make: iso("config-2", openStack, "-J", "-r")},
		{name: "config-2-rock.iso", source: configDrive, make: iso("config-2", openStack, "-r")},
		{name: "config-2-joliet.iso", source: configDrive, make: iso("config-2", openStack, "-J")},
		{name: "CONFIG-2.iso", source: configDrive, make: iso("CONFIG-2", openStack, "-J", "-r")},
		{name: "cidata.iso", source: noCloud, make: iso("cidata", seed, "-J", "-r")},
		{name: "CIDATA.iso", source: noCloud, make: iso("CIDATA", seed, "-J", "-r")},
		{name: "ec2.iso", source: configDrive, make: iso("config-2", amazon, "-J", "-r")},
		{name: "hybrid.iso", source: configDrive, make: hybrid},
		{name: "partitioned.img", source: noCloud, part: true, make: partitioned},
		{name: "plain.iso", want: "the seed has no user-data", make: iso("cidata", seed)}, // names of eight letters and three
		{name: "empty.iso", want: "neither a tree openstack nor a tree ec2", make: iso("config-2", nothing, "-r")},
		{name: "cut.iso", want: "mount", make: cut(iso("config-2", openStack, "-J", "-r"), 36<<10)},
		{name: "cut-later.iso", want: "", make: cut(iso("config-2", openStack, "-J", "-r"), 46<<10)},
		{name: "damaged.iso", want: "", make: damage(iso("config-2", openStack, "-J", "-r"), 40<<10, 64<<10)},
		{name: "damaged.vfat", want: "", make: damage(fat("16", "cidata", seed), 4<<10, 64<<10)},
		{name: "cut.vfat", want: "", make: cut(fat("12", "cidata", seed), 8<<10)},
		{name: "hostile.iso", make: iso("cidata", hostile, "-r")},
	}
	for _, bits := range []string{"12", "16", "32"} {
		all = append(all,
			image{name: "config-2.fat" + bits, source: configDrive, make: fat(bits, "config-2", openStack)},
			image{name: "CONFIG-2.fat" + bits, source: configDrive, make: fat(bits, "CONFIG-2", openStack)},
			image{name: "cidata.fat" + bits, source: noCloud, make: fat(bits, "cidata", seed)},
			image{name: "CIDATA.fat" + bits, source: noCloud, make: fat(bits, "CIDATA", seed)})
	}
	return all
}

const userData = "#cloud-config\nhostname: web1\n"

func run(t *testing.T, stdin string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	if stdin != "" {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(stdin); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = f
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func openStack(t *testing.T, dir string) {
	write(t, dir, map[string]string{
		"openstack/2018-08-27/meta_data.json":    `{"uuid": "i-1", "hostname": "web1"}`,
		"openstack/2018-08-27/user_data":         userData,
		"openstack/2018-08-27/network_data.json": `{"links": []}`,
		"openstack/latest/meta_data.json":        `{"uuid": "another"}`,
		"openstack/content/0000":                 "auto eth0\n",
		"ec2/2009-04-04/meta-data.json":          `{"local-ipv4": "10.0.0.5"}`,
	})
}

func amazon(t *testing.T, dir string) {
	write(t, dir, map[string]string{
		"ec2/latest/meta-data.json": `{"instance-id": "i-1", "hostname": "web1", "local-ipv4": "10.0.0.5"}`,
		"ec2/latest/user-data":      userData,
	})
}

func seed(t *testing.T, dir string) {
	write(t, dir, map[string]string{"user-data": userData, "meta-data": "instance-id: i-1\nlocal-hostname: web1\nlocal-ipv4: 10.0.0.5\n"})
}

func nothing(t *testing.T, dir string) { write(t, dir, map[string]string{"readme": ""}) }

// hostile is everything that must not be read.
func hostile(t *testing.T, dir string) {
	write(t, dir, map[string]string{"file": "text", "folder/file": "text", "large": ""})
	if err := os.Truncate(filepath.Join(dir, "large"), 16<<20+1); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "file", "absolute": "/etc/passwd", "up": "../etc/passwd", "way": "folder"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(filepath.Join(dir, "node"), syscall.S_IFCHR|0o644, 1<<8|5); err != nil { // /dev/zero
		missing(t, "device nodes: "+err.Error())
	}
}

type content func(t *testing.T, dir string)

func iso(label string, fill content, options ...string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		dir := t.TempDir()
		fill(t, dir)
		run(t, "", "genisoimage", append(append([]string{"-quiet", "-V", label, "-o", path}, options...), dir)...)
	}
}

// hybrid is a disc that is a partitioned disk as well, with the file system at its beginning and in its partition.
func hybrid(t *testing.T, path string) {
	dir := t.TempDir()
	openStack(t, dir)
	run(t, "", "xorriso", "-as", "mkisofs", "-quiet", "-V", "config-2", "-r", "-J", "--protective-msdos-label", "-partition_offset", "16", "-o", path, dir)
}

func size(t *testing.T, path string, bytes int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(bytes); err != nil {
		t.Fatal(err)
	}
}

func fat(bits, label string, fill content) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		size(t, path, map[string]int64{"12": 2 << 20, "16": 16 << 20, "32": 40 << 20}[bits])
		run(t, "", "mkfs.vfat", "-F", bits, "-n", label, path)
		fillFAT(t, path, fill)
	}
}

func fillFAT(t *testing.T, path string, fill content) {
	t.Helper()
	dir := t.TempDir()
	fill(t, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		run(t, "", "mcopy", "-s", "-i", path, filepath.Join(dir, e.Name()), "::")
	}
}

// partitioned is a disk with a partition that begins at 1 MiB.
func partitioned(t *testing.T, path string) {
	size(t, path, 8<<20)
	run(t, "label: dos\nstart=2048, type=c\n", "sfdisk", "-q", path)
	run(t, "", "mkfs.vfat", "-n", "cidata", "--offset=2048", path, "7168")
	fillFAT(t, path+"@@1M", seed)
}

// cut is an image of which only the beginning is there.
func cut(make func(*testing.T, string), bytes int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		make(t, path)
		size(t, path, bytes)
	}
}

// damage overwrites a part of an image.
func damage(make func(*testing.T, string), from, to int64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		make(t, path)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := []byte{}
		for n := from; n < to; n++ {
			b = append(b, byte(n*31+n>>8*7)|1)
		}
		if _, err := f.WriteAt(b, from); err != nil {
			t.Fatal(err)
		}
	}
}
