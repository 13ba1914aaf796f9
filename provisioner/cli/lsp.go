package cli

import (
	"context"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/lsp"
	"cloudconfig/provisioner/review"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

func (c *Command) lsp() *cobra.Command {
	return &cobra.Command{
		Use:   "lsp",
		Short: "Be a language server for an editor, over standard input and output",
		Long: `Be a language server for an editor, over standard input and output: findings as you type, what a key
means, which keys and values can follow, and cures to choose. Documents whose first line is not that of
user-data are left alone.

Exit status: 0 the editor said goodbye; 3 it did not.`,
		Example: `  vim.lsp.start({name = "provisioner", cmd = {"provisioner", "lsp"}})   -- Neovim`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := lsp.Serve(cmd.Context(), c.Stdin, c.Stdout, c.Version, checker{c.now}); err != nil {
				return c.fail(err)
			}
			return nil
		},
	}
}

// checker checks a text as validate does.
type checker struct{ now func() time.Time }

func (c checker) Check(ctx context.Context, f *source.File) diag.List {
	o := review.CheckOptions{Now: facts.Clock(c.now())}
	if u, err := url.Parse(f.Name); err == nil && u.Scheme == "file" {
		o.Path = filepath.FromSlash(u.Path)
		o.Network = schema.NetworkKindOf(filepath.Base(o.Path))
		if config, wrong, err := review.FindConfig(o.Path); err == nil && !wrong.HasErrors() {
			o.Config = config
		}
	}
	checked, err := review.Check(ctx, f, o)
	if err != nil {
		return nil // the context has ended
	}
	return checked.Found.Shown(checked.Files...) // what is unpacked from the text, nobody else can look at
}
