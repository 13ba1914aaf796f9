// Package confirm keeps a wrong network from locking anybody out: what is written is tried on the running machine, and kept only
// if the machine is reachable with it.
//
// [Mark] goes into the transaction that writes the files of systemd-networkd, so that a power cut anywhere leaves a mark with
// them. [Run] is what comes next: it has the kernel and networkd take the files, checks within a bound what the description
// claims, and confirms, or puts back what was there: the files of before, those that were confirmed last, the image's own, and
// in the end DHCP on every card. [Boot] does that at a boot which finds the mark of another one. Whoever calls holds the lock of
// package commit.
//
// What is remembered is in var/lib/provisioner/network, for root alone:
//
//	pending.json    the mark: what was tried and is not confirmed, and what was there before
//	confirmed.json  the files that were confirmed last
package confirm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// Kernel is the machine's network, as far as it is looked at and changed here.
type Kernel interface {
	// Interfaces are all there are.
	Interfaces(ctx context.Context) ([]plan.Interface, error)
	// Delete takes away an interface that networkd has made, and returns when networkd knows.
	Delete(ctx context.Context, index int) error
	// Rename takes an interface down, gives it another name, and brings it up again if it was.
	Rename(index int, name string) error
	// Release takes an interface out of the bond, bridge or VRF that it is in.
	Release(index int) error
	// SetMTU is in bytes.
	SetMTU(index, mtu int) error
	// RemoveAddress takes an address away.
	RemoveAddress(index int, p netip.Prefix) error
	// ReloadUdev has udevd read its .link files again; where none runs there is nothing to do.
	ReloadUdev(ctx context.Context) error
}

// Networkd is systemd-networkd. handoff.Networkd is the real one.
type Networkd interface {
	// Running says that it runs, or starts just now; Enabled that it would after the next boot.
	Running(ctx context.Context) (bool, error)
	Enabled(ctx context.Context) (bool, error)
	// Start starts it, and waits until it has.
	Start(ctx context.Context) error
	// Reload has it read its files again. Links whose file changed are configured anew.
	Reload(ctx context.Context) error
	// Known are the interfaces that it has read of from the kernel: their names there, by their numbers.
	Known(ctx context.Context) (map[int]string, error)
	// Reconfigure has it configure one link anew.
	Reconfigure(ctx context.Context, index int) error
}

// Prober asks others.
type Prober interface {
	// Answers says whether a gateway answers on the link: to ARP, or to neighbour solicitation. It asks until ctx ends.
	Answers(ctx context.Context, index int, from, gateway netip.Addr) (bool, error)
	// Reach connects to "HOST:PORT".
	Reach(ctx context.Context, host string) error
}

// System is a machine's network with those who look after it.
type System struct {
	Kernel   Kernel
	Networkd Networkd
	Prober   Prober
}

// Input is what a run works with.
type Input struct {
	System
	Root *fsroot.Root
	// BootID tells this boot from others: /proc/sys/kernel/random/boot_id.
	BootID string
	// Timeout is how long the check may take; 0 for what the mark says.
	Timeout time.Duration
	// Keep, if not nil, is asked when all checks have passed; false puts everything back.
	Keep func(ctx context.Context) bool
	// Label gives our files their SELinux labels, before anybody reads them; nil if there is nothing to do.
	Label func(context.Context) error
	// Say writes a line for the console.
	Say   func(format string, args ...any)
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration)
	// early says that networkd has not started.
	early bool
}

// State is what became of a network. Its text is in JSON and must not change.
type State string

// The states of an Outcome; "" says that there was nothing to confirm.
const (
	Confirmed   State = "confirmed"
	Restored    State = "restored"    // the check failed, and another network was put in its place
	Unconfirmed State = "unconfirmed" // the files are there, and nobody knows whether they work
)

// What a network was put back to.
const (
	ToLast  = "last-confirmed" // the files that were there before, or those that were confirmed last
	ToImage = "image"          // none of ours
	ToDHCP  = "dhcp"           // DHCP on every card
)

