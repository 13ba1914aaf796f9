package confirm

import (
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/unitfile"
)

// Names gives cards the names and MTUs of our .link files, as udev does elsewhere, at the boot of a machine that has no udev: a
// container. It comes before networkd starts.
func Names(ctx context.Context, in Input) error {
	if info, err := in.Root.Stat("run/udev/control"); err != nil || info.Kind != fsroot.Absent {
		return err
	}
	files, err := ours(in.Root)
	if err != nil {
		return err
	}
	all, err := in.Kernel.Interfaces(ctx)
	if err != nil {
		return err
	}
	var links []Link
	for _, f := range files {
		if path.Ext(f.Path) == ".link" {
			if l := linkOf(string(f.Data), all); l.Was != "" {
				links = append(links, l)
			}
		}
	}
	if len(links) == 0 {
		return nil
	}
	in.early = true
	return errors.Join(in.rename(ctx, links), in.setMTU(ctx, links))
}

// linkOf is what a .link file asks for, of the interface that it is for. Was is empty if that is not there, or if the file goes
// by anything but its address or name.
func linkOf(text string, all []plan.Interface) Link {
	var l Link
	var macs, names []string
	sections, _ := unitfile.Parse(text)
	for _, s := range sections {
		for _, d := range s.Directives {
			switch s.Name + "." + d.Name {
			case "Match.PermanentMACAddress", "Match.MACAddress":
				macs = append(macs, strings.Fields(strings.ToLower(d.Value))...)
			case "Match.OriginalName":
				names = append(names, strings.Fields(d.Value)...)
			case "Match.Driver":
				return Link{}
			case "Link.Name":
				l.Name, l.Rename = d.Value, true
			case "Link.MTUBytes":
				l.MTU, _ = strconv.Atoi(d.Value) // 0 of what is no number
			}
		}
	}
	for i := range all {
		on := &all[i]
		card := on.Kind == "" || on.Kind == "veth"
		if !on.Loopback && card && (slices.Contains(macs, on.OwnMAC()) || slices.Contains(names, on.Name)) {
			l.Was = on.Name
			if len(macs) > 0 {
				l.MAC = on.OwnMAC()
			}
			break
		}
	}
	return l
}
