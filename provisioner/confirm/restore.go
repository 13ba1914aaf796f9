package confirm

import (
	"context"
	"fmt"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/state"
)

// step is one network to go back to.
type step struct {
	name  string
	says  string
	files []File
}

// steps are the networks to go back to, in order, each once.
func (m *mark) steps(root fsroot.FS) []step {
	var out []step
	add := func(s step) {
		for _, known := range out {
			if same(known.files, s.files) {
				return
			}
		}
		out = append(out, s)
	}
	if len(m.Before) > 0 {
		add(step{ToLast, "the network of before", m.Before})
	}
	var c confirmed
	// What cannot be read is no reason to do without the others.
	if ok, err := state.Read(root, dir, confirmedFile, &c); ok && err == nil && len(c.Files) > 0 && c.Digest != m.Digest {
		add(step{ToLast, "the network that was confirmed last", c.Files})
	}
	add(step{ToImage, "the image's own network", nil})
	return append(out, step{ToDHCP, "DHCP on every card", []File{rescue()}})
}

// restore goes back, step by step, until the machine is reachable. If ctx ends it leaves the machine with what it is at: the files
// are put back then, networkd has a second to take them, and nothing is checked.
//
// checked says that the network itself was found wrong. If networkd could not even be told of it, as when systemd dies, that
// proves nothing against it.
func (in *Input) restore(ctx context.Context, m *mark, wrong []string, checked bool) Outcome {
	for _, w := range wrong {
		in.Say("the network does not work: %s", w)
	}
	out := Outcome{State: Restored, Failed: wrong}
	m.State, m.Failed = failed, wrong
	if !checked && in.Keep == nil && m.mayTryAgain() {
		m.State = cut
	}
	from, links := m.Wanted, undone(m.Links)
	steps := m.steps(in.Root)
	for n, s := range steps {
		in.Say("going back to %s", s.says)
		out.Restored = s.name
		dark, err := in.goBack(ctx, m, s, from, links)
		from = s.files
		if err == nil {
			in.Say("the machine is reachable again with %s", s.says)
			return out
		}
		in.Say("%v", err)
		if ctx.Err() != nil {
			return out
		}
		if dark && n > 0 || n == len(steps)-1 {
			// Without a carrier no network can show that it works, so the best of them is the first.
			out.Err = fmt.Errorf("the machine may not be reachable: %w", err)
			if dark && n > 0 {
				out.Restored = steps[0].name
				_, _ = in.goBack(ctx, m, steps[0], from, links)
			}
			return out
		}
	}
	return out
}

// goBack puts one network in place, and looks whether the machine is reachable with it. dark says that no card has a carrier.
func (in *Input) goBack(ctx context.Context, m *mark, s step, from []File, links []Link) (dark bool, err error) {
	m.Restored, m.Before = s.name, s.files
	if s.name == ToDHCP {
		m.Before = nil
	}
	if err := m.write(context.WithoutCancel(ctx), in.Root, s.files); err != nil {
		err = fmt.Errorf("put back %s: %w", s.says, err)
		if s.name != ToDHCP {
			return false, err
		}
		in.Say("%v; doing it without what a boot would need to know of it", err)
		if err := force(context.WithoutCancel(ctx), in.Root); err != nil {
			in.Say("%v", err)
		}
	}
	// What cannot be done here shows in what is looked at next.
	outlasting, done := outlast(ctx)
	defer done()
	if _, err := in.apply(outlasting, from, s.files, links); err != nil {
		in.Say("%v", err)
	}
	bound := in.Timeout
	if bound == 0 {
		bound = time.Duration(m.TimeoutMS) * time.Millisecond
	}
	if bound <= 0 || bound > longestStep {
		bound = longestStep
	}
	var addressed bool
	wrong := in.await(ctx, bound, func(ctx context.Context, all []plan.Interface) []string {
		var w string
		dark, addressed, w = in.unreachable(ctx, all)
		if w == "" {
			return nil
		}
		return []string{w}
	})
	if len(wrong) == 0 || addressed {
		return false, nil
	}
	return dark, fmt.Errorf("%s: %s", s.says, wrong[0])
}

// outlast is a context that ends a second after another one does.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, cancel) })
	return out, func() { stop(); cancel() }
}

// unreachable says why the machine may not be reachable: "" if a card has a carrier and an address, and the gateway of a default
// route answers. addressed says that there is no gateway to ask, and all else is well: there may be one to come, or the network
// has none.
func (in *Input) unreachable(ctx context.Context, all []plan.Interface) (dark, addressed bool, why string) {
	dark, why = true, "no card has a carrier"
	asked := false
	for n := range all {
		i := &all[n]
		if i.Loopback || i.Kind == "vrf" || !i.Carrier || !isCard(i) && !hasAddress(i) {
			continue
		}
		if dark {
			dark, why = false, "no card has an address"
		}
		if !hasAddress(i) {
			continue
		}
		for _, r := range i.Routes {
			if r.To.Bits() != 0 || !r.Via.IsValid() {
				continue
			}
			asked = true
			err := in.asked(ctx, all, i, nil, r.Via)
			if err == nil {
				return false, false, ""
			}
			why = fmt.Sprintf("%s: the gateway %s %v", i.Name, r.Via, err)
		}
		if !asked {
			addressed, why = true, "there is no default route yet"
		}
	}
	return dark, addressed && !asked, why
}

// isCard says that an interface is no mere construction of the kernel's, which may always have a carrier.
func isCard(i *plan.Interface) bool { return i.Kind == "" || i.Kind == "veth" }

func hasAddress(i *plan.Interface) bool {
	for _, a := range i.Addresses {
		if !a.Prefix.Addr().IsLinkLocalUnicast() && !a.Tentative && !a.Duplicate {
			return true
		}
	}
	return false
}