// Outcome is what became of a network.
type Outcome struct {
	State State
	// Failed is what the check has found, a line each.
	Failed []string
	// Restored is what was put in its place: "last-confirmed", "image" or "dhcp".
	Restored string
	// Err is what the machine did not do, beside that.
	Err error
}

// ready fills in what a test need not.
func (in *Input) ready() {
	if in.Say == nil {
		in.Say = func(string, ...any) {}
	}
	if in.Now == nil {
		in.Now = time.Now
	}
	if in.Sleep == nil {
		in.Sleep = func(ctx context.Context, d time.Duration) {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
	}
}

// Run settles the mark that there is: it applies the files, checks them, and confirms or restores. A mark that a boot has found of
// another boot may be tried once more; one that failed is left alone, and told again. Without a mark the outcome is the zero one.
func Run(ctx context.Context, in Input) Outcome {
	in.ready()
	m, err := readMark(in.Root)
	if m == nil || err != nil {
		return Outcome{Err: err}
	}
	switch {
	case m.State == failed:
		return Outcome{State: Restored, Failed: m.Failed, Restored: m.Restored}
	case m.State == cut:
		bound, cancel := context.WithTimeout(ctx, applyTime)
		defer cancel()
		if ok, err := in.Networkd.Running(bound); !ok || err != nil {
			return Outcome{State: Restored, Failed: m.Failed, Restored: m.Restored, Err: err}
		}
		in.Say("trying once more the network that was not checked to the end")
		m.State, m.BootID, m.Attempts, m.Failed, m.Restored = pending, in.BootID, m.Attempts+1, nil, ""
		if err := m.write(ctx, in.Root, m.Wanted); err != nil {
			return Outcome{State: Restored, Restored: ToImage, Err: err}
		}
	}
	return in.settle(ctx, m)
}

// settle applies and checks what is marked as pending.
func (in *Input) settle(ctx context.Context, m *mark) Outcome {
	acts, err := in.awake(ctx)
	if err == nil && !acts {
		err = forget(ctx, in.Root)
		return Outcome{State: Unconfirmed, Failed: []string{"systemd-networkd does not run and is not enabled, so nothing acts on the files"}, Err: err}
	}
	told := err == nil
	if told {
		told, err = in.apply(ctx, m.Before, m.Wanted, m.Links)
	}
	var wrong []string
	if told {
		wrong = in.check(ctx, m)
	}
	if err != nil && (!told || len(wrong) > 0) {
		wrong = append([]string{err.Error()}, wrong...)
	}
	if len(wrong) == 0 && in.Keep != nil && !in.Keep(ctx) {
		wrong = []string{"nobody has kept it"}
	}
	if len(wrong) > 0 {
		return in.restore(ctx, m, wrong, told && ctx.Err() == nil)
	}
	in.dropStale(ctx, m.Links)
	if err := m.confirm(context.WithoutCancel(ctx), in.Root); err != nil {
		return Outcome{State: Unconfirmed, Err: fmt.Errorf("confirm the network: %w", err)}
	}
	in.Say("the network is confirmed")
	return Outcome{State: Confirmed, Err: err}
}

// Apply has the machine take the files that are marked, and checks nothing: a stage that is short of time leaves that to the next.
func Apply(ctx context.Context, in Input) error {
	in.ready()
	m, err := readMark(in.Root)
	if m == nil || err != nil || m.State != pending || m.BootID != in.BootID {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	if running, err := in.Networkd.Running(bound); !running || err != nil {
		return err // it reads the files when it starts
	}
	_, err = in.apply(ctx, m.Before, m.Wanted, m.Links)
	return err
}

// awake says that networkd runs, or has it started where it is enabled. What starts may wait for us, so it is not waited for
// without end.
func (in *Input) awake(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	running, err := in.Networkd.Running(ctx)
	if running || err != nil {
		return running, err
	}
	enabled, err := in.Networkd.Enabled(ctx)
	if !enabled || err != nil {
		return false, err
	}
	return true, in.Networkd.Start(ctx)
}

// apply has the kernel, udevd and networkd take other files. It goes on after an error: whatever is done brings the machine
// nearer to where it is to be, and the check tells whether it is enough. Unless told, networkd has not read the files, and there
// is nothing to check.
//
// networkd makes an interface once and never looks whether its file has changed; so those that it is to make otherwise, or no
// more, are deleted: the first before it reads its files, the others when nothing is in them any more. What was in one, or was
// below it, is configured anew, since only that makes networkd use it again.
func (in *Input) apply(ctx context.Context, from, to []File, links []Link) (told bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	var errs []error
	if in.Label != nil {
		errs = append(errs, in.Label(ctx))
	}
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	changed, gone := staleNetdevs(from, to)
	for _, l := range links {
		if l.Rename && gone[l.Name] { // which a card is to have
			delete(gone, l.Name)
			changed[l.Name] = true
		}
	}
	again, err := in.deleteMade(ctx, changed)
	keep(err)
	keep(in.Kernel.ReloadUdev(ctx))
	keep(in.rename(ctx, links))
	keep(in.setMTU(ctx, links))
	err = in.Networkd.Reload(ctx)
	told = err == nil
	keep(err)
	keep(in.release(ctx, from, to, links))
	keep(in.reconfigure(ctx, links, again))
	_, err = in.deleteMade(ctx, gone)
	keep(err)
	return told, errors.Join(errs...)
}

// applyTime bounds how long kernel, udevd and networkd may take.
const applyTime = 30 * time.Second

// deleteMade deletes interfaces that networkd has made, by their names. It gives the numbers of those that were tied to one.
func (in *Input) deleteMade(ctx context.Context, gone map[string]bool) ([]int, error) {
	if len(gone) == 0 {
		return nil, nil
	}
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return nil, err
	}
	var tied []int
	var errs []error
	for _, i := range all {
		switch {
		case gone[i.Name]:
			if parent := named(all, i.Parent); parent != nil {
				tied = append(tied, parent.Index)
			}
			// A card may have got the name, and is not to be deleted.
			if i.Kind == "" {
				continue
			}
			if err := in.Kernel.Delete(ctx, i.Index); err != nil {
				errs = append(errs, fmt.Errorf("delete %s: %w", i.Name, err))
			}
		case gone[i.Master]:
			tied = append(tied, i.Index)
		}
	}
	return tied, errors.Join(errs...)
}

// rename gives cards their names. Where two change theirs with each other, one has another name in between.
func (in *Input) rename(ctx context.Context, links []Link) error {
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return err
	}
	type todo struct {
		index int
		name  string
	}
	var list []todo
	taken := map[string]bool{}
	for _, i := range all {
		taken[i.Name] = true
	}
	for _, l := range links {
		if i := l.find(all); l.Rename && i != nil && i.Name != l.Name {
			delete(taken, i.Name)
			list = append(list, todo{i.Index, l.Name})
		}
	}
	var errs []error
	keep := func(index int, name string) {
		if err := in.Kernel.Rename(index, name); err != nil {
			errs = append(errs, fmt.Errorf("give interface %d the name %s: %w", index, name, err))
		}
	}
	if len(list) > 1 {
		between := map[int]string{}
		for _, t := range list {
			between[t.index] = fmt.Sprintf("provisioner%d", t.index%1000)
			keep(t.index, between[t.index])
		}
		in.untilKnown(ctx, between)
	}
	for _, t := range list {
		if taken[t.name] {
			errs = append(errs, fmt.Errorf("the name %s is another interface's", t.name))
			continue
		}
		keep(t.index, t.name)
	}
	return errors.Join(errs...)
}

