package facts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/settings"
	"cloudconfig/schema/image"
	"cloudconfig/schema/sshkey"
	"cloudconfig/schema/unitfile"
)

// Image makes a facts profile of the system below a root. It reads only, and runs nothing. What cannot be read,
// such as /etc/shadow by others than root, is an error: a profile that says less than there is would mislead.
func Image(root fsroot.FS) (*image.Image, error) {
	p := profiler{root: root, image: &image.Image{Version: 1, Links: map[string]string{}, Directories: map[string][]string{}}}
	for _, look := range []func() error{p.release, p.accounts, p.units, p.programs, p.settings} {
		if err := look(); err != nil {
			return nil, fmt.Errorf("look at the image: %w", err)
		}
	}
	return p.image, nil
}

// profiler fills a profile, subject after subject.
type profiler struct {
	root  fsroot.FS
	image *image.Image
}

// maxText bounds each file that is read, in bytes.
const maxText = 4 << 20

// text is a file's content, links followed; nil if there is none.
func (p *profiler) text(name string) ([]byte, error) {
	name, kind, err := p.follow(name)
	if err != nil || kind != fsroot.Regular {
		return nil, err
	}
	data, _, err := p.root.ReadFile(name, maxText)
	return data, err
}

// follow is where the links at a path lead.
func (p *profiler) follow(name string) (string, fsroot.Kind, error) {
	for range 8 {
		info, err := p.root.Stat(name)
		if err != nil || info.Kind != fsroot.Link {
			return name, info.Kind, err
		}
		to := info.Target
		if !path.IsAbs(to) {
			to = path.Join("/", path.Dir(info.Real), to)
		}
		if name = strings.TrimPrefix(path.Clean(to), "/"); name == "" {
			name = "."
		}
	}
	return name, fsroot.Other, nil
}

// list is the names in a directory; none if it is not there.
func (p *profiler) list(dir string) ([]string, error) {
	names, err := p.root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}

// release reads os-release(5), and the version of systemd from the name of its library.
func (p *profiler) release() error {
	text, err := p.text("etc/os-release")
	if text == nil && err == nil {
		text, err = p.text("usr/lib/os-release")
	}
	if err != nil {
		return err
	}
	own, err := settings.Load(p.root)
	if err != nil {
		return err
	}
	p.image.DefaultUser = own.DefaultUser
	id, version := "image", ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.Trim(value, `"'`); {
		case value == "":
		case key == "ID":
			id = value
		case key == "VERSION_ID":
			version = "-" + value
		}
	}
	p.image.Name = id + version
	dirs := []string{"usr/lib/systemd", "lib/systemd", "usr/lib64/systemd"}
	libs, err := p.list("usr/lib")
	for _, lib := range libs {
		if strings.HasSuffix(lib, "-linux-gnu") || strings.HasSuffix(lib, "-linux-gnueabihf") {
			dirs = append(dirs, "usr/lib/"+lib+"/systemd")
		}
	}
	for _, dir := range dirs {
		names, err := p.list(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, "libsystemd-shared-"); ok {
				digits, _, _ := strings.Cut(strings.TrimSuffix(rest, ".so"), ".")
				digits, _, _ = strings.Cut(digits, "-")
				p.image.Systemd, _ = strconv.Atoi(digits)
			}
		}
	}
	return err
}

// lines are the lines of a colon-separated file with at least n fields.
func (p *profiler) lines(name string, n int) ([][]string, error) {
	text, err := p.text(name)
	var out [][]string
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) >= n && fields[0] != "" && fields[0][0] != '#' {
			out = append(out, fields)
		}
	}
	return out, err
}

func (p *profiler) accounts() error {
	passwd, err := p.lines("etc/passwd", 7)
	if err != nil {
		return err
	}
	shadow, err := p.lines("etc/shadow", 2)
	if err != nil {
		return err
	}
	hasPassword := map[string]bool{}
	for _, f := range shadow {
		hasPassword[f[0]] = f[1] != "" && f[1][0] != '!' && f[1][0] != '*'
	}
	p.image.Users, p.image.Groups = []image.User{}, []image.Group{}
	for _, f := range passwd {
		u := image.User{Name: f[0], Home: f[5], Shell: f[6], Password: hasPassword[f[0]]}
		u.UID, _ = strconv.Atoi(f[2])
		u.GID, _ = strconv.Atoi(f[3])
		if u.Keys, err = p.hasKeys(u.Home); err != nil {
			return err
		}
		p.image.Users = append(p.image.Users, u)
	}
	groups, err := p.lines("etc/group", 4)
	for _, f := range groups {
		g := image.Group{Name: f[0]}
		g.GID, _ = strconv.Atoi(f[2])
		if f[3] != "" {
			g.Members = strings.Split(f[3], ",")
		}
		p.image.Groups = append(p.image.Groups, g)
	}
	sort.Slice(p.image.Users, func(i, j int) bool { return p.image.Users[i].Name < p.image.Users[j].Name })
	sort.Slice(p.image.Groups, func(i, j int) bool { return p.image.Groups[i].Name < p.image.Groups[j].Name })
	return err
}

func (p *profiler) hasKeys(home string) (bool, error) {
	home = strings.TrimPrefix(path.Clean("/"+home), "/")
	if home == "" {
		return false, nil
	}
	text, err := p.text(path.Join(home, ".ssh/authorized_keys"))
	if errors.Is(err, fsroot.ErrUntrusted) || errors.Is(err, fsroot.ErrTooLarge) {
		return false, nil
	}
	for line := range bytes.Lines(text) {
		if _, err := sshkey.Parse(string(line)); err == nil {
			return true, nil
		}
	}
	return false, err
}

