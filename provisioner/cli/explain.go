package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
)

func (c *Command) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE|KEY]",
		Short: "Say what a rule or a key means, with an example",
		Long:  "Say what a rule of the checker or a key of the language means, with an example. Without an argument, list them all.",
		Example: `  provisioner explain unknown-key
  provisioner explain write_files.permissions`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var words []string
			for _, r := range rules.All() {
				words = append(words, r.ID+"\t"+r.Title)
			}
			for _, k := range language.Keys() {
				words = append(words, k.Path+"\t"+k.Doc)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.listAll()
			}
			if r := rules.Lookup(args[0]); r != nil {
				fmt.Fprintf(c.Stdout, "%s: %s: %s\n\n%s\n", r.ID, r.Severity, r.Title, wrap(r.Help))
				if r.Machine {
					fmt.Fprintln(c.Stdout, "\nplan and apply find it, since it depends on the machine.")
				}
				if r.Example != "" {
					fmt.Fprintf(c.Stdout, "\nWrong:\n\n%s\nRight:\n\n%s", indent(r.Example), indent(r.Instead))
				}
				return nil
			}
			found := false
			for _, k := range language.Keys() {
				if k.Path == args[0] || strings.HasSuffix(k.Path, "."+args[0]) {
					found = true
					writeKey(c.Stdout, k)
				}
			}
			if !found {
				return fmt.Errorf("no rule and no key is called %q; provisioner explain lists them", args[0])
			}
			return nil
		},
	}
}

func (c *Command) listAll() error {
	fmt.Fprintln(c.Stdout, "Rules:")
	for _, r := range rules.All() {
		fmt.Fprintf(c.Stdout, "  %-28s %s\n", r.ID, r.Title)
	}
	fmt.Fprintln(c.Stdout, "\nKeys:")
	for _, k := range language.Keys() {
		fmt.Fprintf(c.Stdout, "  %-44s %s\n", k.Path, k.Type)
	}
	return nil
}

func writeKey(w io.Writer, k language.Key) {
	fmt.Fprintf(w, "%s: %s\n", k.Path, k.Type)
	if k.Doc != "" {
		fmt.Fprintf(w, "\n%s\n", wrap(k.Doc+"."))
	}
	if k.Variable != "" {
		fmt.Fprintf(w, "\nIt becomes %s in the environment of the agent.\n", k.Variable)
	}
	if len(k.Values) > 0 {
		fmt.Fprintf(w, "\nOne of: %s\n", strings.Join(k.Values, ", "))
	}
	if k.Deprecated != "" {
		fmt.Fprintf(w, "\nDeprecated: %s.\n", k.Deprecated)
	}
	if k.Later != "" {
		fmt.Fprintf(w, "\nChecked, and not acted on yet: %s.\n", k.Later)
	}
	if k.Example != "" {
		fmt.Fprintf(w, "\nExample:\n\n%s", indent(k.Name+": "+k.Example))
	}
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// wrap breaks a paragraph into lines of at most 78 characters.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > 78:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
