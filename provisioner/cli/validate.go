package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/datasources/assemble"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// maxDocument is how much of a file is read, in bytes.
const maxDocument = 32 << 20

func (c *Command) validate() *cobra.Command {
	var out output
	var strict bool
	var image string
	cmd := &cobra.Command{
		Use:   "validate [FILE|DIR|-]...",
		Short: "Check configurations without a machine, a network or root",
		Long: `Check configurations without a machine, a network or root. Of a directory, files named *.yaml,
*.yml and *.cfg are checked, and those whose first line names a kind of user-data. Without an
argument, or with -, standard input is checked.

Exit status: 0 no errors, 1 errors, 2 usage, or a file that cannot be opened.`,
		Example: `  provisioner validate web.yaml
  provisioner validate --strict configs/
  provisioner validate --format json - < user-data`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			im, err := imageOf(image)
			if err != nil {
				return err
			}
			files, err := c.read(args)
			if err != nil {
				return err
			}
			var all diag.List
			for i := range files {
				parts, found, err := decode(cmd.Context(), files[i], im)
				if err != nil {
					return err
				}
				files = append(files, parts...)
				all = append(all, found...)
			}
			all = all.Sorted()
			if strict {
				all = all.Strict()
			}
			if err := diag.Write(c.Stdout, all, diag.Options{Format: out.format, Color: out.inColor(c), Files: files}); err != nil {
				return err
			}
			if out.format == "text" && len(all) > 0 {
				fmt.Fprintf(c.Stderr, "%s\n", tally(all))
			}
			if all.HasErrors() {
				return status(report.ExitRefused)
			}
			return nil
		},
	}
	out.flags(cmd, "text", "json")
	imageFlag(cmd, &image)
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	return cmd
}

// decode checks one file. Files that came out of it, such as what it was compressed from, are for excerpts.
func decode(ctx context.Context, f *source.File, im *schema.Image) ([]*source.File, diag.List, error) {
	parts, found, err := assemble.Parts(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	_, ds := schema.Decode(schema.Input{Files: parts, Now: time.Now(), Image: im})
	return slices.DeleteFunc(slices.Clone(parts), func(p *source.File) bool { return p == f }), append(found, ds...), nil
}

// tally is "2 errors, 1 warning".
func tally(l diag.List) string {
	var words []string
	for _, s := range []diag.Severity{diag.Error, diag.Warning, diag.Info} {
		switch n := l.Count(s); {
		case n == 1:
			words = append(words, fmt.Sprintf("1 %s", s))
		case n > 1 && s == diag.Info:
			words = append(words, fmt.Sprintf("%d infos", n))
		case n > 1:
			words = append(words, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(words, ", ")
}

// read reads what the arguments name.
func (c *Command) read(args []string) ([]*source.File, error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var files []*source.File
	for _, arg := range args {
		if arg == "-" {
			data, err := readAll(c.Stdin)
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			files = append(files, &source.File{Name: "<stdin>", Bytes: data})
			continue
		}
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			f, err := readFile(arg)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
			continue
		}
		found, err := readDir(arg)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no configuration in this directory", arg)
		}
		files = append(files, found...)
	}
	return files, nil
}

var (
	configName   = regexp.MustCompile(`\.(yaml|yml|cfg)$`)
	configHeader = regexp.MustCompile(`^(\xef\xbb\xbf)?(#cloud-config\s|#!|Content-Type: multipart/|MIME-Version:)`)
)

// readDir reads the configurations below a directory: regular files only, so that no link leads out of it.
func readDir(dir string) ([]*source.File, error) {
	var files []*source.File
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != dir {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		if !configName.MatchString(entry.Name()) && !hasHeader(path) {
			return nil
		}
		f, err := readFile(path)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	return files, err
}

func hasHeader(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, 64)
	n, _ := io.ReadFull(f, start)
	return configHeader.Match(start[:n])
}

func readFile(path string) (*source.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &source.File{Name: path, Bytes: data}, nil
}

func readAll(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, maxDocument+1))
	if err == nil && n > maxDocument {
		err = errors.New("larger than the 32 MiB that a document may have")
	}
	return b.Bytes(), err
}
