package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// output is how a command prints: the flags that all of them share.
type output struct {
	format, color string
	formats       []string
}

func (o *output) flags(cmd *cobra.Command, formats ...string) {
	o.formats = formats
	cmd.Flags().StringVar(&o.format, "format", formats[0], "output `FORMAT`: "+strings.Join(formats, " or "))
	cmd.Flags().StringVar(&o.color, "color", "auto", "colour `WHEN`: auto, always or never")
	complete(cmd, "format", formats)
	complete(cmd, "color", []string{"auto", "always", "never"})
}

func complete(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic("internal error: " + err.Error())
	}
}

// check refuses values that no flag takes.
func (o *output) check() error {
	if !slices.Contains(o.formats, o.format) {
		return fmt.Errorf("--format takes %s, not %q", strings.Join(o.formats, " or "), o.format)
	}
	if !slices.Contains([]string{"auto", "always", "never"}, o.color) {
		return fmt.Errorf("--color takes auto, always or never, not %q", o.color)
	}
	return nil
}

// inColor says whether what goes to standard output is coloured: on a terminal, unless NO_COLOR is set
// (https://no-color.org).
func (o *output) inColor(c *Command) bool {
	if o.color != "auto" {
		return o.color == "always"
	}
	f, ok := c.Stdout.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(f)
}
