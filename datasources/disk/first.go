package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/machine"
)

// First lets read look at the disks that have one of some labels, in Find's order, until it finds what it is for; it
// wraps datasources.ErrAbsent to be given the next. A removable disk is passed over unless env.Policy.Removable; what
// is read is told to env.Answered.
//
// The error wraps datasources.ErrAbsent if there is no such disk, and says for each that has the label why it was not
// taken. It wraps datasources.ErrNotReady instead if one may still come: the source is awaited, udev is at work, or a
// device has not answered. Any other error is that of the first disk that cannot be read, and ends the search:
// another disk is not to win because one is broken.
func (f *Finder) First(ctx context.Context, env datasources.Env, labels []string, read func(context.Context, *Tree) error) error {
	f.Root = env.Root
	m, err := machine.Read(env.Root)
	if err != nil {
		return err
	}
	if m.Container != "" {
		return fmt.Errorf("in a container (%s) the disks are the host's: %w", m.Container, datasources.ErrAbsent)
	}
	isSettled := Settled(env.Root) // before the look, lest one comes in between
	all, late := f.Find(ctx)
	if late != nil && !errors.Is(late, datasources.ErrNotReady) {
		return late
	}
	some := Labelled(all, labels...)
	var refused []string
	for _, d := range some {
		if d.Removable && !env.Policy.Removable {
			refused = append(refused, fmt.Sprintf("%s is removable (%s)", d.Name, d.Why))
			continue
		}
		err := d.first(ctx, env, read)
		if !errors.Is(err, datasources.ErrAbsent) {
			return err
		}
		refused = append(refused, d.Name+": "+strings.TrimSuffix(err.Error(), ": "+datasources.ErrAbsent.Error()))
	}
	want := strings.Join(labels, " or ")
	switch {
	case late != nil:
		return late
	case len(some) == 0 && env.Awaited:
		return fmt.Errorf("no disk labelled %s yet: %w", want, datasources.ErrNotReady)
	case !isSettled:
		return fmt.Errorf("no disk labelled %s yet, and udev is at work: %w", want, datasources.ErrNotReady)
	case len(some) == 0:
		return fmt.Errorf("no disk labelled %s: %w", want, datasources.ErrAbsent)
	}
	return fmt.Errorf("no disk labelled %s that can be taken: %s: %w", want, strings.Join(refused, "; "), datasources.ErrAbsent)
}

func (d Disk) first(ctx context.Context, env datasources.Env, read func(context.Context, *Tree) error) error {
	tree, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer tree.Close()
	tree.Answered = env.Answered
	return read(ctx, tree)
}

// Dir lets read look at a directory of the caller's, as First does at disks. It wraps datasources.ErrAbsent if there is
// none.
func Dir(ctx context.Context, env datasources.Env, path string, read func(context.Context, *Tree) error) error {
	tree, err := OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", datasources.ErrAbsent, err)
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	tree.Answered = env.Answered
	return read(ctx, tree)
}
