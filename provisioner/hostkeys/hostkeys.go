// Package hostkeys reads the host keys of sshd, and makes new ones.
//
// [Read] says which there are, in public. [Renew] and [Missing] give changes for a transaction, without their Was, so that there is no moment
// at which a machine has no keys and lets nobody in: ssh-keygen -A after a removal would leave one, and not every
// distribution has a unit that runs it.
package hostkeys

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/sshkey"
)

// Key is one of the machine's host keys, without its private part.
type Key struct {
	// Kind is what the name of its file says: "ed25519", "ecdsa", "rsa".
	Kind        string `json:"-"`
	Type        string `json:"type"` // "ssh-ed25519"
	Bits        int    `json:"bits"`
	Fingerprint string `json:"fingerprint"` // "SHA256:..."
	// Line is what the file has, without a line end; Comment the end of it.
	Line    string `json:"-"`
	Comment string `json:"-"`
}

const (
	dir    = "etc/ssh"
	prefix = "ssh_host_"
	suffix = "_key"
	// maxFile is beyond any key, and maxNames beyond any directory of them.
	maxFile  = 16 << 10
	maxNames = 1024
)

// Read gives the public host keys of the system below a root, in the order of their files' names. What is no key is
// passed over.
func Read(root fsroot.FS) ([]Key, error) {
	names, err := names(root)
	var keys []Key
	for _, name := range names {
		kind, ok := strings.CutSuffix(name, suffix+".pub")
		if !ok {
			continue
		}
		text, _, err := root.ReadFile(path.Join(dir, name), maxFile)
		if err != nil {
			return nil, fmt.Errorf("read host key: %w", err)
		}
		k, err := sshkey.Parse(string(text))
		if err != nil || k.Options != "" {
			continue
		}
		keys = append(keys, Key{
			Kind: strings.TrimPrefix(kind, prefix), Type: k.Type, Bits: k.Bits(), Fingerprint: k.Fingerprint(),
			Line: k.String(), Comment: k.Comment,
		})
	}
	return keys, err
}

// names are those of the files of host keys, private ones, public ones and certificates, sorted.
func names(root fsroot.FS) ([]string, error) {
	all, err := root.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for host keys: %w", err)
	}
	var out []string
	for _, name := range all {
		base := strings.TrimSuffix(strings.TrimSuffix(name, ".pub"), "-cert")
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(base, suffix) && len(out) < maxNames {
			out = append(out, name)
		}
	}
	return out, nil
}

// Renew gives the changes that put new keys in the place of all that there are, of the same kinds, with the same owners
// and modes. Certificates are of the old keys, and go; so does a key of a kind that nobody makes any more (dsa).
func Renew(root fsroot.FS) ([]plan.Change, error) {
	all, err := names(root)
	var changes []plan.Change
	for _, name := range all {
		kind, private := strings.CutSuffix(strings.TrimPrefix(name, prefix), suffix)
		makes := private && isKind(kind)
		pair, ofPair := strings.CutSuffix(strings.TrimPrefix(name, prefix), suffix+".pub")
		if ofPair && isKind(pair) && slices.Contains(all, prefix+pair+suffix) {
			continue // written with its private key
		}
		file := path.Join(dir, name)
		info, err := root.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("look at host key: %w", err)
		}
		switch {
		case makes && info.Kind == fsroot.Regular:
			made, err := pairOf(root, kind, info.Attr)
			if err != nil {
				return nil, err
			}
			changes = append(changes, made...)
		case info.Kind == fsroot.Regular || info.Kind == fsroot.Link:
			changes = append(changes, plan.Change{Kind: plan.Remove, Path: file, Origin: origin})
		}
	}
	return changes, err
}

// Missing gives the changes that make a first set of keys, where there is an sshd, no key, and nothing else that makes
// one when the machine starts.
func Missing(root fsroot.FS) ([]plan.Change, error) {
	all, err := names(root)
	if err != nil || len(all) > 0 {
		return nil, err
	}
	info, err1 := root.Stat(dir)
	sshd, err2 := anyOf(root, "usr/sbin/sshd", "usr/bin/sshd")
	others, err3 := anyOf(root, generators()...)
	if err := errors.Join(err1, err2, err3); err != nil || info.Kind != fsroot.Directory || !sshd || others {
		return nil, err
	}
	var changes []plan.Change
	for _, kind := range kinds() {
		made, err := pairOf(root, kind, fsroot.Attr{Mode: 0o600})
		if err != nil {
			return nil, err
		}
		changes = append(changes, made...)
	}
	return changes, nil
}

// generators are the units with which distributions make keys at boot: Fedora and its kin, Arch, SUSE, Flatcar.
func generators() (paths []string) {
	for _, unit := range []string{"sshd-keygen@.service", "sshd-keygen.service", "ssh-keygen.service", "sshdgenkeys.service"} {
		for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"} {
			paths = append(paths, dir+"/"+unit)
		}
	}
	return paths
}

func anyOf(root fsroot.FS, paths ...string) (bool, error) {
	for _, p := range paths {
		if info, err := root.Stat(p); err != nil || info.Kind != fsroot.Absent {
			return err == nil, err
		}
	}
	return false, nil
}
