// Package facts looks at a machine, so that a plan can be computed without touching it.
//
// [Gather] takes what is not in files; [Look] adds what is at the paths that a plan asks for. Nothing is
// changed and nothing is waited for.
package facts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/plan"
)

// Gather takes the facts that are not in files: the clock, the COREOS_* variables, random bytes, and, if root is the
// running system's (live), the kernel's hostname, and of its interfaces, as package links reads them, the addresses of the
// default route's. Not to have a route, an address or a name is no error. Paths is empty; see [Look].
func Gather(ctx context.Context, root fsroot.FS, live bool, interfaces []plan.Interface) (plan.Facts, error) {
	f := plan.Facts{
		Now:         time.Now(),
		Built:       Built(),
		Live:        live,
		Paths:       map[string]*plan.Seen{},
		Environment: map[string]string{},
		Salt:        make([]byte, 16),
	}
	_, _ = rand.Read(f.Salt) // which never fails
	for _, variable := range os.Environ() {
		if name, value, ok := strings.Cut(variable, "="); ok && strings.HasPrefix(name, "COREOS_") {
			f.Environment[name] = value
		}
	}
	if live {
		f.Interfaces = interfaces
		f.DefaultRouteIPv4, f.DefaultRouteIPv6 = defaultRoutes(f.Interfaces)
		f.SystemHostname, _ = os.Hostname()
	}
	// The root is looked at here, so that a root that cannot be read at all is known before a plan is made.
	if err := Look(root, &f, []string{"."}); err != nil {
		return plan.Facts{}, err
	}
	return f, ctx.Err()
}

// Online says that the running system has an address on the interface of a default route.
func Online() bool {
	all, _ := links.Read(context.Background())
	v4, v6 := defaultRoutes(all)
	return v4 != "" || v6 != ""
}

// Clock is the time that dates in a configuration are held against, by what the machine's clock shows: none if that is
// less than the age of this program. A machine without a clock must not refuse a certificate for its date, and whoever
// checks the same text beforehand must say the same.
func Clock(shown time.Time) time.Time {
	if shown.Before(Built()) {
		return time.Time{}
	}
	return shown
}

// Built is when this program was, as far as it knows: the time of its commit if the build recorded it, else
// when this source was written. No clock that shows less can be right.
func Built() time.Time {
	written := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return written
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, setting.Value); err == nil && t.After(written) {
				return t
			}
		}
	}
	return written
}

// Look adds what is at each of paths, and at every parent, to f.Paths. A path that ends in "/" is listed as
// well; its key has no slash at the end, and its Entries are not nil afterwards, even if it is no directory.
// What is in f.Paths already is kept, and listed if that is asked for and was not done.
//
// Links among the parents are followed: a parent that is a link to a directory counts as that directory,
// with its Real, also if it was seen as a link before. A place that is not to be trusted, or where links
// lead in a circle, or whose name is too long, has a Fault; any other trouble is an error.
func Look(root fsroot.FS, f *plan.Facts, paths []string) error {
	if f.Paths == nil {
		f.Paths = map[string]*plan.Seen{}
	}
	parents := map[string]bool{} // those that were taken care of in this call
	for _, p := range paths {
		p, list := strings.CutSuffix(p, "/")
		above, err := parent(root, f, p, parents)
		if err != nil {
			return fmt.Errorf("look at the machine: %w", err)
		}
		seen, known := f.Paths[p]
		if !known {
			if seen, err = look(root, p, above); err != nil {
				return fmt.Errorf("look at the machine: %w", err)
			}
		}
		if list && seen.Entries == nil {
			if err := entries(root, p, seen); err != nil {
				return fmt.Errorf("look at the machine: %w", err)
			}
		}
		f.Paths[p] = seen
	}
	return nil
}

// Missing are those of the changes that are not so already, each with what is there now, which f then has too. A path at which
// nothing can be written is an error.
func Missing(root fsroot.FS, f *plan.Facts, changes []plan.Change) (missing []plan.Change, err error) {
	var paths []string
	for _, c := range changes {
		paths = append(paths, c.Path)
	}
	if err := Look(root, f, paths); err != nil {
		return nil, err
	}
	for _, c := range changes {
		c.Was = *f.Paths[c.Path]
		if c.Was.Fault != "" {
			return nil, fmt.Errorf("/%s: %s", c.Path, c.Was.Fault)
		}
		if !c.IsAlready(&c.Was) {
			missing = append(missing, c)
		}
	}
	return missing, nil
}

// look sees one path, not following a last link. above is the directory that it is in: where that is not
// there, nothing is, and what is not there would be on the file system of its directory.
func look(root fsroot.FS, p string, above *plan.Seen) (*plan.Seen, error) {
	seen := &plan.Seen{Volume: above.Volume}
	if above.Kind == fsroot.Absent && above.Fault == "" {
		seen.Info = fsroot.Info{Kind: fsroot.Absent, Real: path.Join(above.Real, path.Base(p))}
		return seen, nil
	}
	info, err := root.Stat(p)
	if err == nil {
		seen.Info = info
		if info.Kind != fsroot.Absent || above.Kind != fsroot.Directory {
			seen.Volume, err = root.Volume(p)
		}
	}
	if err == nil && (info.Kind == fsroot.Regular || info.Kind == fsroot.Link) {
		var data []byte
		data, info, err = root.ReadFile(p, plan.MaxData)
		switch {
		case err == nil:
			digest := sha256.Sum256(data)
			seen.Info, seen.Data, seen.SHA256 = info, data, hex.EncodeToString(digest[:])
		case errors.Is(err, fsroot.ErrTooLarge), seen.Kind == fsroot.Link && !errors.Is(err, fsroot.ErrUntrusted):
			err = nil // a link cannot be read, but we know now that we may replace it
		}
	}
	return seen, fault(seen, err)
}

// fault turns an error that is about the path, not about the machine, into words.
func fault(seen *plan.Seen, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fsroot.ErrUntrusted), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG):
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		seen.Fault = err.Error()
		return nil
	}
	return err
}

func entries(root fsroot.FS, p string, seen *plan.Seen) error {
	names, err := root.ReadDir(p)
	seen.Entries = append([]string{}, names...)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return fault(seen, err)
}

// parent sees the directory that p is in, after those above it; the root itself is its own.
func parent(root fsroot.FS, f *plan.Facts, p string, done map[string]bool) (*plan.Seen, error) {
	dir := path.Dir(p)
	if p == "." {
		return &plan.Seen{}, nil
	}
	if done[dir] {
		return f.Paths[dir], nil
	}
	above, err := parent(root, f, dir, done)
	if err != nil {
		return above, err
	}
	done[dir] = true
	seen, known := f.Paths[dir]
	if !known {
		if seen, err = look(root, dir, above); err != nil {
			return seen, err
		}
	}
	if seen.Kind == fsroot.Link && seen.Fault == "" {
		// What is below dir is below the place it leads to, if it leads to a directory.
		if below, err := root.Stat(p); err == nil {
			there, err := look(root, path.Dir(below.Real), &plan.Seen{})
			if err != nil {
				return there, err
			}
			if there.Kind == fsroot.Directory {
				there.Entries = seen.Entries
				seen = there
			}
		}
	}
	f.Paths[dir] = seen
	return seen, nil
}