// release takes cards out of bonds, bridges and VRFs of ours that stay, and that they are not to be in any more: networkd leaves them
// there. Which others have made is theirs.
func (in *Input) release(ctx context.Context, from, to []File, links []Link) error {
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		i := l.find(all)
		if i == nil || l.Stem == "" || i.Master == "" || i.Master != masterName(from, l.Stem) || i.Master == masterName(to, l.Stem) {
			continue
		}
		if err := in.Kernel.Release(i.Index); err != nil {
			errs = append(errs, fmt.Errorf("take %s out of %s: %w", i.Name, i.Master, err))
		}
	}
	return errors.Join(errs...)
}

// untilKnown waits a little until networkd has read of interfaces, by their numbers, that they have these names: it passes over what the
// kernel has told of a name that is out of date (systemd 252), and would have two of one name else.
func (in *Input) untilKnown(ctx context.Context, want map[int]string) {
	if in.early {
		return
	}
	in.known(ctx, func(known map[int]string) bool {
		for index, name := range want {
			if known[index] != name {
				return false
			}
		}
		return true
	})
}

const (
	// reading is how long networkd may take to read what the kernel tells, and soon how often it is asked.
	reading = 2 * time.Second
	soon    = 50 * time.Millisecond
)

// known are the interfaces that networkd knows, once they are enough or time is over; nil if it cannot be asked.
func (in *Input) known(ctx context.Context, enough func(map[int]string) bool) map[int]string {
	ends := in.Now().Add(reading)
	for {
		known, err := in.Networkd.Known(ctx)
		if err != nil {
			return nil
		}
		if enough(known) || ctx.Err() != nil || !in.Now().Before(ends) {
			return known
		}
		in.Sleep(ctx, soon)
	}
}

