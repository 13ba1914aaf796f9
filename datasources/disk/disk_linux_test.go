package disk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/datasources"
	"cloudconfig/datasources/disk"
)

// iso is the volume descriptors of an image, with a label for Joliet if it is not "".
func iso(label, joliet string) []byte {
	b := make([]byte, 19*2048)
	descriptor := func(n int, kind byte) []byte {
		d := b[(16+n)*2048:]
		d[0], d[6] = kind, 1
		copy(d[1:], "CD001")
		return d
	}
	d := descriptor(0, 1)
	copy(d[40:72], label+strings.Repeat(" ", 32))
	n := 1
	if joliet != "" {
		d = descriptor(1, 2)
		copy(d[88:], "%/E")
		name := d[40:72]
		for i, u := range utf16.Encode([]rune(joliet + strings.Repeat(" ", 16)))[:16] {
			binary.BigEndian.PutUint16(name[2*i:], u)
		}
		n = 2
	}
	descriptor(n, 255)
	return b
}

// fat is the boot sector and the root folder of an image; a label that is "" is not there.
func fat(bits int, boot, folder string) []byte {
	const sector = 512
	b := make([]byte, 128<<10)
	binary.LittleEndian.PutUint16(b[11:], sector)
	b[13], b[16], b[21] = 4, 2, 0xF8
	binary.LittleEndian.PutUint16(b[14:], 1)
	at, extended := (1+2*9)*sector, 38
	if bits == 32 {
		binary.LittleEndian.PutUint32(b[36:], 40)
		binary.LittleEndian.PutUint32(b[44:], 3)
		at, extended = (1+2*40+4)*sector, 66
	} else {
		binary.LittleEndian.PutUint16(b[17:], 512)
		binary.LittleEndian.PutUint16(b[22:], 9)
	}
	const blanks = "           "
	if boot != "" {
		b[extended] = 0x29
		copy(b[extended+5:extended+16], boot+blanks)
	}
	b[510], b[511] = 0x55, 0xAA
	entry := func(name string, attributes byte) {
		copy(b[at:at+11], name+blanks)
		b[at+11] = attributes
		at += 32
	}
	entry("\xE5ONE", 0x08)
	entry("Along name", 0x0F)
	entry("FOLDER", 0x10)
	if folder != "" {
		entry(folder, 0x28)
	}
	return b
}

