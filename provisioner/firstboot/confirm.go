package firstboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
	"time"

	"cloudconfig/provisioner/confirm"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
	"cloudconfig/schema"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
)

// trial is what a run knows of networks that it tries.
type trial struct {
	// hurried says that there is no time to check one: the next stage does.
	hurried bool
	// byHand says that a person is there who wants it, not a boot.
	byHand bool
	// spent is one that does not work, and that no plan of this run has any more.
	spent *network.Network
	// timeout, if not 0, takes the place of the settings', and wanted, if not nil, is asked in the end.
	timeout time.Duration
	wanted  func(context.Context) bool
	// trouble says that one could not be settled.
	trouble bool
}

// tries says that networks are tried here.
func (r *run) tries() bool { return r.Live && r.Network != nil }

// mark is what goes into the transaction of a plan whose network is to be confirmed.
func (r *run) mark(p plan.Plan, f plan.Facts, cfg *schema.Config) ([]plan.Change, error) {
	n, _ := r.networkOf(cfg)
	if !r.tries() || n == nil {
		return nil, nil
	}
	timeout := r.timeout
	if timeout == 0 {
		timeout = r.settings.NetworkTimeout
	}
	if timeout == 0 {
		timeout = confirm.Bound(n, r.isBareMetal())
	}
	return confirm.Mark(r.Root, confirm.Change{
		BootID: r.bootID(), Links: confirm.Of(n, p.Network, f.Interfaces), Files: append(append([]plan.Change{}, p.Changes...), p.Runtime...),
		Timeout: timeout, Host: r.mustReach(), Now: r.Now(), ByHand: r.byHand,
	})
}

// isBareMetal says that no hypervisor shows in the processor's flags, and that this is no container.
func (r *run) isBareMetal() bool {
	text, _, err := r.Root.ReadFile("proc/cpuinfo", 1<<20)
	return err == nil && r.host != nil && r.host.Container == "" && !bytes.Contains(text, []byte(" hypervisor"))
}

// mustReach is what must be reached with a network: what the settings say, else the metadata service that has answered, if it is
// on the link, where no proxy is between.
func (r *run) mustReach() string {
	if r.settings.NetworkCheck != "" || r.recorder == nil {
		return r.settings.NetworkCheck
	}
	return r.recorder.Reached(func(url string) (string, bool) {
		host, err := settings.HostOf(url)
		if err != nil {
			return "", false
		}
		name, _, _ := net.SplitHostPort(host)
		ip, err := netip.ParseAddr(name)
		return host, err == nil && ip.IsLinkLocalUnicast()
	})
}