func (in *Input) setMTU(ctx context.Context, links []Link) error {
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		if i := l.find(all); i != nil && l.MTU != 0 && i.MTU != l.MTU {
			if err := in.Kernel.SetMTU(i.Index, l.MTU); err != nil {
				errs = append(errs, fmt.Errorf("give %s an MTU of %d: %w", i.Name, l.MTU, err))
			}
		}
	}
	return errors.Join(errs...)
}

// reconfigure has networkd configure anew those links that got another name, and the interfaces of those numbers; the others it
// has begun to already, since their files are others. To tell it twice in a row may lose it a lease of DHCP that comes in
// between, for good (systemd 252). A link that it does not know soon it configures once it does.
func (in *Input) reconfigure(ctx context.Context, links []Link, more []int) error {
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return err
	}
	for _, l := range links {
		if i := l.find(all); i != nil && l.Rename {
			more = append(more, i.Index)
		}
	}
	all = slices.DeleteFunc(all, func(i plan.Interface) bool { return !slices.Contains(more, i.Index) })
	known := in.known(ctx, func(known map[int]string) bool {
		return !slices.ContainsFunc(all, func(i plan.Interface) bool { return known[i.Index] == "" })
	})
	var errs []error
	for _, i := range all {
		if known != nil && known[i.Index] == "" {
			continue
		}
		if err := in.Networkd.Reconfigure(ctx, i.Index); err != nil {
			errs = append(errs, fmt.Errorf("configure %s anew: %w", i.Name, err))
		}
	}
	return errors.Join(errs...)
}

// dropStale takes away the addresses that links had and are not to have any more: networkd does so with its own, and may leave
// what others have set. That one cannot be removed locks nobody out.
func (in *Input) dropStale(ctx context.Context, links []Link) {
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return
	}
	for _, l := range links {
		i := l.find(all)
		if i == nil {
			continue
		}
		for _, a := range i.Addresses {
			if l.drops(a.Prefix) && !a.Dynamic {
				if err := in.Kernel.RemoveAddress(i.Index, a.Prefix); err != nil {
					in.Say("%s: %s cannot be removed: %v", i.Name, a.Prefix, err)
				}
			}
		}
	}
}
