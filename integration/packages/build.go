package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

const (
	name       = "provisioner"
	maintainer = "The authors of provisioner <provisioner@localhost>"
	scripts    = "integration/packages/scripts/"
)

// packager is one format, with what is its own in it.
type packager struct {
	nfpm.Packager
	format  string
	needs   string // of systemd: LoadCredential= is of 247
	zsh     string // where the distributions of this format have completions of zsh
	install nfpm.Scripts
}

// build makes the packages of a tree.
func build(tree, out, version, arch string, date time.Time) error {
	work, err := os.MkdirTemp("", "packages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, p := range []packager{
		{Packager: deb.Default, format: "deb", needs: "systemd (>= 247)", zsh: "vendor-completions",
			install: nfpm.Scripts{PostInstall: scripts + "deb-postinst", PostRemove: scripts + "deb-postrm"}},
		{Packager: rpm.DefaultRPM, format: "rpm", needs: "systemd >= 247", zsh: "site-functions",
			install: nfpm.Scripts{PostInstall: scripts + "rpm-post", PreRemove: scripts + "rpm-preun", PostRemove: scripts + "rpm-postun"}},
	} {
		contents, err := p.contents(tree, filepath.Join(work, p.format), version, date)
		if err != nil {
			return err
		}
		if err := p.write(out, contents, version, arch, date); err != nil {
			return fmt.Errorf("%s: %w", p.format, err)
		}
	}
	return nil
}

func (p packager) write(out string, contents files.Contents, version, arch string, date time.Time) error {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: name, Arch: arch, Platform: "linux", Version: version, VersionSchema: "none", Release: "1",
		Section: "admin", Priority: "optional", Maintainer: maintainer, Vendor: "The authors of provisioner", License: "Apache-2.0",
		Description: "turn a cloud-config into a configured machine at first boot\n" +
			"It finds user-data, checks it against the whole language before anything\nhappens, decides every change before it makes one, makes all of them or\n" +
			"none, and hands off to systemd. It succeeds coreos-cloudinit.",
		MTime: date,
		Overridables: nfpm.Overridables{
			Depends: []string{p.needs}, Contents: contents, Scripts: p.install,
			Deb: nfpm.Deb{Compression: "xz"}, RPM: nfpm.RPM{Compression: "xz", BuildHost: "localhost", Summary: "Turn a cloud-config into a configured machine at first boot"},
		},
	})
	if err := nfpm.PrepareForPackager(info, p.format); err != nil {
		return err
	}
	var made bytes.Buffer
	if err := p.Package(info, &made); err != nil {
		return err
	}
	path := filepath.Join(out, p.ConventionalFileName(info))
	fmt.Println(path)
	return write(path, made.Bytes())
}

// contents are the files of a tree as a package has them: man pages packed, completions where they are looked for, and a
// changelog. What has to be made for that is made in work.
func (p packager) contents(tree, work, version string, date time.Time) (files.Contents, error) {
	var all files.Contents
	add := func(source, destination string, mode fs.FileMode) {
		all = append(all, &files.Content{Source: source, Destination: destination, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: date}})
	}
	packed := func(destination string, text []byte) error {
		path := filepath.Join(work, destination)
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is one
		_, err := z.Write(text)
		if err := errors.Join(err, z.Close(), write(path, b.Bytes())); err != nil {
			return err
		}
		add(path, destination, 0o644)
		return nil
	}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		destination := strings.TrimPrefix(path, filepath.Clean(tree))
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			all = append(all, &files.Content{Source: target, Destination: destination, Type: files.TypeSymlink, FileInfo: &files.ContentFileInfo{MTime: date}})
			return err
		case strings.Contains(destination, "/man/"):
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return packed(destination+".gz", text)
		}
		add(path, strings.Replace(destination, "/zsh/site-functions/", "/zsh/"+p.zsh+"/", 1), info.Mode().Perm())
		return nil
	})
	if err != nil {
		return nil, err
	}
	change := fmt.Sprintf("%s (%s) unstable; urgency=medium\n\n  * See release-notes.md.\n\n -- %s  %s\n", name, version, maintainer, date.Format(time.RFC1123Z))
	return all, packed("/usr/share/doc/"+name+"/changelog.gz", []byte(change))
}
