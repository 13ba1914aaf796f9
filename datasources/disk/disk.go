// Package disk finds the disks that carry a configuration, by their labels, and reads files from them. It needs no udev.
//
// [Finder.Find] is the thing to call, then [Disk.Open] for the [Tree] of one. A directory of the caller's is read in the
// same way, by [OpenDir]. What the files mean is for others to say.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloudconfig/datasources"
)

// Types of file systems that are looked for.
const (
	ISO9660 = "iso9660"
	VFAT    = "vfat"
	UDF     = "udf" // only what else a disk of ISO9660 can be opened as
)

const (
	// patience is how long a device may take for the few blocks in which its label is.
	patience   = 3 * time.Second
	maxDevices = 1024
	atOnce     = 64
)

// Disk is a disk, or a partition of one, that has a label.
type Disk struct {
	// Name is what the kernel calls it: "sr0", "vdb1".
	Name string
	// Label is as it is written there, without the filler at its end: "config-2", "CIDATA".
	Label string
	// Type is ISO9660 or VFAT.
	Type string
	// HasUDF says that the same files are in a UDF file system, too: with UDF for its Type it is opened as that.
	HasUDF    bool
	SizeBytes int64
	// Removable says that whoever stands before the machine can plug it in.
	Removable bool
	// Why is the reason for Removable, or for its contrary: "on usb".
	Why string

	root   string
	number string // of the device, as sysfs has it: "252:16"
	second string // a label written in another place, if it is another one
}

// Has says that the disk has one of some labels. Case counts.
func (d Disk) Has(labels ...string) bool {
	for _, l := range labels {
		if d.Label == l || d.second == l {
			return true
		}
	}
	return false
}

// Labelled is those with one of some labels, in their order.
func Labelled(all []Disk, labels ...string) []Disk {
	var some []Disk
	for _, d := range all {
		if d.Has(labels...) {
			some = append(some, d)
		}
	}
	return some
}

// Settled says that all devices are announced, as far as udev knows: while it is false, a disk that is missing may
// still come. Source: systemd, src/libudev/libudev-queue.c (v252), by which /run/udev/queue is there as long as events are.
func Settled(root string) bool {
	_, err := os.Lstat(filepath.Join(slash(root), "run/udev/queue"))
	return err != nil
}

// Find is one look at all disks, by a new Finder.
func Find(ctx context.Context, root string) ([]Disk, error) {
	return (&Finder{Root: root}).Find(ctx)
}

// Finder looks at disks. One that is asked again does not touch a device that has not answered it yet.
type Finder struct {
	// Root is the folder of the caller's file system below which /sys, /dev and /run are; "" is "/".
	Root string

	// For tests, which have no device that hangs.
	look     func(name string)
	patience time.Duration

	mu   sync.Mutex
	busy map[string]bool
}

// Find looks at every block device, partitions too, and gives those that have the label of an ISO 9660 or FAT file
// system: first those that are not removable, then by their names, with numbers in them as numbers. So the same disks
// are always in the same order. It reads at most 100 KiB of each, all at the same time, and waits 3 s for them. If some
// have not answered by then, there are disks all the same, and an error that names those and wraps
// datasources.ErrNotReady. A device that cannot be read has no label. It must not be called in a container, where the
// devices are the host's.
func (f *Finder) Find(ctx context.Context) ([]Disk, error) {
	root := slash(f.Root)
	names, err := devices(root)
	if err != nil {
		return nil, fmt.Errorf("look for disks: %w", err)
	}
	virtual := isVirtual(root)
	type answer struct {
		name  string
		disk  Disk
		found bool
	}
	answers := make(chan answer, len(names))
	turn := make(chan struct{}, atOnce)
	waiting := map[string]bool{}
	var late []string
	wait := patience
	if f.patience > 0 {
		wait = f.patience
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for _, name := range names {
		if !f.begin(name) {
			late = append(late, name)
			continue
		}
		waiting[name] = true
		go func() {
			turn <- struct{}{}
			if f.look != nil {
				f.look(name)
			}
			d, found := look(root, name, virtual)
			<-turn
			f.end(name)
			answers <- answer{name, d, found}
		}()
	}
	var all []Disk
	for len(waiting) > 0 {
		select {
		case a := <-answers:
			delete(waiting, a.name)
			if a.found {
				all = append(all, a.disk)
			}
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Removable != all[j].Removable {
			return all[j].Removable
		}
		return before(all[i].Name, all[j].Name)
	})
	for name := range waiting {
		late = append(late, name)
	}
	if len(late) == 0 {
		return all, nil
	}
	sort.Strings(late)
	return all, fmt.Errorf("look for disks: no answer of %s: %w", strings.Join(late, ", "), datasources.ErrNotReady)
}

func (f *Finder) begin(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[name] {
		return false
	}
	if f.busy == nil {
		f.busy = map[string]bool{}
	}
	f.busy[name] = true
	return true
}

func (f *Finder) end(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, name)
}

