//go:build integration && linux

package nspawn_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// compared is what a later boot must not write to.
var compared = []string{"etc", "home", "opt", "root", "usr", "var/lib/provisioner"}

// notOurs are the things in there that Debian itself writes at a boot.
var notOurs = []string{}

// snapshot is everything that was ever written to the machine's disk in the compared places, by path: contents,
// modes, owners, inodes, and the times of contents and of inodes, in nanoseconds.
type snapshot map[string]string

func (m *machine) snapshot(t *testing.T) snapshot {
	t.Helper()
	s := snapshot{}
	for _, top := range compared {
		err := filepath.WalkDir(filepath.Join(m.disk, top), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(m.disk, path)
			if err != nil || slices.Contains(notOurs, name) {
				return err
			}
			s[name], err = describe(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	content := ""
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		content = fmt.Sprintf("%x", sha256.Sum256(data))
	case info.Mode()&fs.ModeSymlink != 0:
		if content, err = os.Readlink(path); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%v %d:%d inode %d size %d mtime %d.%09d ctime %d.%09d %s", info.Mode(), st.Uid, st.Gid, st.Ino,
		st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, content), nil
}

// changed is what is other than in an earlier snapshot, for people; "" if nothing is.
func (m *machine) changed(t *testing.T, before snapshot) string {
	t.Helper()
	now := m.snapshot(t)
	var out []string
	for name, was := range before {
		if now[name] != was {
			out = append(out, fmt.Sprintf("%s\n  was %s\n  is  %s", name, was, now[name]))
		}
	}
	for name, is := range now {
		if _, ok := before[name]; !ok {
			out = append(out, fmt.Sprintf("%s\n  is new: %s", name, is))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
