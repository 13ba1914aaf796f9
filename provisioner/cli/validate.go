package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/review"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
)

// rulesAddress is the page of the rules, docs/rules.md, for readers that are not on this machine; a rule's id is put
// at its end. Whoever publishes the page puts its address here: names below .example are nobody's (RFC 2606).
const rulesAddress = "https://provisioner.example/docs/rules#"

// validation is the flags of validate.
type validation struct {
	output
	review.Options
	strict, quiet bool
	failOn        string
	outputs       []string
	baseline      string
	writeBaseline string
	metadata      string
	kind          string
	diff          bool // show what --fix would change, and change nothing
}

func (c *Command) validate() *cobra.Command {
	var v validation
	cmd := &cobra.Command{
		Use:   "validate [FILE|DIR|PATTERN|-]...",
		Short: "Check configurations without a machine, a network or root",
		Long: `Check configurations without a machine, a network or root. Of a directory, files named *.yaml,
*.yml and *.cfg are checked, and those whose first line names a kind of user-data. A pattern in
quotes, such as 'conf/**/*.yaml', is what a shell would make of it. Without an argument, or with -,
standard input is checked. A file named network-config or network_data.json is a description
of the network, as a datasource brings it beside user-data; --kind says so of files with other names.

With --fix, what has one cure is mended in the files themselves: a mode that a tool has made decimal, a
deprecated name, a value that other tools read otherwise, a byte order mark, Windows line ends. Comments
and layout stay, and what a sound configuration asks for does not change.

Exit status: 0 no errors, 1 errors, 2 usage, or a file that cannot be opened.`,
		Example: `  provisioner validate web.yaml
  provisioner validate --strict configs/
  provisioner validate --format github --output sarif=report.sarif 'configs/**/*.yaml'
  provisioner validate --fix --diff configs/
  provisioner validate --format json --stdin-name web.yaml - < web.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			v.Args, v.Stdin, v.Now = args, c.Stdin, facts.Clock(c.now())
			return v.run(cmd, c)
		},
	}
	v.flags(cmd, diag.Formats()...)
	f := cmd.Flags()
	f.StringArrayVar(&v.outputs, "output", nil, "write `FORMAT=FILE` too, or instead if FILE is -; may be given again")
	f.BoolVar(&v.strict, "strict", false, "take warnings for errors")
	f.StringVar(&v.failOn, "fail-on", "error", "exit with 1 from this `SEVERITY` on: error, warning or info")
	complete(cmd, "fail-on", []string{"error", "warning", "info"})
	f.BoolVarP(&v.quiet, "quiet", "q", false, "print findings alone, without how many there are")
	f.StringVar(&v.StdinName, "stdin-name", "", "what standard input is called: the `NAME` of the file that it will be")
	f.StringVar(&v.Config, "config", "", "take which rules hold from `FILE` instead of the nearest .provisioner.yaml above each file")
	f.BoolVar(&v.NoConfig, "no-config", false, "let all rules hold, whatever a .provisioner.yaml says")
	imageFlag(cmd, &v.Image)
	f.StringVar(&v.kind, "kind", "", "take every file for a `KIND` of description of the network: "+strings.Join(schema.NetworkKinds(), ", "))
	complete(cmd, "kind", schema.NetworkKinds())
	f.StringVar(&v.metadata, "metadata", "", "take what is known of the instance from `FILE`, of the form of instance.json")
	f.BoolVar(&v.Mend, "fix", false, "mend what has one cure in the files themselves, then check them")
	f.BoolVar(&v.diff, "diff", false, "with --fix: print what would change, and change nothing")
	f.StringVar(&v.baseline, "baseline", "", "leave out the findings that `FILE` knows")
	f.StringVar(&v.writeBaseline, "write-baseline", "", "write every finding to `FILE`, for --baseline, and print none")
	cmd.MarkFlagsMutuallyExclusive("config", "no-config")
	cmd.MarkFlagsMutuallyExclusive("baseline", "write-baseline")
	return cmd
}

func (v *validation) run(cmd *cobra.Command, c *Command) error {
	if err := v.check(); err != nil {
		return err
	}
	var failOn diag.Severity
	if err := failOn.UnmarshalText([]byte(v.failOn)); err != nil {
		return fmt.Errorf("--fail-on takes error, warning or info, not %q", v.failOn)
	}
	switch {
	case v.diff && !v.Mend:
		return errors.New("--diff goes with --fix; provisioner diff compares two configurations")
	case v.Mend && !v.diff && (len(v.Args) == 0 || slices.Contains(v.Args, "-")):
		return errors.New("standard input cannot be mended in place; --fix --diff shows what would change")
	}
	outputs, err := v.destinations(cmd.Flags().Changed("format"))
	if err != nil {
		return err
	}
	if v.metadata != "" {
		meta, err := readMetadata(v.metadata)
		if err != nil {
			return err
		}
		v.Meta = &meta
	}
	if v.Network = schema.NetworkKind(v.kind); v.kind != "" && v.Network == "" {
		return fmt.Errorf("--kind takes %s, not %q", strings.Join(schema.NetworkKinds(), ", "), v.kind)
	}
	if v.baseline != "" {
		if v.Baseline, err = review.ReadBaseline(v.baseline); err != nil {
			return err
		}
	}
	r, err := review.Run(cmd.Context(), v.Options)
	if err != nil {
		return err
	}
	if err := v.mended(c, r.Mended); err != nil {
		return err
	}
	for _, u := range r.Unread {
		fmt.Fprintf(c.Stderr, "provisioner: %s: %s\n", diag.Printable(u.Name), u.Reason)
	}
	if v.writeBaseline != "" && !r.Misconfigured {
		return v.keep(c, &r)
	}
	if v.strict {
		r.Found = r.Found.Strict()
	}
	for _, o := range outputs {
		drawn := diag.Options{
			Format: o.format, Files: r.Files, Checked: r.Checked, Unread: r.Unread, FailOn: failOn,
			Root: r.Root, Docs: rulesAddress, Version: c.Version,
		}
		if o.file == "-" {
			drawn.Color = v.inColor(c)
			err = diag.Write(c.Stdout, r.Found, drawn)
		} else {
			err = writeFile(o.file, 0o666, func(w io.Writer) error { return diag.Write(w, r.Found, drawn) })
		}
		if err != nil {
			return err
		}
	}
	if said := tally(&r); said != "" && !v.quiet {
		fmt.Fprintln(c.Stderr, said)
	}
	switch {
	case r.Misconfigured, len(r.Unread) > 0:
		return status(report.ExitUsage)
	case r.Found.Reaches(failOn):
		return status(report.ExitRefused)
	}
	return nil
}

// keep writes a baseline.
func (v *validation) keep(c *Command, r *review.Result) error {
	b := review.NewBaseline(r)
	err := writeFile(v.writeBaseline, 0o666, func(w io.Writer) error {
		_, err := w.Write(b.JSON())
		return err
	})
	if err != nil {
		return err
	}
	if !v.quiet {
		said := r.Found.Tally()
		if said == "" {
			said = "no findings"
		}
		fmt.Fprintf(c.Stderr, "%s written to %s\n", said, diag.Printable(v.writeBaseline))
	}
	if len(r.Unread) > 0 {
		return status(report.ExitUsage)
	}
	return nil
}

// tally is "2 errors, 1 warning; 3 ignored by comments; 4 known, 1 of the baseline gone"; empty if there is nothing
// to say.
func tally(r *review.Result) string {
	var words []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			words = append(words, one)
		case n > 1:
			words = append(words, fmt.Sprintf(many, n))
		}
	}
	if found := r.Found.Tally(); found != "" {
		words = append(words, found)
	}
	add(r.Ignored, "1 ignored by a comment", "%d ignored by comments")
	add(r.Known, "1 known from the baseline", "%d known from the baseline")
	add(r.Gone, "1 of the baseline is gone", "%d of the baseline are gone")
	add(r.Skipped, "1 file left out by "+review.ConfigName, "%d files left out by "+review.ConfigName)
	return strings.Join(words, "; ")
}

// destination is a form and where it goes: a file, or - for standard output.
type destination struct{ format, file string }

// destinations are those of --output, and that of --format unless another goes to standard output.
func (v *validation) destinations(formatGiven bool) ([]destination, error) {
	out := []destination{{v.format, "-"}}
	seen := map[string]bool{}
	for _, o := range v.outputs {
		format, file, found := strings.Cut(o, "=")
		switch {
		case !found || file == "":
			return nil, fmt.Errorf("--output takes FORMAT=FILE, not %q", o)
		case !slices.Contains(v.formats, format):
			return nil, fmt.Errorf("--output takes %s, not %q", strings.Join(v.formats, ", "), format)
		case seen[file] || file == "-" && formatGiven:
			return nil, fmt.Errorf("two forms for %s", strings.Replace(file, "-", "standard output", 1))
		case file == "-":
			out[0] = destination{format, file}
		default:
			out = append(out, destination{format, file})
		}
		seen[file] = true
	}
	return out, nil
}

// writeFile writes a file whole or not at all, so that nothing reads half of one; a new one has the mode, less what
// the umask takes away. What is there and no regular file, such as a pipe, is written to as it is.
func writeFile(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, b.Bytes(), mode)
	}
	beside := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(beside)
		}
	}()
	_, err = f.Write(b.Bytes())
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(beside, path)
	}
	return err
}