func (r *run) bootID() string {
	text, _, err := r.Root.ReadFile("proc/sys/kernel/random/boot_id", 1<<10)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (r *run) trying() confirm.Input {
	return confirm.Input{
		System: *r.Network, Root: r.Root, BootID: r.bootID(), Timeout: r.timeout, Keep: r.wanted, Now: r.Now,
		Say:   func(format string, args ...any) { r.say("network", format, args...) },
		Label: r.labelNetwork,
	}
}

// labelNetwork labels our files of networkd, which may have been put back.
func (r *run) labelNetwork(ctx context.Context) error {
	var all []plan.Change
	for _, dir := range []string{"etc/systemd/network", "run/systemd/network"} {
		names, err := fsroot.List(r.Root, dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if strings.HasPrefix(name, networkd.Prefix) {
				all = append(all, plan.Change{Kind: plan.WriteFile, Path: path.Join(dir, name)})
			}
		}
	}
	return r.label(ctx, all)
}

// confirm checks the network that was just committed, or has it taken at least.
func (r *run) confirm(ctx context.Context, n *network.Network) {
	r.enter("network")
	if r.hurried {
		take := confirm.Apply
		if r.offline {
			take = confirm.Names // networkd reads the files when it starts, and udev has named the cards by others
		}
		if err := take(ctx, r.trying()); err != nil {
			r.say("network", "%v", err) // the next stage checks it
		}
		r.Confirm(report.Network{State: string(confirm.Unconfirmed)})
		return
	}
	if r.settle(ctx).State == confirm.Restored {
		r.spent = n
	}
}

// resume takes up what an earlier stage or run has left: a network that was not checked, or that a boot has put back.
func (r *run) resume(ctx context.Context) report.State {
	if r.tries() && confirm.IsPending(r.Root) {
		r.enter("network")
		r.settle(ctx)
	}
	return report.Done
}

// settle checks what is marked, and keeps what became of it.
func (r *run) settle(ctx context.Context) confirm.Outcome {
	checked := r.waiting("the check of the network")
	out := confirm.Run(ctx, r.trying())
	checked()
	r.Report.Network = nil
	r.keepOutcome(out)
	if out.Err != nil {
		r.trouble = true
		r.failed(out.Err)
	}
	return out
}

func (r *run) keepOutcome(out confirm.Outcome) {
	if out.State != "" {
		r.Confirm(report.Network{State: string(out.State), Failed: out.Failed, Restored: out.Restored})
	}
}

// networkState is what the network makes of the state of the run, once it has done all else.
func (r *run) networkState() report.State {
	if r.isRestored() {
		n := r.Report.Network
		r.failed(fmt.Errorf("the network is not the one asked for, which did not work (%s is in its place): %s", n.Restored, strings.Join(n.Failed, "; ")))
	}
	if r.isRestored() || r.trouble {
		return report.Degraded
	}
	return report.Done
}

func (r *run) isRestored() bool {
	return r.Report.Network != nil && r.Report.Network.State == string(confirm.Restored)
}

// bootNetwork puts back what was there before a network that nobody has confirmed in an earlier boot; networkd has not started.
func (r *run) bootNetwork(ctx context.Context) error {
	out, err := confirm.Boot(ctx, r.Root, r.bootID())
	r.keepOutcome(out)
	if out.State != "" {
		err = errors.Join(err, r.labelNetwork(ctx))
		r.say("network", "another network than the one asked for is in place (%s): %s", out.Restored, strings.Join(out.Failed, "; "))
	}
	if r.tries() {
		if err := confirm.Names(ctx, r.trying()); err != nil {
			r.say("network", "%v", err) // what is reachable without stays so
		}
	}
	return err
}

// othersNetwork says that a plan changes files of networkd that are not ours, which networkd must be told of.
func othersNetwork(p plan.Plan) bool {
	for _, c := range append(append([]plan.Change{}, p.Changes...), p.Runtime...) {
		if strings.HasSuffix(path.Dir(c.Path), "/systemd/network") && !strings.HasPrefix(path.Base(c.Path), networkd.Prefix) {
			return true
		}
	}
	return false
}

// isSpent says that a network was tried before and is not tried again; the plan is made anew without it.
func (r *run) isSpent(err error, cfg *schema.Config) bool {
	if !errors.Is(err, confirm.ErrSpent) {
		return false
	}
	r.spent, _ = r.networkOf(cfg)
	r.say("network", "%v; it is left as it is", err)
	return true
}

// Try is a network that somebody tries by hand.
type Try struct {
	// File is a description of the network of this kind, as schema.DecodeNetwork takes it; or a cloud-config with network: in it,
	// if the kind is empty.
	File *source.File
	Kind string
	// Timeout is how long the check may take; 0 for what the settings say.
	Timeout time.Duration
	// Wanted, if not nil, is asked once everything is well; false puts back what was there.
	Wanted func(context.Context) bool
}

// TryNetwork writes one network and nothing else, and keeps it only if the machine is reachable with it.
func TryNetwork(ctx context.Context, env Env, t Try) *report.Report {
	r := begin(env)
	r.byHand, r.timeout, r.wanted = true, t.Timeout, t.Wanted
	st := r.underLock(ctx, func() report.State {
		r.publish(ctx)
		if err := r.configure(); err != nil {
			return r.failed(err)
		}
		if err := r.lookAtMachine(); err != nil {
			return r.failed(err)
		}
		n, err := r.toTry(ctx, t)
		switch {
		case err != nil:
			return r.failed(err)
		case r.found.HasErrors():
			return r.refused()
		case n == nil:
			return r.failed(fmt.Errorf("%s describes no network", t.File.Name))
		}
		r.enter("plan")
		_, found, st := r.transact(ctx, &schema.Config{Network: n}, nil, func(plan.Plan) ([]plan.Change, error) { return nil, nil })
		if r.find(found); st == report.Refused {
			return r.refused()
		}
		return st
	})
	if n := r.Report.Network; n != nil && n.State == string(confirm.Unconfirmed) && st == report.Done {
		st = r.degraded(errors.New("systemd-networkd does not run and is not enabled: nothing acts on the files"))
	}
	r.end(ctx, worse(st, r.networkState()))
	return r.Report
}

// toTry reads the description.
func (r *run) toTry(ctx context.Context, t Try) (*network.Network, error) {
	r.enter("check")
	if t.Kind != "" {
		n, found := schema.DecodeNetwork(t.File, t.Kind)
		r.find(found)
		return n, nil
	}
	r.data.UserData, r.data.Name = t.File.Bytes, t.File.Name
	if err := r.decode(ctx); err != nil {
		return nil, err
	}
	return r.config.Network, nil
}
