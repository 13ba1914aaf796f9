package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"syscall"
	"time"

	"cloudconfig/datasources"
)

const (
	// MaxFile is the largest file that is taken, and MaxTotal all files of a tree together.
	MaxFile  = 16 << 20
	MaxTotal = 64 << 20
	maxNames = 1000
	// stall is how long nothing may come of a file. A CD-ROM spins up within it.
	stall = 10 * time.Second
	piece = 64 << 10
)

// Tree is the files of a disk or of a directory. It is not for several goroutines.
type Tree struct {
	// Answered, if not nil, is told of each file that was asked for.
	Answered func(datasources.Answer)

	name  string // "/dev/vdb", or the path of a directory
	open  func(path string) (*os.File, error)
	close func() error
	left  int
	dead  error
}

// OpenDir gives the files of a directory of the caller's. A link is followed as long as it stays below the directory.
// It wraps fs.ErrNotExist if there is none.
func OpenDir(path string) (*Tree, error) {
	// It is looked at before it is opened: a FIFO would never be.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	open := func(name string) (*os.File, error) {
		info, err := root.Stat(name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() && !info.IsDir() {
			return nil, errNotRegular // before it is opened, which may never end
		}
		return root.Open(name)
	}
	return &Tree{name: path, open: open, close: root.Close, left: MaxTotal}, nil
}

var errNotRegular = errors.New("not a regular file")

// Close ends the use of the tree.
func (t *Tree) Close() error { return t.close() }

// Read is the bytes of a file, by its path in the tree with slashes. It wraps fs.ErrNotExist if there is none, and
// datasources.ErrNotReady if the disk stops answering. Anything that is not a regular file is refused, and so are a
// symbolic link on a disk and a file larger than MaxFile.
func (t *Tree) Read(ctx context.Context, path string) ([]byte, error) {
	content, err := t.read(ctx, path)
	if t.Answered != nil {
		a := datasources.Answer{Method: "READ", URL: t.name + ":/" + path, Body: content}
		if err != nil {
			a.Err = err.Error()
		}
		t.Answered(a)
	}
	return content, err
}

func (t *Tree) read(ctx context.Context, path string) ([]byte, error) {
	var content []byte
	left := t.left
	err := t.within(ctx, path, func(progress func()) error {
		f, err := t.open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return errNotRegular
		case info.Size() > MaxFile:
			return fmt.Errorf("larger than %d MiB", MaxFile>>20)
		case info.Size() > int64(left):
			return fmt.Errorf("together with the files before it larger than %d MiB", MaxTotal>>20)
		}
		b := make([]byte, 0, info.Size()+1)
		for len(b) <= int(info.Size()) {
			n, err := f.Read(b[len(b):min(cap(b), len(b)+piece)])
			b = b[:len(b)+n]
			if errors.Is(err, io.EOF) {
				content = b
				return nil
			}
			if err != nil {
				return err
			}
			progress()
		}
		return errors.New("it grew while it was read")
	})
	if err != nil {
		return nil, err // of an act that was left alone nothing may be looked at
	}
	t.left -= len(content)
	return content, nil
}

// Names is the names in a folder, sorted, of which it takes 1000. It wraps the errors that Read does.
func (t *Tree) Names(ctx context.Context, path string) ([]string, error) {
	var names []string
	err := t.within(ctx, path, func(func()) error {
		f, err := t.open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		all, err := f.Readdirnames(maxNames)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		sort.Strings(all)
		names = all
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// within lets an act on the disk take as long as it makes progress. One that does not is left alone: a system call
// cannot be ended from outside, and nothing else is asked of a disk that hangs in one.
func (t *Tree) within(ctx context.Context, path string, act func(progress func()) error) error {
	if t.dead != nil {
		return t.dead
	}
	timer := time.NewTimer(stall)
	defer timer.Stop()
	done := make(chan error, 1)
	go func() { done <- act(func() { timer.Reset(stall) }) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		t.dead = fmt.Errorf("read %s of %s: %w", path, t.name, ctx.Err())
		return t.dead
	case <-timer.C:
		t.dead = fmt.Errorf("read %s of %s: no answer in %s: %w", path, t.name, stall, datasources.ErrNotReady)
		return t.dead
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOTDIR) {
		err = fs.ErrNotExist
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err // without the path, which is in front
	}
	return fmt.Errorf("read %s of %s: %w", path, t.name, err)
}
