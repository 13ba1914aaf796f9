package review

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
)

// The largest texts that are read, in bytes. Every pattern of a configuration is held against every file.
const (
	maxDocument = 32 << 20
	maxConfig   = 64 << 10
)

// input is one text to check.
type input struct {
	name string // as findings have it: the path as given, or below the folder as given
	path string // absolute; of standard input, that of its name
	open func() (io.ReadCloser, error)
}

// read reads a text of at most so many bytes.
func (in input) read(most int64) ([]byte, error) {
	f, err := in.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(f, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("larger than the %d KiB that it may have", most>>10)
	}
	return b.Bytes(), err
}

// inputs are all of them, each once, in the order in which they are named.
type inputs struct {
	all   []input
	seen  map[string]bool
	roots []*os.Root // of folders that files are in
	root  string     // the directory that relative names are below
	// unread is what is not there, or cannot be looked into.
	unread []diag.Unread
}

func (in *inputs) close() {
	for _, r := range in.roots {
		r.Close()
	}
}

// find finds what the arguments name. The error is a mistake in them.
func find(root string, o Options) (*inputs, error) {
	in := &inputs{seen: map[string]bool{}, root: root}
	args := o.Args
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, arg := range args {
		err := in.argument(arg, o)
		var usage usageError
		switch {
		case errors.As(err, &usage):
			in.close()
			return nil, err
		case err != nil:
			in.unread = append(in.unread, unread(arg, err))
		}
	}
	return in, nil
}

// usageError is a mistake in the arguments.
type usageError struct{ error }

func (in *inputs) argument(arg string, o Options) error {
	if arg == "-" {
		name := o.StdinName
		if name == "" {
			name = "<stdin>"
		}
		in.add(input{name: name, open: func() (io.ReadCloser, error) { return io.NopCloser(o.Stdin), nil }})
		return nil
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isPattern(arg):
		return in.pattern(arg)
	case err != nil:
		return err
	case info.IsDir():
		return in.folder(arg)
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	in.add(input{name: arg, open: func() (io.ReadCloser, error) { return openRegular(os.OpenFile, arg) }})
	return nil
}

func (in *inputs) add(i input) {
	if i.path = i.name; !filepath.IsAbs(i.path) {
		i.path = filepath.Join(in.root, i.path)
	}
	i.path = filepath.Clean(i.path)
	if !in.seen[i.path] {
		in.seen[i.path] = true
		in.all = append(in.all, i)
	}
}

// folder takes what looks like a configuration, by its name or its first line, from a folder and those below it.
// What is hidden is left out.
func (in *inputs) folder(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	in.roots = append(in.roots, root)
	found := false
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == ".":
			return err
		case err != nil:
			in.unread = append(in.unread, unread(filepath.Join(dir, filepath.FromSlash(path)), err))
		case path == ".":
		case isHidden(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular() && (hasConfigName(path) || hasConfigHeader(root, path)):
			found = true
			in.below(root, dir, path)
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("no configuration in this directory")
	}
	return err
}

// below adds a file that was found below a folder. It is opened below that folder too, so that a link which takes the
// place of something meanwhile leads nowhere.
func (in *inputs) below(root *os.Root, dir, path string) {
	in.add(input{name: filepath.Join(dir, filepath.FromSlash(path)), open: func() (io.ReadCloser, error) {
		return openRegular(root.OpenFile, path)
	}})
}

// pattern takes the files that a pattern matches: those that a shell would have named, had the pattern not been
// quoted, and with ** for any folders.
func (in *inputs) pattern(arg string) error {
	clean := filepath.ToSlash(filepath.Clean(arg))
	parts, n := strings.Split(clean, "/"), 0
	for !isPattern(parts[n]) {
		n++
	}
	dir, rest := strings.Join(parts[:n], "/"), strings.Join(parts[n:], "/")
	switch {
	case n == 0:
		dir = "."
	case dir == "":
		dir = "/"
	}
	if err := checkPattern(rest); err != nil {
		return usageError{fmt.Errorf("%s: %w", arg, err)}
	}
	root, err := os.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		return err
	}
	in.roots = append(in.roots, root)
	paths := expand(root.FS(), rest)
	if len(paths) == 0 {
		return errors.New("no file matches this pattern")
	}
	for _, path := range paths {
		in.below(root, dir, path)
	}
	return nil
}

var errNotRegular = errors.New("not a regular file; standard input is -")

// readRegular reads one regular file. The error names it.
func readRegular(path, name string, most int64) ([]byte, error) {
	in := input{open: func() (io.ReadCloser, error) { return openRegular(os.OpenFile, path) }}
	text, err := in.read(most)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, unread(name, err).Reason)
	}
	return text, nil
}

// openRegular opens a regular file for reading, and waits for nothing that has become something else since it was
// looked at.
func openRegular(open func(string, int, os.FileMode) (*os.File, error), path string) (io.ReadCloser, error) {
	f, err := open(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

func hasConfigName(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml") || strings.HasSuffix(path, ".cfg") ||
		schema.NetworkKindOf(filepath.Base(path)) != ""
}

// hasConfigHeader says that the first line of a file names a kind of user-data.
func hasConfigHeader(root *os.Root, path string) bool {
	f, err := openRegular(root.OpenFile, path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, 64)
	n, _ := io.ReadFull(f, start)
	text := strings.ToLower(string(bytes.TrimPrefix(start[:n], []byte("\xef\xbb\xbf"))))
	for _, header := range []string{"#cloud-config\n", "#cloud-config\r", "#cloud-config ", "#cloud-config\t", "#cloud-config-archive", "#cloud-boothook", "#include", "## template:", "#!", "content-type:", "mime-version:", "from nobody "} {
		if strings.HasPrefix(text, header) {
			return true
		}
	}
	return false
}
