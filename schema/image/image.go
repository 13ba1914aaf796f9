// Package image is the facts profile of an image: what is there before any configuration is applied.
//
// [Parse] reads one and [Shipped] gives those that the program brings. None is made here: that takes the image itself.
package image

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"

	"cloudconfig/schema/unitfile"
)

// Image is a facts profile: what an image has before any configuration is applied to it, in names alone.
// "provisioner facts" makes one. Its JSON form is in docs/json.md.
//
// Lists are sorted by name. Nothing in it is secret: of passwords and keys it says only that they are there.
type Image struct {
	Version int `json:"version"` // always 1
	// Name is how messages call the image: "debian-12".
	Name string `json:"name"`
	// Systemd is the version of systemd, 0 if there is none to be found.
	Systemd int `json:"systemd,omitempty"`
	// DefaultUser is whom the image's settings of this program give the platform's keys to.
	DefaultUser string  `json:"default_user"`
	Users       []User  `json:"users"`
	Groups      []Group `json:"groups"`
	// AdminGroups are those whose members sudoers lets become root, with a password or without.
	AdminGroups []string `json:"admin_groups"`
	Shells      []string `json:"shells"` // those of /etc/shells
	Units       []Unit   `json:"units"`
	// Links are directories of programs that are links to others: "/bin" is "/usr/bin".
	Links map[string]string `json:"links,omitempty"`
	// Directories are those that are known whole, with the names in them. Below /etc these are all names, a
	// directory's with a slash at its end; of a directory of programs it is what can be run.
	Directories map[string][]string `json:"directories"`
}

// User is an account of an image.
type User struct {
	Name  string `json:"name"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
	// Password and Keys say that the account can log in by one.
	Password bool `json:"password,omitempty"`
	Keys     bool `json:"keys,omitempty"`
}

// Group is a group of an image.
type Group struct {
	Name    string   `json:"name"`
	GID     int      `json:"gid"`
	Members []string `json:"members,omitempty"`
}

// Unit is a unit file of an image.
type Unit struct {
	Name string `json:"name"`
	// Alias is the unit that this is another name of.
	Alias string `json:"alias,omitempty"`
	// Install are the assignments of the [Install] section: "WantedBy=multi-user.target".
	Install []string `json:"install,omitempty"`
	// Enabled says that a link below /etc starts the unit at boot.
	Enabled bool `json:"enabled,omitempty"`
	Masked  bool `json:"masked,omitempty"`
}

// shippedImages are the profiles, packed, since each would be 30 kB; the tests pack them.
//
//go:embed *.json.gz
var shippedImages embed.FS

const packed = ".json.gz"

// Names are the names of the profiles that this program brings.
func Names() []string {
	entries, _ := shippedImages.ReadDir(".")
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), packed))
	}
	return names
}

// Shipped is one of the profiles named by [Images], or nil.
func Shipped(name string) *Image {
	data, err := shippedImages.ReadFile(name + packed)
	if err != nil {
		return nil
	}
	im, err := unpack(data)
	if err != nil {
		panic("internal error: " + name + ": " + err.Error())
	}
	return im
}

func unpack(data []byte) (*Image, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads the JSON form. An error says what is wrong and quotes nothing.
func Parse(text []byte) (*Image, error) {
	im := &Image{}
	if err := json.Unmarshal(text, im); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("not JSON at byte %d", syntax.Offset)
		}
		return nil, errors.New("not a facts profile, as provisioner facts makes one")
	}
	if im.Version != 1 {
		return nil, fmt.Errorf("version %d of a facts profile is not known, only 1 is", im.Version)
	}
	byName := func(i, j int) bool { return im.Units[i].Name < im.Units[j].Name }
	if !sort.SliceIsSorted(im.Units, byName) {
		sort.SliceStable(im.Units, byName)
	}
	for dir, names := range im.Directories {
		if !slices.IsSorted(names) {
			slices.Sort(names)
		}
		if !path.IsAbs(dir) {
			return nil, errors.New("a directory of the profile is not an absolute path")
		}
	}
	for _, to := range im.Links {
		if !path.IsAbs(to) {
			return nil, errors.New("a link of the profile does not lead to an absolute path")
		}
	}
	return im, nil
}

// User finds an account by name; nil if there is none.
func (im *Image) User(name string) *User {
	for i := range im.Users {
		if im.Users[i].Name == name {
			return &im.Users[i]
		}
	}
	return nil
}

// Group finds a group by name; nil if there is none.
func (im *Image) Group(name string) *Group {
	for i := range im.Groups {
		if im.Groups[i].Name == name {
			return &im.Groups[i]
		}
	}
	return nil
}

// Unit finds a unit, by its own name or as an instance of a template; nil if there is none.
func (im *Image) Unit(name string) *Unit {
	for _, n := range []string{name, unitfile.TemplateOf(name)} {
		i, there := slices.BinarySearchFunc(im.Units, n, func(u Unit, n string) int { return strings.Compare(u.Name, n) })
		if there {
			return &im.Units[i]
		}
	}
	return nil
}

// Has says whether a file is at an absolute and clean path, if the profile knows the directory that it would be
// in.
func (im *Image) Has(file string) (there, known bool) {
	dir, name := path.Split(file)
	dir = path.Clean(dir)
	if to, isLink := im.Links[dir]; isLink {
		dir = path.Clean(to)
	}
	if names, listed := im.Directories[dir]; listed {
		_, there = slices.BinarySearch(names, name)
		return there, true
	}
	// A directory that is not listed is not there if the one above it is known and does not have it.
	for dir != "/" {
		above := path.Dir(dir)
		if names, listed := im.Directories[above]; listed {
			_, there := slices.BinarySearch(names, path.Base(dir)+"/")
			return false, !there
		}
		dir = above
	}
	return false, false
}

// Program says whether a program of that name is in any directory of programs.
func (im *Image) Program(name string) bool {
	for dir, names := range im.Directories {
		if isProgramDirectory(dir) {
			if _, there := slices.BinarySearch(names, name); there {
				return true
			}
		}
	}
	return false
}

// ProgramDirectories are where programs are looked for, and listed in a profile.
var ProgramDirectories = []string{"/bin", "/opt/bin", "/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin"}

func isProgramDirectory(dir string) bool { return slices.Contains(ProgramDirectories, dir) }
