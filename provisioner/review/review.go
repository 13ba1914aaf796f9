// Package review checks configurations where they are written, without a machine.
//
// [Run] is the thing to call: it finds the files that its arguments name, reads one after the other, checks each, and
// leaves out of what is found what comments, .provisioner.yaml and a baseline say. [Check] does the same with a text
// at hand, as an editor has it, for which [FindConfig] says what holds. How findings are written is package diag's.
//
// It reads regular files that it is given or that lie below a folder it is given, .provisioner.yaml above them, and
// nothing else; inside a folder no link is followed.
package review

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"cloudconfig/datasources/assemble"
	"cloudconfig/provisioner/networkd"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/network"
	"cloudconfig/schema/source"
	"cloudconfig/schema/suppress"
	"cloudconfig/schema/template"
)

// Options say what Run checks.
type Options struct {
	// Args name what is checked: files, folders, patterns, and "-" for Stdin. None is the same as "-".
	Args  []string
	Stdin io.Reader
	// StdinName is what Stdin is called; empty is "<stdin>". A name that is a path is looked up in the
	// configuration like that of a file.
	StdinName string
	// Config is the file that says which rules hold; empty means the nearest .provisioner.yaml above each file.
	Config string
	// NoConfig means that there is none.
	NoConfig bool
	// Baseline holds the findings that are known; nil for none.
	Baseline *Baseline
	// Mend has every text mended before it is checked. Run writes none: see Result.Mended.
	Mend bool
	// Image is the facts profile that all are held against, by name or path; empty means the one that the
	// configuration of each file names, if it does.
	Image string
	// Meta is what is known of the instance; nil for nothing.
	Meta *schema.Metadata
	// Now is the time that dates are held against.
	Now time.Time
	// Network is the form that every text has that is checked, of those that schema.DecodeNetwork knows; "" means user-data,
	// but for files whose name says otherwise.
	Network string
}

// Read reads what the arguments name, as Run does, in their order. The error is a mistake in them, or the first file
// that cannot be read.
func Read(args []string, stdin io.Reader) ([]*source.File, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	inputs, err := find(root, Options{Args: args, Stdin: stdin})
	if err != nil {
		return nil, err
	}
	defer inputs.close()
	if len(inputs.unread) > 0 {
		return nil, fmt.Errorf("%s: %s", inputs.unread[0].Name, inputs.unread[0].Reason)
	}
	var files []*source.File
	for _, in := range inputs.all {
		text, err := in.read(maxDocument)
		if err != nil {
			u := unread(in.name, err)
			return nil, fmt.Errorf("%s: %s", u.Name, u.Reason)
		}
		files = append(files, &source.File{Name: in.name, Bytes: text})
	}
	return files, nil
}

// Result is what came of a run.
type Result struct {
	// Found is what was found and nothing asked to leave out, file after file in the order of the arguments.
	Found diag.List
	// Files are those that Found points into.
	Files []*source.File
	// Checked names every file that was checked, and Unread those that could not be.
	Checked []string
	Unread  []diag.Unread
	// Root is the absolute directory that names are relative to.
	Root string
	// Misconfigured says that the findings are about a .provisioner.yaml, and that nothing was checked.
	Misconfigured bool
	// Mended are the texts that were mended.
	Mended []Mended
	// Skipped counts files that the configuration leaves out; Ignored, findings that comments do; Known, findings
	// that the baseline has; and Gone, what the baseline has of files that were checked and is no longer found.
	Skipped, Ignored, Known, Gone int
}

// large is how many bytes a file has from which on it decides how much memory a run takes.
const large = 2 << 20

