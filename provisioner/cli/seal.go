package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/seal"
	"cloudconfig/schema/diag"
)

// exitUnsealed is the status of seal --check if something is left.
const exitUnsealed = 1

// sealed is the JSON of seal.
type sealed struct {
	Version int  `json:"version"`
	Sealed  bool `json:"sealed"`
	// Removed is what was taken away, Left what a clone would share, Kept what is left to whoever makes the image.
	Removed []seal.Item `json:"removed"`
	Left    []seal.Item `json:"left"`
	Kept    []seal.Item `json:"kept"`
}

func (c *Command) seal() *cobra.Command {
	var dir string
	var check, history bool
	var out output
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Make a golden image: take away what clones must not share",
		Long: `Take away what belongs to one machine, so that an image of the system can be cloned: our state,
SSH host keys, DHCP leases, random seeds, the secret of credentials, logs, cloud-init's state; and
leave the machine-id "uninitialized", so that the next boot is a first one. Accounts, their keys and
their files stay; keys that let somebody in are listed.

A running system is to be shut down at once afterwards, not rebooted.

Exit status: 0 sealed; 1 of --check: something is left; 2 usage; 3 it failed, and may be run again.`,
		Example: `  provisioner seal && systemctl poweroff
  provisioner seal --root /mnt/image
  provisioner seal --check --root /mnt/image`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			found, live, err := runSeal(cmd.Context(), dir, check, seal.Options{History: history})
			if drawn := c.drawSeal(found, out.format, err == nil); drawn != nil {
				err = errors.Join(err, drawn)
			}
			switch {
			case err != nil:
				return c.fail(err)
			case check && len(found.Left) > 0:
				return status(exitUnsealed)
			case live && !check:
				fmt.Fprintln(c.Stderr, "provisioner: shut this machine down now, and do not boot it again before it is copied: systemctl poweroff")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "root", "/", "seal the system below `DIR`")
	cmd.Flags().BoolVar(&check, "check", false, "change nothing: list what is left")
	cmd.Flags().BoolVar(&history, "history", false, "take what users have typed into shells and editors away too")
	out.flags(cmd, "text", "json")
	return cmd
}

// runSeal looks or seals; live says that it was the running system.
func runSeal(ctx context.Context, dir string, check bool, o seal.Options) (found seal.Found, live bool, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return found, false, err
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		return found, false, err
	}
	defer root.Close()
	o.Live = isRunning(dir)
	if check {
		found, err = seal.Look(root, o)
		return found, o.Live, err
	}
	if o.Live {
		if os.Geteuid() != 0 {
			return found, true, errors.New("to seal the running system needs root; --root DIR works on another")
		}
		s, err := report.ReadStatus(root)
		if err == nil && s.State == report.Running {
			err = errors.New("this machine is being provisioned: provisioner status --wait")
		}
		if err != nil {
			return found, true, err
		}
		o.Quiet = seal.Quiet(func(ctx context.Context) (handoff.Manager, error) { return handoff.Connect(ctx) })
	}
	found, err = seal.Run(ctx, root, o)
	return found, o.Live, err
}

func (c *Command) drawSeal(found seal.Found, format string, whole bool) error {
	if format == "json" {
		e := json.NewEncoder(c.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(sealed{
			Version: 1, Sealed: whole && len(found.Left) == 0,
			Removed: never(found.Removed), Left: never(found.Left), Kept: never(found.Kept),
		})
	}
	for _, l := range []struct {
		word  string
		items []seal.Item
	}{{"removed", found.Removed}, {"left", found.Left}, {"kept", found.Kept}} {
		for _, i := range l.items {
			line := l.word + " " + i.Kind + ": " + i.Path
			if i.Reason != "" {
				line += ": " + i.Reason
			}
			if _, err := fmt.Fprintln(c.Stdout, diag.Printable(line)); err != nil {
				return err
			}
		}
	}
	switch n := len(found.Left); {
	case n > 0:
		_, err := fmt.Fprintf(c.Stdout, "not sealed: clones would share what is left (%d)\n", n)
		return err
	case whole:
		_, err := fmt.Fprintln(c.Stdout, "sealed")
		return err
	}
	return nil
}

// never makes a list that is there, if empty.
func never(items []seal.Item) []seal.Item {
	if items == nil {
		return []seal.Item{}
	}
	return items
}
