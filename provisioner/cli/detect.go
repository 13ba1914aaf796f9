package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/schema/diag"
)

func (c *Command) detect() *cobra.Command {
	var t target
	var out output
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "Say which datasource this machine has, and why",
		Long: `Say which datasources a first boot of this machine would ask, in this order, and why no other: from
what names one, and else from DMI and the labels of disks. It contacts nobody and changes nothing.
It needs no root, but who is not root does not see serial numbers and the disks.

With --root DIR it reads DIR/sys and DIR/proc. Exit status: 0 whatever is found; 2 usage; 3 something
could not be read.`,
		Example: `  provisioner detect
  provisioner detect --format json
  provisioner detect --root /mnt/image`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			env, err := t.open(c)
			if err != nil {
				return err
			}
			defer env.Root.Close()
			found, err := firstboot.Detect(cmd.Context(), env)
			if err != nil {
				return c.fail(err)
			}
			write := writeDetected
			if out.format == "json" {
				write = writeDetectedJSON
			}
			if err := write(c.Stdout, found); err != nil {
				return c.fail(err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&t.root, "root", "/", "look at the system below `DIR`")
	out.flags(cmd, "text", "json")
	return cmd
}

func writeDetected(w io.Writer, r detect.Result) error {
	platform := "not known"
	if r.Platform != "" {
		platform = r.Platform + " (" + r.Because + ")"
	}
	if _, err := fmt.Fprintf(w, "platform: %s\n", diag.Printable(platform)); err != nil {
		return err
	}
	for _, part := range []struct {
		title, none string
		list        []detect.Candidate
	}{{"asked, in this order:", "asked: none", r.Candidates}, {"not asked:", "", r.Rejected}} {
		title := part.title
		if len(part.list) == 0 {
			title = part.none
		}
		if title == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, title); err != nil {
			return err
		}
		for _, c := range part.list {
			if _, err := fmt.Fprintf(w, "  %-13s %s\n", labelOf(c), diag.Printable(c.Reason)); err != nil {
				return err
			}
		}
	}
	return nil
}

func labelOf(c detect.Candidate) string { return diag.Printable(catalog.Label(c.Spec)) }

type jsonDetected struct {
	Version    int             `json:"version"`
	Platform   string          `json:"platform"` // "" if it is not known
	Because    string          `json:"because,omitempty"`
	Named      bool            `json:"named"`
	Candidates []jsonCandidate `json:"candidates"`
	Rejected   []jsonCandidate `json:"rejected"`
}

type jsonCandidate struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

func writeDetectedJSON(w io.Writer, r detect.Result) error {
	list := func(all []detect.Candidate) []jsonCandidate {
		out := []jsonCandidate{}
		for _, c := range all {
			out = append(out, jsonCandidate{labelOf(c), diag.Printable(c.Reason)})
		}
		return out
	}
	return diag.WriteJSON(w, jsonDetected{
		Version: 1, Platform: r.Platform, Because: diag.Printable(r.Because), Named: r.Named, Candidates: list(r.Candidates), Rejected: list(r.Rejected),
	})
}
