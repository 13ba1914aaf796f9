//go:build integration && linux

// Package vm has what tests in a virtual machine share: Debian's kernel, and initial RAM disks. The test itself is
// the init in there.
package vm

import (
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// File is one of an initial RAM disk.
type File struct {
	Name, Path string
	Mode       uint32
}

// WriteInitrd writes a compressed archive of the format "newc". Source: Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst (6.1).
func WriteInitrd(path string, files []File, more ...string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	written := 0
	put := func(b []byte) {
		if err == nil {
			_, err = z.Write(b)
		}
		written += len(b)
		if pad := -written & 3; pad > 0 && err == nil {
			_, err = z.Write(make([]byte, pad))
			written += pad
		}
	}
	inode := 0
	entry := func(name string, mode uint32, rdev [2]int, content []byte) {
		inode++
		put([]byte(fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			inode, mode, 0, 0, 1, 0, len(content), 0, 0, rdev[0], rdev[1], len(name)+1, 0, name)))
		put(content)
	}
	for _, dir := range append([]string{"dev", "proc", "sys", "run", "tmp", "etc", "modules"}, more...) {
		entry(dir, 0o040755, [2]int{}, nil)
	}
	entry("dev/console", 0o020600, [2]int{5, 1}, nil)
	for _, one := range files {
		content, err := os.ReadFile(one.Path)
		if err != nil {
			return err
		}
		entry(one.Name, one.Mode, [2]int{}, content)
	}
	entry("TRAILER!!!", 0, [2]int{}, nil)
	if err != nil {
		return err
	}
	return z.Close()
}

// Kernel is Debian's kernel for virtual machines, fetched when it is missing, and those modules that are wanted as
// files of an initial RAM disk, where [LoadModules] finds them. A module that is not there is built in.
func Kernel(wanted ...string) (image string, modules []File, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	dir := filepath.Join(cache, "provisioner-integration", "kernel")
	if _, err := os.Stat(dir); err != nil {
		if err := fetchKernel(dir); err != nil {
			return "", nil, err
		}
	}
	found := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "vmlinuz-") {
			image = path
		}
		found[strings.TrimSuffix(name, ".ko")] = path
		return err
	})
	if err != nil || image == "" {
		return "", nil, fmt.Errorf("no kernel in %s: %w", dir, errors.Join(err, os.ErrNotExist))
	}
	for _, name := range wanted {
		if path := found[name]; strings.HasSuffix(path, ".ko") {
			modules = append(modules, File{"modules/" + filepath.Base(path), path, 0o100644})
		}
	}
	return image, modules, nil
}

func fetchKernel(dir string) error {
	if out, err := exec.Command("apt-get", "update", "-q").CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get update: %w: %s", err, out)
	}
	out, err := exec.Command("apt-cache", "depends", "linux-image-cloud-amd64").Output()
	if err != nil {
		return err
	}
	var pkg string
	for line := range strings.Lines(string(out)) {
		if kind, name, _ := strings.Cut(strings.TrimSpace(line), ": "); kind == "Depends" && strings.HasPrefix(name, "linux-image-") {
			pkg = name
		}
	}
	if pkg == "" {
		return errors.New("apt knows no linux-image-cloud-amd64")
	}
	unfinished := dir + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	download := exec.Command("apt-get", "download", "-q", pkg)
	download.Dir = unfinished
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download %s: %w: %s", pkg, err, out)
	}
	debs, err := filepath.Glob(filepath.Join(unfinished, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get downloaded %q", debs)
	}
	if out, err := exec.Command("dpkg", "-x", debs[0], unfinished).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg: %w: %s", err, out)
	}
	if err := os.Remove(debs[0]); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

// LoadModules loads the modules in the initial RAM disk.
func LoadModules() error {
	modules, err := filepath.Glob("/modules/*.ko")
	if err != nil {
		return err
	}
	for len(modules) > 0 { // one that needs another cannot be loaded before that
		var left []string
		var first error
		for _, path := range modules {
			if err := load(path); err != nil {
				left = append(left, path)
				first = errors.Join(first, err)
			}
		}
		if len(left) == len(modules) {
			return first
		}
		modules = left
	}
	return nil
}

func load(module string) error {
	f, err := os.Open(module)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load %s: %w", module, err)
	}
	return nil
}
