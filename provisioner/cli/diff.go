package cli

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"cloudconfig/datasources/assemble"
	"cloudconfig/provisioner/changes"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/review"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
)

func (c *Command) diff() *cobra.Command {
	var out output
	var image, metadata string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what a change of a configuration changes on a machine",
		Long: `Say what a change of a configuration changes on a machine: users, keys, files, units and jobs that
come, go or become other than they were, dangerous changes first. It looks at the two files and at
nothing else; an empty OLD is a configuration that was not there. Secrets are compared, not shown.

Exit status: 0 no errors in either configuration, 1 one of them is refused, 2 usage, or a file that
cannot be opened, 3 no plan could be made.`,
		Example: `  provisioner diff main/web.yaml web.yaml
  provisioner diff --image debian-12 --format markdown main/web.yaml web.yaml
  git show main:web.yaml | provisioner diff - web.yaml`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if args[0] == "-" && args[1] == "-" {
				return errors.New("standard input can be one of the two only")
			}
			in, r := changes.Input{}, changes.Report{}
			var err error
			if image != "" {
				if in.Image, err = review.Image(image); err != nil {
					return err
				}
				r.Image = in.Image.Name
			}
			if metadata != "" {
				if in.Meta, err = readMetadata(metadata); err != nil {
					return err
				}
			}
			var o assemble.Options
			if metadata != "" {
				o.Facts = template.Facts(in.Meta, nil)
			}
			var files []*source.File
			var found diag.List
			for i, side := range []struct {
				name   *string
				config **schema.Config
			}{{&r.Old, &in.Old}, {&r.New, &in.New}} {
				f, err := c.one(args[i])
				if err != nil {
					return err
				}
				*side.name = f.Name
				parts, ds, err := configure(cmd.Context(), f, o, schema.Input{Now: facts.Clock(c.now()), Image: in.Image}, side.config)
				if err != nil {
					return err
				}
				files, found = append(files, parts...), append(found, ds...)
			}
			if !found.HasErrors() {
				var more diag.List
				if r.Items, more, err = changes.Between(in); err != nil {
					return c.fail(err)
				}
				found = append(found, more...)
			}
			if found.HasErrors() {
				found = slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return d.Severity != diag.Error })
				if err := diag.Write(c.Stderr, found, diag.Options{Format: "text", Files: files}); err != nil {
					return err
				}
				return status(report.ExitRefused)
			}
			return changes.Write(c.Stdout, r, changes.Options{Format: out.format, Color: out.inColor(c)})
		},
	}
	out.flags(cmd, changes.Formats()...)
	imageFlag(cmd, &image)
	cmd.Flags().StringVar(&metadata, "metadata", "", "replace variables by the instance's metadata in `FILE`, of the form of instance.json")
	return cmd
}

// one reads one configuration. The null device is one that was not there, as git has it.
func (c *Command) one(arg string) (*source.File, error) {
	if arg == os.DevNull {
		return &source.File{Name: arg}, nil
	}
	read, err := review.Read([]string{arg}, c.Stdin)
	if err != nil {
		return nil, err
	}
	if len(read) != 1 {
		return nil, errors.New("OLD and NEW are files")
	}
	return read[0], nil
}

// configure decodes a file, and gives the texts of its findings.
func configure(ctx context.Context, f *source.File, o assemble.Options, in schema.Input, to **schema.Config) ([]*source.File, diag.List, error) {
	r, err := assemble.Parts(ctx, f, o)
	if err != nil {
		return nil, nil, err
	}
	in.Files = r.Parts
	cfg, ds := schema.Decode(in)
	*to = cfg
	return r.Files, append(r.Found, ds...), nil
}
