// Package machine reads what firmware, kernel and hypervisor say of the machine: DMI, the kernel command line, SMBIOS
// strings, system credentials, network interfaces, and whether it is a container. It contacts nobody.
//
// [Read] is the thing to call. What it gives is evidence, not a verdict: package detect decides.
package machine

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is what was found.
type Machine struct {
	// Container is the kind of container that this is ("systemd-nspawn", "docker"), "" if it is none. Inside one
	// DMI, SMBIOS strings, disks and command line are the host's, and DMI, Strings and Cmdline are empty.
	Container string
	DMI       DMI
	// Strings are the SMBIOS type 11 strings, in their order.
	Strings []string
	Cmdline Cmdline
	// Credentials are the names of the credentials that the system was given, with their values: passed by the
	// hypervisor or the container manager, so they are ours in a container too.
	Credentials map[string]string
	Links       []Link
	// Arch is the processor's architecture as systemd writes it: "x86-64", "arm64".
	Arch string
	// Hostname is that of the kernel, "" if it is not set.
	Hostname string
}

// DMI is what the firmware says of the hardware, without the blanks around it. A text of a vendor that left it out
// ("To be filled by O.E.M.") is kept as it is; see Real.
type DMI struct {
	SystemVendor, ProductName, ProductVersion, ProductFamily, ProductSerial, ProductUUID string
	ChassisVendor, ChassisAssetTag, ChassisSerial                                        string
	BoardVendor, BoardName, BoardAssetTag, BoardSerial                                   string
	BoardVersion, ChassisVersion                                                         string
	BIOSVendor, BIOSVersion, BIOSDate                                                    string
}

// IsZero says that there is no DMI.
func (d DMI) IsZero() bool { return d == DMI{} }

// Link is a network interface.
type Link struct {
	Name string
	MAC  string // "52:54:00:12:34:56"; "" if it has none
	// Physical says that hardware, or hardware that a hypervisor shows, is behind it.
	Physical bool
	// Up says that there is a carrier.
	Up bool
}

const (
	maxValue       = 4 << 10
	maxCmdline     = 64 << 10
	maxStrings     = 256
	maxCredentials = 64
	maxLinks       = 4096
	maxCredential  = 1 << 20
)

// Read looks at the system below a root of the caller's file system, "/" normally and if it is "". What is not there is
// empty; an error is a thing that is there and cannot be read.
func Read(root string) (*Machine, error) {
	if root == "" {
		root = "/"
	}
	r := reader{root: root}
	m := &Machine{Container: r.container(), Arch: arch(runtime.GOARCH), Hostname: r.text("proc/sys/kernel/hostname", maxValue)}
	if m.Hostname == "(none)" || m.Hostname == "localhost" {
		m.Hostname = ""
	}
	if m.Container == "" {
		m.DMI, m.Strings = r.dmi(), r.strings()
		m.Cmdline = ParseCmdline(r.text("proc/cmdline", maxCmdline))
	}
	m.Credentials = r.credentials(m.Strings)
	m.Links = r.links()
	if r.err != nil {
		return nil, fmt.Errorf("look at the machine: %w", r.err)
	}
	return m, nil
}

// arch is systemd's name of an architecture. Source: systemd.unit(5), ConditionArchitecture= (v252).
func arch(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	}
	return goarch
}

type reader struct {
	root string
	err  error // the first
}

func (r *reader) path(name string) string { return filepath.Join(r.root, name) }

// fail keeps an error, unless a thing is just not there or the kernel has nothing to say.
func (r *reader) fail(err error) {
	if r.err == nil && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		r.err = err
	}
}

// bytes is at most limit bytes of a file; nil if there is none. A serial number may be readable by root alone: who
// is not root does without.
func (r *reader) bytes(name string, limit int64) []byte {
	f := r.open(name, fs.FileMode.IsRegular)
	if f == nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil // sysfs answers EIO or ENODEV for what the hardware does not have
	}
	return b
}

func (r *reader) text(name string, limit int64) string {
	return strings.TrimSpace(strings.TrimRight(string(r.bytes(name, limit)), "\x00"))
}

// open opens what is there and of the right kind, else it gives nil. It looks before it opens: a FIFO below the root of
// an image would never be.
func (r *reader) open(name string, isRight func(fs.FileMode) bool) *os.File {
	info, err := os.Stat(r.path(name))
	if err == nil && !isRight(info.Mode()) {
		return nil
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(r.path(name))
	}
	if err != nil {
		if !errors.Is(err, fs.ErrPermission) {
			r.fail(err)
		}
		return nil
	}
	return f
}

// names is the names in a directory, at most limit.
func (r *reader) names(dir string, limit int) []string {
	d := r.open(dir, fs.FileMode.IsDir)
	if d == nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(limit)
	if err != nil && !errors.Is(err, io.EOF) {
		r.fail(err)
	}
	return names
}

