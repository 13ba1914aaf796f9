package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cloudconfig/datasources/assemble"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/review"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/template"
	"cloudconfig/schema/yamltree"
)

func (c *Command) render() *cobra.Command {
	t := target{root: "/"}
	var out output
	cmd := &cobra.Command{
		Use:   "render [FILE|-]...",
		Short: "Print the merged configuration, with the origin of every value",
		Long: `Print the configuration that all parts make together, with the place where each value was written.
Several files are parts in their order, and so are those of a MIME message. Without an argument, or
with -, standard input is read. Secrets are shown as (secret).

With --metadata, variables that have a value are replaced by it, and the comment behind it says so.

With --datasource it is what plan would see: by the settings of this machine, with vendor data and with
what is included, on Linux only. Nothing is changed, and no boothook is run.

Exit status: 0 printed; 1 the configuration is refused; 2 usage, or a file that cannot be opened;
3 a datasource failed.`,
		Example: `  provisioner render base.yaml web.yaml
  provisioner render --metadata instance.json user-data.mime
  provisioner render --datasource ec2 --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if len(t.datasources) > 0 && len(args) > 0 {
				return errors.New("render takes files or --datasource, not both")
			}
			var r firstboot.Rendered
			var err error
			if len(t.datasources) > 0 {
				r, err = t.renderFetched(cmd.Context(), c)
			} else {
				r, err = t.renderFiles(cmd.Context(), c, args)
			}
			if err != nil {
				return err
			}
			if err := diag.Write(c.Stderr, r.Found, diag.Options{Format: "text", Files: r.Files}); err != nil {
				return err
			}
			if r.Found.HasErrors() {
				return status(report.ExitRefused)
			}
			write := writeRendered
			if out.format == "json" {
				write = writeRenderedJSON
			}
			if err := write(c.Stdout, r.Rendered, out.inColor(c)); err != nil {
				return c.fail(err)
			}
			return nil
		},
	}
	t.sourceFlags(cmd, "(default: the files, or standard input)")
	out.flags(cmd, "text", "json")
	return cmd
}

// renderFetched merges what the datasources have, as plan does.
func (t *target) renderFetched(ctx context.Context, c *Command) (firstboot.Rendered, error) {
	env, err := t.open(c)
	if err != nil {
		return firstboot.Rendered{}, err
	}
	defer env.Root.Close()
	r, err := firstboot.Render(ctx, env)
	if err != nil {
		return r, c.fail(err)
	}
	return r, nil
}

// renderFiles merges what the arguments name. Nothing is fetched.
func (t *target) renderFiles(ctx context.Context, c *Command, args []string) (firstboot.Rendered, error) {
	var out firstboot.Rendered
	files, err := review.Read(args, c.Stdin)
	if err != nil {
		return out, err
	}
	var values schema.Values
	var o assemble.Options
	if t.metadata != "" {
		meta, err := readMetadata(t.metadata)
		if err != nil {
			return out, err
		}
		values, o.Facts = meta.Values(), template.Facts(meta, nil)
	}
	in := schema.Input{Now: facts.Clock(c.now())}
	for _, f := range files {
		made, err := assemble.Parts(ctx, f, o)
		if err != nil {
			return out, err
		}
		in.Files = append(in.Files, made.Parts...)
		out.Files, out.Found = append(out.Files, made.Files...), append(out.Found, made.Found...)
	}
	var found diag.List
	out.Rendered, found = schema.Render(in, values)
	out.Found = append(out.Found, found...).Sorted()
	return out, nil
}

// writeRendered writes a configuration as YAML, with the origin of every value behind it.
func writeRendered(w io.Writer, r schema.Rendered, color bool) error {
	note := func(at source.Range, more string) string {
		text := "# " + diag.Printable(at.String()+more)
		if color {
			text = "\x1b[2m" + text + "\x1b[0m"
		}
		return text
	}
	if r.Root != nil {
		if _, err := fmt.Fprintln(w, "#cloud-config"); err != nil {
			return err
		}
		err := yamltree.Print(w, r.Root, func(n *yamltree.Node) string {
			var more strings.Builder
			for _, v := range r.Variables[n] {
				if v.Value == "" {
					fmt.Fprintf(&more, ", $%s has no value", v.Name)
				} else {
					fmt.Fprintf(&more, ", $%s is %s", v.Name, v.Value)
				}
			}
			return note(n.Range, more.String())
		})
		if err != nil {
			return err
		}
	}
	for _, s := range r.Scripts {
		if _, err := fmt.Fprintln(w, note(s.At, ", a script")); err != nil {
			return err
		}
	}
	return nil
}

type jsonRendered struct {
	Version int          `json:"version"`
	Values  []jsonValue  `json:"values"`
	Scripts []jsonOrigin `json:"scripts"`
}

type jsonOrigin struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type jsonValue struct {
	Path  string `json:"path"`
	Value any    `json:"value"`
	jsonOrigin
	Variables []jsonVariable `json:"variables,omitempty"`
}

type jsonVariable struct {
	Name  string  `json:"name"`
	Value *string `json:"value"` // null if it has none
}

func originOf(r source.Range) jsonOrigin {
	return jsonOrigin{File: diag.Printable(r.File), Line: r.Start.Line, Column: r.Start.Column}
}

// writeRenderedJSON writes a list of all values with their paths and origins.
func writeRenderedJSON(w io.Writer, r schema.Rendered, _ bool) error {
	out := jsonRendered{Version: 1, Values: []jsonValue{}, Scripts: []jsonOrigin{}}
	var walk func(n *yamltree.Node, path string)
	walk = func(n *yamltree.Node, path string) {
		for i, item := range n.Items {
			walk(item, fmt.Sprintf("%s[%d]", path, i))
		}
		for _, p := range n.Pairs {
			walk(p.Value, below(path, p.Key.Value))
		}
		if len(n.Items)+len(n.Pairs) > 0 {
			return
		}
		v := jsonValue{Path: path, Value: valueOf(n), jsonOrigin: originOf(n.Range)}
		for _, used := range r.Variables[n] {
			j := jsonVariable{Name: used.Name}
			if used.Value != "" {
				j.Value = &used.Value
			}
			v.Variables = append(v.Variables, j)
		}
		out.Values = append(out.Values, v)
	}
	if r.Root != nil {
		walk(r.Root, "")
	}
	for _, s := range r.Scripts {
		out.Scripts = append(out.Scripts, originOf(s.At))
	}
	return diag.WriteJSON(w, out)
}

var (
	plainKey   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
)

// below is the path of a key: a.b, or a["b c"] where the key is no word.
func below(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// valueOf is a value without entries as JSON has it. A number in a form that JSON does not have stays a text.
func valueOf(n *yamltree.Node) any {
	switch {
	case n.Kind == yamltree.Null:
		return nil
	case n.Kind == yamltree.Sequence:
		return []any{}
	case n.Kind == yamltree.Mapping:
		return struct{}{}
	case n.Tag == "!!bool":
		return strings.EqualFold(n.Value, "true")
	case (n.Tag == "!!int" || n.Tag == "!!float") && jsonNumber.MatchString(n.Value):
		return json.RawMessage(n.Value)
	}
	return n.Value
}