// unitDirs are the directories that units are in, those that win first.
//
// Source: systemd.unit(5), systemd 252.
var unitDirs = []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

func (p *profiler) units() error {
	enabled, err := p.enabled()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	p.image.Units = []image.Unit{}
	for _, dir := range unitDirs {
		names, err := p.list(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if seen[name] || !unitfile.ValidName(name) {
				continue
			}
			u, ok, err := p.unit(dir, name)
			if err != nil {
				return err
			}
			if ok {
				seen[name] = true
				u.Enabled = enabled[name]
				p.image.Units = append(p.image.Units, u)
			}
		}
	}
	sort.Slice(p.image.Units, func(i, j int) bool { return p.image.Units[i].Name < p.image.Units[j].Name })
	return nil
}

// enabled are the units that a link in a directory of wants and its like in /etc is for.
func (p *profiler) enabled() (map[string]bool, error) {
	out := map[string]bool{}
	dirs, err := p.list(unitDirs[0])
	for _, dir := range dirs {
		if !strings.HasSuffix(dir, ".wants") && !strings.HasSuffix(dir, ".requires") && !strings.HasSuffix(dir, ".upholds") {
			continue
		}
		names, err := p.list(path.Join(unitDirs[0], dir))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			out[name] = true
		}
	}
	return out, err
}

func (p *profiler) unit(dir, name string) (u image.Unit, ok bool, err error) {
	u.Name = name
	file := path.Join(dir, name)
	info, err := p.root.Stat(file)
	switch {
	case err != nil:
		return u, false, err
	case info.Kind == fsroot.Link && info.Target == "/dev/null", info.Kind == fsroot.Regular && info.Size == 0:
		u.Masked = true
		return u, true, nil
	case info.Kind == fsroot.Link && path.Base(info.Target) != name && unitfile.ValidName(path.Base(info.Target)):
		u.Alias = path.Base(info.Target)
		return u, true, nil
	}
	text, err := p.text(file)
	if text == nil || err != nil {
		return u, false, err
	}
	sections, _ := unitfile.Parse(string(text))
	for _, s := range sections {
		if s.Name != "Install" {
			continue
		}
		for _, d := range s.Directives {
			u.Install = append(u.Install, d.Name+"="+d.Value)
		}
	}
	return u, true, nil
}

// programs lists what can be run.
func (p *profiler) programs() error {
	for _, dir := range image.ProgramDirectories {
		rel := strings.TrimPrefix(dir, "/")
		to, kind, err := p.follow(rel)
		switch {
		case err != nil:
			return err
		case kind != fsroot.Directory:
			continue
		case to != rel:
			p.image.Links[dir] = "/" + to
			continue
		}
		names, err := p.list(rel)
		if err != nil {
			return err
		}
		found := []string{}
		for _, name := range names {
			info, err := p.root.Stat(path.Join(rel, name))
			if err != nil {
				return err
			}
			if info.Kind == fsroot.Link || info.Kind == fsroot.Regular && info.Attr.Mode&0o111 != 0 {
				found = append(found, name)
			}
		}
		p.image.Directories[dir] = found
	}
	return nil
}

// maxEtc is how deep /etc is listed; below are the stores of packages.
const maxEtc = 2

// settings lists /etc, and reads the login shells and the groups of sudoers.
func (p *profiler) settings() error {
	if err := p.etc("etc", 0); err != nil {
		return err
	}
	shells, err := p.text("etc/shells")
	if err != nil {
		return err
	}
	p.image.Shells = []string{}
	for line := range strings.Lines(string(shells)) {
		if line = strings.TrimSpace(line); path.IsAbs(line) {
			p.image.Shells = append(p.image.Shells, line)
		}
	}
	slices.Sort(p.image.Shells)
	p.image.AdminGroups = []string{}
	files := []string{"etc/sudoers"}
	more, err := p.list("etc/sudoers.d")
	for _, name := range more {
		if !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") { // as sudo does
			files = append(files, "etc/sudoers.d/"+name)
		}
	}
	for _, file := range files {
		text, err := p.text(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			who, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			if tab := strings.IndexByte(who, '\t'); tab > 0 {
				who, what = who[:tab], who[tab:]+what
			}
			if group, ok := strings.CutPrefix(who, "%"); ok && strings.HasPrefix(strings.TrimSpace(what), "ALL") && !slices.Contains(p.image.AdminGroups, group) {
				p.image.AdminGroups = append(p.image.AdminGroups, group)
			}
		}
	}
	slices.Sort(p.image.AdminGroups)
	return err
}

// etc lists a directory and those in it.
func (p *profiler) etc(dir string, depth int) error {
	names, err := p.list(dir)
	if err != nil || dir != "etc" && names == nil {
		return err
	}
	shown := []string{}
	for _, name := range names {
		if dir == "etc/ssh" && strings.HasPrefix(name, "ssh_host_") {
			continue // each machine makes its own
		}
		at := path.Join(dir, name)
		info, err := p.root.Stat(at)
		if err != nil {
			return err
		}
		if info.Kind == fsroot.Directory {
			if depth < maxEtc && !isStore(at) {
				if err := p.etc(at, depth+1); err != nil {
					return err
				}
			}
			name += "/"
		}
		shown = append(shown, name)
	}
	slices.Sort(shown)
	p.image.Directories["/"+dir] = shown
	return nil
}

// isStore says that a directory is kept by a program and is of no interest to a configuration.
func isStore(dir string) bool {
	base := path.Base(dir)
	return dir == "etc/alternatives" || dir == "etc/ssl/certs" || dir == "etc/ca-certificates" || strings.HasPrefix(dir, "etc/systemd/system/") ||
		len(base) == 5 && strings.HasPrefix(base, "rc") && strings.HasSuffix(base, ".d")
}