// dmi reads /sys/class/dmi/id. Source: Linux, Documentation/ABI/testing/sysfs-firmware-dmi-entries and
// drivers/firmware/dmi-id.c (6.1).
func (r *reader) dmi() DMI {
	id := func(name string) string { return r.text("sys/class/dmi/id/"+name, maxValue) }
	return DMI{
		SystemVendor: id("sys_vendor"), ProductName: id("product_name"), ProductVersion: id("product_version"),
		ProductFamily: id("product_family"), ProductSerial: id("product_serial"), ProductUUID: strings.ToLower(id("product_uuid")),
		ChassisVendor: id("chassis_vendor"), ChassisAssetTag: id("chassis_asset_tag"), ChassisSerial: id("chassis_serial"),
		BoardVendor: id("board_vendor"), BoardName: id("board_name"), BoardAssetTag: id("board_asset_tag"), BoardSerial: id("board_serial"),
		BoardVersion: id("board_version"), ChassisVersion: id("chassis_version"),
		BIOSVendor: id("bios_vendor"), BIOSVersion: id("bios_version"), BIOSDate: id("bios_date"),
	}
}

// strings reads the type 11 tables: a header of 5 bytes, of which the second is its length and the fifth the number of
// strings, and then the strings, each ended by a zero. Source: SMBIOS 3.6.0 (DSP0134) section 7.12.
func (r *reader) strings() []string {
	var all []string
	for i := range 16 {
		raw := r.bytes(fmt.Sprintf("sys/firmware/dmi/entries/11-%d/raw", i), 64<<10)
		if len(raw) < 5 || int(raw[1]) > len(raw) {
			break
		}
		count := int(raw[4])
		for _, s := range strings.Split(string(raw[raw[1]:]), "\x00") {
			if s == "" || count == 0 || len(all) == maxStrings {
				break
			}
			all = append(all, s)
			count--
		}
	}
	return all
}

// container asks where container managers say that they are one. Source: systemd, "The Container Interface" and
// src/basic/virt.c (v252).
func (r *reader) container() string {
	if kind := r.text("run/systemd/container", maxValue); kind != "" {
		return kind
	}
	if kind := r.text("run/host/container-manager", maxValue); kind != "" {
		return kind
	}
	for _, e := range strings.Split(string(r.bytes("proc/1/environ", 64<<10)), "\x00") {
		if kind, ok := strings.CutPrefix(e, "container="); ok && kind != "" {
			return kind
		}
	}
	for _, marker := range []struct{ path, kind string }{{".dockerenv", "docker"}, {"run/.containerenv", "podman"}} {
		if _, err := os.Lstat(r.path(marker.path)); err == nil {
			return marker.kind
		}
	}
	return ""
}

// credentials are those that systemd has for the system, and those of SMBIOS strings, should it not have read them.
// Source: systemd, "System and Service Credentials" (v252).
func (r *reader) credentials(strs []string) map[string]string {
	all := map[string]string{}
	for _, s := range strs {
		if len(all) == maxCredentials {
			break
		}
		if pair, ok := strings.CutPrefix(s, "io.systemd.credential:"); ok {
			name, value, _ := strings.Cut(pair, "=")
			all[name] = value
		}
		if pair, ok := strings.CutPrefix(s, "io.systemd.credential.binary:"); ok {
			name, text, _ := strings.Cut(pair, "=")
			if value, err := base64.StdEncoding.DecodeString(text); err == nil {
				all[name] = string(value)
			}
		}
	}
	const dir = "run/credentials/@system"
	for _, name := range r.names(dir, maxCredentials) {
		if value := r.bytes(dir+"/"+name, maxCredential); value != nil {
			all[name] = string(value)
		}
	}
	return all
}

// links reads /sys/class/net. Source: Linux, Documentation/ABI/testing/sysfs-class-net (6.1).
func (r *reader) links() []Link {
	const dir = "sys/class/net"
	var all []Link
	for _, name := range r.names(dir, maxLinks) {
		if info, err := os.Stat(r.path(filepath.Join(dir, name))); err == nil && info.Mode().IsRegular() {
			continue // bonding_masters: the module for bonds puts a file among the links
		}
		mac := strings.ToLower(r.text(filepath.Join(dir, name, "address"), maxValue))
		if len(mac) != len("00:00:00:00:00:00") || mac == "00:00:00:00:00:00" {
			mac = ""
		}
		_, err := os.Stat(r.path(filepath.Join(dir, name, "device")))
		all = append(all, Link{Name: name, MAC: mac, Physical: err == nil, Up: r.text(filepath.Join(dir, name, "carrier"), maxValue) == "1"})
	}
	sortLinks(all)
	return all
}

// Words are the words that systemd's ConditionKernelCommandLine= looks at below a root: those of the kernel command line,
// and in a container, where that is the host's, of its init's. What cannot be read has none.
// Source: systemd 252, src/basic/proc-cmdline.c, proc_cmdline.
func Words(root string) []string {
	r := reader{root: root}
	if r.container() != "" {
		return strings.FieldsFunc(string(r.bytes("proc/1/cmdline", maxCmdline)), func(c rune) bool { return c == 0 || c == ' ' || c == '\n' })
	}
	return strings.Fields(string(r.bytes("proc/cmdline", maxCmdline)))
}