func TestLabel(t *testing.T) {
	damaged := func(b []byte, at int, with ...byte) []byte {
		copy(b[at:], with)
		return b
	}
	for _, tt := range []struct {
		name  string
		image []byte
		want  string // "type label second"; "" if it is none
	}{
		{"ISO 9660", iso("config-2", ""), "iso9660 config-2 "},
		{"Joliet has the same label", iso("cidata", "cidata"), "iso9660 cidata "},
		{"Joliet has what ISO 9660 cannot write", iso("CONFIG_2", "config-2"), "iso9660 CONFIG_2 config-2"},
		{"only Joliet has one", iso("", "CIDATA"), "iso9660 CIDATA "},
		{"ISO 9660 without a label", iso("", ""), ""},
		{"a label that is no text", iso("config\x1b[m", ""), ""},
		{"FAT12 or FAT16", fat(16, "CONFIG-2", "CONFIG-2"), "vfat CONFIG-2 "},
		{"FAT32", fat(32, "cidata", "cidata"), "vfat cidata "},
		{"only the boot sector has a label", fat(16, "cidata", ""), "vfat cidata "},
		{"only the root folder has a label", fat(32, "NO NAME", "CIDATA"), "vfat CIDATA "},
		{"two labels", fat(16, "config-2", "CONFIG-2"), "vfat CONFIG-2 config-2"},
		{"FAT without a label", fat(16, "NO NAME", ""), ""},
		{"a partition table", damaged(make([]byte, 64<<10), 510, 0x55, 0xAA), ""},
		{"no sectors in a cluster", damaged(fat(16, "cidata", ""), 13, 0), ""},
		{"sectors of 513 bytes", damaged(fat(16, "cidata", ""), 11, 1, 2), ""},
		{"a FAT32 whose root is cluster 1", damaged(fat(32, "cidata", ""), 44, 1), ""},
		{"a FAT32 whose root is beyond its end", damaged(fat(32, "cidata", "x"), 44, 0xff, 0xff, 0xff, 0xff), "vfat cidata "},
		{"the end is missing", iso("config-2", "")[:16*2048+40], ""},
		{"nothing", nil, ""},
		{"zeros", make([]byte, 64<<10), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kind, label, second, ok := disk.Superblock(bytes.NewReader(tt.image))
			got := ""
			if ok {
				got = kind + " " + label + " " + second
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// picture is the picture of a machine.
type picture struct {
	t    *testing.T
	root string
}

func newPicture(t *testing.T) picture { return picture{t, t.TempDir()} }

func (p picture) write(path string, content []byte) {
	p.t.Helper()
	path = filepath.Join(p.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// add makes a device at a place below sys/devices, as sysfs has it.
func (p picture) add(place string, content []byte, attributes ...string) {
	p.t.Helper()
	name := filepath.Base(place)
	p.write("dev/"+strings.ReplaceAll(name, "!", "/"), content)
	p.write("sys/devices/"+place+"/size", []byte("64\n"))
	p.write("sys/devices/"+place+"/dev", []byte("252:1\n"))
	for _, a := range attributes {
		key, value, _ := strings.Cut(a, "=")
		p.write("sys/devices/"+place+"/"+key, []byte(value+"\n"))
	}
	link := filepath.Join(p.root, "sys/class/block", name)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink("../../devices/"+place, link); err != nil {
		p.t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	p := newPicture(t)
	const hypervisor = "processor\t: 0\nflags\t\t: fpu hypervisor lahf_lm\n"
	image := iso("config-2", "")
	p.add("pci0000:00/virtio1/block/vdb10", image)
	p.add("pci0000:00/virtio1/block/vdb9", fat(16, "CIDATA", "CIDATA"))
	p.add("pci0000:00/ata2/host1/block/sr0", image, "removable=1")
	p.add("pci0000:00/0000:00:14.0/usb1/1-1/host6/block/sda", make([]byte, 4096), "removable=0")
	p.add("pci0000:00/0000:00:14.0/usb1/1-1/host6/block/sda/sda1", image, "partition=1")
	p.add("platform/mmc_host/mmc0/mmc0:0001/block/mmcblk0", image, "device/type=SD")
	p.add("platform/mmc_host/mmc1/mmc1:0001/block/mmcblk1", image, "device/type=MMC")
	p.add("pci0000:00/cciss0/block/cciss!c0d0", image)
	p.add("pci0000:00/virtio2/block/vdc", make([]byte, 64<<10))
	p.add("virtual/block/loop0", image, "size=0")
	p.add("platform/floppy.0/block/fd0", image)
	p.add("pci0000:00/nvme/nvme0c0n1", image, "hidden=1")
	p.write("proc/cpuinfo", []byte(hypervisor))

	type found struct {
		Name, Label, Type, Why string
		Removable              bool
	}
	look := func() (all []found) {
		t.Helper()
		disks, err := disk.Find(t.Context(), p.root)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range disks {
			if d.SizeBytes != 32<<10 {
				t.Errorf("%s has %d bytes", d.Name, d.SizeBytes)
			}
			all = append(all, found{d.Name, d.Label, d.Type, d.Why, d.Removable})
		}
		return all
	}
	want := []found{
		{"cciss!c0d0", "config-2", "iso9660", "built in", false},
		{"mmcblk1", "config-2", "iso9660", "built in", false},
		{"sr0", "config-2", "iso9660", "a drive of the hypervisor's", false},
		{"vdb9", "CIDATA", "vfat", "built in", false},
		{"vdb10", "config-2", "iso9660", "built in", false},
		{"mmcblk0", "config-2", "iso9660", "a memory card", true},
		{"sda1", "config-2", "iso9660", "on usb", true},
	}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Error(diff)
	}

	// Bare metal: what is in the drive can have been put there by anyone.
	p.write("proc/cpuinfo", []byte("flags\t\t: fpu lahf_lm\n"))
	p.write("sys/class/dmi/id/sys_vendor", []byte("QEMU\n")) // an x86 processor knows better
	want = append(append(want[:2:2], want[3:]...), found{"sr0", "config-2", "iso9660", "a medium that can be taken out", true})
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Error(diff)
	}
	// A processor that does not say it.
	p.write("proc/cpuinfo", []byte("processor\t: 0\nFeatures\t: fp asimd\n"))
	if all := look(); all[2].Name != "sr0" || all[2].Removable {
		t.Errorf("by DMI it is a virtual machine: %+v", all[2])
	}
}

func TestHas(t *testing.T) {
	p := newPicture(t)
	p.add("virtio/block/vdb", iso("CONFIG_2", "config-2"))
	p.add("virtio/block/vdc", iso("CIDATA", ""))
	all, err := disk.Find(t.Context(), p.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		label string
		want  []string
	}{
		{"config-2", []string{"vdb"}},
		{"CONFIG_2", []string{"vdb"}},
		{"CIDATA", []string{"vdc"}},
		{"cidata", nil},
	} {
		var got []string
		for _, d := range disk.Labelled(all, tt.label) {
			got = append(got, d.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.label, diff)
		}
	}
}

func TestFindNothing(t *testing.T) {
	if all, err := disk.Find(t.Context(), t.TempDir()); all != nil || err != nil {
		t.Errorf("%v, error %v", all, err)
	}
}

// A device that hangs costs its own answer and no other, is named, and is not asked a second time.
func TestHang(t *testing.T) {
	p := newPicture(t)
	p.add("virtio/block/vdb", iso("config-2", ""))
	p.add("virtio/block/vdc", iso("config-2", ""))
	p.add("virtio/block/vdd", iso("config-2", ""))
	hang := make(chan struct{})
	var mu sync.Mutex
	asked := map[string]int{}
	f := disk.Finder{Root: p.root}
	f.Hang(func(name string) {
		mu.Lock()
		asked[name]++
		mu.Unlock()
		if name == "vdc" {
			<-hang
		}
	}, 200*time.Millisecond)
	ignore := cmpopts.IgnoreUnexported(disk.Disk{})
	for range 2 {
		all, err := f.Find(t.Context())
		if !errors.Is(err, datasources.ErrNotReady) || !strings.Contains(err.Error(), "no answer of vdc:") {
			t.Errorf("error %v", err)
		}
		if len(all) != 2 || all[0].Name != "vdb" || all[1].Name != "vdd" {
			t.Errorf("found %s", cmp.Diff(nil, all, ignore))
		}
	}
	close(hang)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]int{"vdb": 2, "vdc": 1, "vdd": 2}, asked); diff != "" {
		t.Error(diff)
	}
}

// A disk that anyone can plug in is for nobody who does not ask for it.
func TestRemovable(t *testing.T) {
	p := newPicture(t)
	p.add("pci0000:00/usb1/1-1/host6/block/sda", iso("config-2", ""))
	env := datasources.Env{Root: p.root}
	read := func(context.Context, *disk.Tree) error { return nil }
	err := new(disk.Finder).First(t.Context(), env, []string{"config-2"}, read)
	if !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "sda is removable (on usb)") {
		t.Errorf("error %v", err)
	}
	env.Policy.Removable = true
	err = new(disk.Finder).First(t.Context(), env, []string{"config-2"}, read)
	if err == nil || errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "the file system of /dev/sda") { // it is only a picture
		t.Errorf("error %v", err)
	}
}

func TestSettled(t *testing.T) {
	p := newPicture(t)
	if !disk.Settled(p.root) {
		t.Error("without udev there is nothing to wait for")
	}
	p.write("run/udev/queue", nil)
	if disk.Settled(p.root) {
		t.Error("udev is at work")
	}
}

func FuzzSuperblock(f *testing.F) {
	f.Add(iso("config-2", "config-2")[16*2048:], []byte{})
	f.Add([]byte{}, fat(16, "cidata", "CIDATA")[:12<<10])
	f.Add([]byte{}, fat(32, "cidata", "CIDATA")[:2<<10])
	f.Fuzz(func(t *testing.T, volume, boot []byte) {
		image := make([]byte, 16*2048, 16*2048+len(volume))
		copy(image, boot)
		kind, label, second, ok := disk.Superblock(bytes.NewReader(append(image, volume...)))
		if ok && (label == "" || kind != disk.ISO9660 && kind != disk.VFAT) {
			t.Errorf("%q %q", kind, label)
		}
		for _, l := range []string{label, second} {
			if len(l) > 32 || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("label %q", l)
			}
		}
	})
}