// devices is the names of block devices that can have a configuration on them.
func devices(root string) ([]string, error) {
	dir := filepath.Join(root, "sys/class/block")
	info, err := os.Stat(dir) // before it is opened: below the root of an image it may be a FIFO
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	sort.Strings(all)
	var names []string
	for _, name := range all {
		size, _ := strconv.ParseInt(attribute(root, name, "size"), 10, 64)
		// A floppy drive takes seconds to find out that it is empty, memory holds nothing at boot, and a hidden device
		// is one path to another.
		if size <= 0 || isNumbered(name, "fd") || isNumbered(name, "ram") || isNumbered(name, "zram") || attribute(root, name, "hidden") == "1" {
			continue
		}
		if names = append(names, name); len(names) == maxDevices {
			break
		}
	}
	return names, nil
}

func isNumbered(name, kind string) bool {
	digits, ok := strings.CutPrefix(name, kind)
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// look reads the label of one device.
func look(root, name string, virtual bool) (Disk, bool) {
	d := Disk{Name: name, root: root, number: attribute(root, name, "dev")}
	f, err := d.open()
	if err != nil {
		return d, false
	}
	defer f.Close()
	block, ok := readSuperblock(f)
	if !ok {
		return d, false
	}
	d.Type, d.Label, d.second = block.kind, block.label, block.second
	d.HasUDF = block.kind == ISO9660 && hasUDF(f)
	sectors, _ := strconv.ParseInt(attribute(root, name, "size"), 10, 64)
	d.SizeBytes = sectors * 512 // whatever the device's own sectors are
	d.Removable, d.Why = removable(root, name, virtual)
	return d, true
}

// path is the device's node. The kernel writes "!" for a slash in a name: cciss!c0d0.
func (d Disk) path() string {
	return filepath.Join(d.root, "dev", filepath.FromSlash(strings.ReplaceAll(d.Name, "!", "/")))
}

// removable says whether somebody can plug a device in, and why. That a medium can be taken out of its drive says
// nothing where the drive is the hypervisor's: a cloud's configuration is a CD-ROM more often than not.
func removable(root, name string, virtual bool) (bool, string) {
	place, _ := os.Readlink(filepath.Join(root, "sys/class/block", name)) // ../../devices/pci0000:00/.../usb1/1-1/.../block/sda/sda1
	for part := range strings.SplitSeq(filepath.ToSlash(place), "/") {
		switch {
		case isNumbered(part, "usb"):
			return true, "on usb"
		case isNumbered(part, "fw"):
			return true, "on firewire"
		case isNumbered(part, "mmc") && attribute(root, name, "device/type") != "MMC" && attribute(root, name, "../device/type") != "MMC":
			return true, "a memory card"
		}
	}
	switch ejectable := attribute(root, name, "removable") == "1" || attribute(root, name, "../removable") == "1"; {
	case ejectable && virtual:
		return false, "a drive of the hypervisor's"
	case ejectable:
		return true, "a medium that can be taken out"
	}
	return false, "built in"
}

// isVirtual says that a hypervisor shows the machine its hardware.
func isVirtual(root string) bool {
	if b, err := head(filepath.Join(root, "proc/cpuinfo"), 16<<10); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "flags" {
				return strings.Contains(" "+strings.TrimSpace(flags)+" ", " hypervisor ")
			}
		}
	}
	// Other processors do not say it.
	if b, err := head(filepath.Join(root, "sys/hypervisor/type"), 64); err == nil && len(b) > 0 {
		return true
	}
	vendor, _ := head(filepath.Join(root, "sys/class/dmi/id/sys_vendor"), 256)
	product, _ := head(filepath.Join(root, "sys/class/dmi/id/product_name"), 256)
	both := strings.ToLower(string(vendor) + " " + string(product))
	for _, sign := range []string{"qemu", "kvm", "openstack", "vmware", "virtual machine", "virtualbox", "xen", "bhyve", "amazon ec2", "google", "digitalocean", "hetzner", "parallels"} {
		if strings.Contains(both, sign) {
			return true
		}
	}
	return false
}

// attribute is a file of sysfs about a device, "" if there is none. The kernel resolves "..": from a partition it is
// the disk, since an entry of /sys/class/block is a link.
func attribute(root, device, name string) string {
	b, err := head(filepath.Join(root, "sys/class/block", device)+"/"+name, 256)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func head(path string, limit int) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, limit)
	n, err := f.Read(b)
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

// before is the order of names, with numbers in them as numbers: vdb2 is before vdb10.
func before(a, b string) bool {
	for a != "" && b != "" {
		i, j := digits(a), digits(b)
		if i > 0 && j > 0 {
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if len(x) != len(y) {
				return len(x) < len(y)
			}
			if x != y {
				return x < y
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func slash(root string) string {
	if root == "" {
		return "/"
	}
	return root
}