// Run checks what its options name. A file that cannot be read is in the result and does not keep the others from
// being checked; the error is a mistake in the options, or the end of the context.
func Run(ctx context.Context, o Options) (Result, error) {
	var r Result
	var err error
	if r.Root, err = os.Getwd(); err != nil {
		return r, err
	}
	inputs, err := find(r.Root, o)
	if err != nil {
		return r, err
	}
	defer inputs.close()
	r.Unread = inputs.unread
	configs := configs{root: r.Root, none: o.NoConfig}
	if o.Config != "" {
		if err := configs.load(o.Config); err != nil {
			return r, err
		}
	}
	config := make([]*Config, len(inputs.all))
	for i, in := range inputs.all {
		if config[i], err = configs.of(filepath.Dir(in.path)); err != nil {
			return r, err
		}
	}
	if configs.found.HasErrors() {
		r.Found, r.Files, r.Misconfigured = configs.found, configs.files, true
		return r, nil
	}
	// What a file is decoded into is garbage as soon as the next one's turn comes. To collect it every 4 MiB would
	// take a third of the time that many files take; but a large one must not leave five times itself behind.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	profiles := profiles{}
	for i, in := range inputs.all {
		if config[i].Skips(in.path) {
			r.Skipped++
			continue
		}
		text, err := in.read(maxDocument)
		if err != nil {
			r.Unread = append(r.Unread, unread(in.name, err))
			continue
		}
		if len(text) > large {
			debug.SetGCPercent(50)
		}
		image, err := profiles.of(o.Image, config[i])
		if err != nil {
			return r, err
		}
		options := CheckOptions{Now: o.Now, Config: config[i], Path: in.path, Image: image, Meta: o.Meta, Network: o.Network}
		if options.Network == "" {
			options.Network = schema.NetworkKindOf(filepath.Base(in.path))
		}
		if o.Mend && options.Network == "" {
			m, err := Mend(ctx, &source.File{Name: in.name, Bytes: text}, options)
			if err != nil {
				return r, err
			}
			if text = m.After; len(m.Cured) > 0 {
				r.Mended = append(r.Mended, m)
			}
		}
		c, err := Check(ctx, &source.File{Name: in.name, Bytes: text}, options)
		if err != nil {
			return r, err
		}
		r.Checked = append(r.Checked, in.name)
		r.Ignored += c.Ignored
		r.Found.Add(c.Found...)
		if len(c.Found) > 0 {
			r.Files = append(r.Files, c.Files...)
		}
	}
	if o.Baseline != nil {
		r.Found, r.Known, r.Gone = o.Baseline.filter(&r)
	}
	return r, nil
}

// CheckOptions are what a check depends on besides the text.
type CheckOptions struct {
	Now time.Time
	// Config says which rules hold for the file at Path, which is absolute, or empty for a text without a file.
	// The configuration may be nil.
	Config *Config
	Path   string
	// Image is what the text is held against; nil for nothing.
	Image *image.Image
	// Meta is what is known of the instance; nil for nothing.
	Meta *schema.Metadata
	// Network is the form of a description of the network; "" of user-data.
	Network string
}

// Checked is what came of the check of one file.
type Checked struct {
	// Files are the file itself and those that were unpacked from it.
	Files []*source.File
	// Found is what was found, in source order.
	Found diag.List
	// Ignored counts the findings that comments in the text take away.
	Ignored int

	config *schema.Config
	wrong  bool // it has errors, whatever was left out of Found
}

// Check checks one text. The error is the context's, should it end.
func Check(ctx context.Context, f *source.File, o CheckOptions) (Checked, error) {
	if o.Network != "" {
		n, found := schema.DecodeNetwork(f, o.Network)
		found = withUnwritten(found, n)
		c := Checked{Files: []*source.File{f}, config: &schema.Config{}, wrong: found.HasErrors()}
		c.Found, c.Ignored = suppress.Apply(c.Files, found)
		c.Found = o.Config.apply(o.Path, c.Found)
		return c, ctx.Err()
	}
	var facts map[string]any
	if o.Meta != nil {
		facts = template.Facts(*o.Meta, nil)
	}
	r, err := assemble.Parts(ctx, f, assemble.Options{Facts: facts})
	c := Checked{Files: r.Files}
	if err != nil {
		return c, err
	}
	decoded := schema.Input{Files: r.Parts, Now: o.Now, Raw: f.Bytes, Image: o.Image, Meta: o.Meta}
	if o.Meta != nil {
		decoded.Values = o.Meta.Values()
	}
	config, inside := schema.Decode(decoded)
	found := withUnwritten(append(r.Found, inside...).Sorted(), config.Network)
	c.config, c.wrong = config, found.HasErrors()
	c.Found, c.Ignored = suppress.Apply(c.Files, found)
	c.Found = o.Config.apply(o.Path, c.Found)
	return c, nil
}

// withUnwritten adds what of a network systemd-networkd has no words for, as a plan finds it: once all else is right.
func withUnwritten(found diag.List, n *network.Network) diag.List {
	if n == nil || found.HasErrors() {
		return found
	}
	_, more := networkd.Render(n)
	return append(found, more...).Sorted()
}

// unread is an error of the file system without the name, which is told beside it.
func unread(name string, err error) diag.Unread {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return diag.Unread{Name: name, Reason: err.Error()}
}
