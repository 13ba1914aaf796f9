package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"cloudconfig/provisioner/cli"
	"cloudconfig/schema/language"
)

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// manPages makes a page of section 8 of every command, and those of section 5.
func manPages(dir, version string, date time.Time) error {
	header := doc.GenManHeader{Section: "8", Date: &date, Source: "provisioner " + version, Manual: "Provisioner"}
	errs := []error{settingsPage(dir, header), languagePage(dir, header)}
	var each func(*cobra.Command)
	each = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				each(sub)
			}
		}
		text, err := commandPage(cmd, header)
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".8"
		errs = append(errs, err, write(filepath.Join(dir, "man8", name), text))
	}
	root := (&cli.Command{Version: version}).Tree()
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	each(root)
	return errors.Join(errs...)
}

// commandPage is the page of one command. The exit statuses, which its help ends with, have a section of their own, as
// man-pages(7) wants it.
func commandPage(cmd *cobra.Command, header doc.GenManHeader) ([]byte, error) {
	const statuses = "\n\nExit status: "
	long, status, told := strings.Cut(cmd.Long, statuses)
	if !told {
		status = "0 done; 2 the command line is wrong; 3 something else went wrong."
	}
	cmd.Long, cmd.DisableAutoGenTag = long, true
	header.Title = strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return nil, err
	}
	more := ".SH EXIT STATUS\n" + roff(strings.ReplaceAll(status, "\n", " ")) + "\n\n" + `.SH FILES
.TP
\fI/etc/provisioner/provisioner.yaml\fP
Settings of the image; see \fBprovisioner.yaml(5)\fP.
.TP
\fI/var/lib/provisioner\fP
What is remembered of this machine; for root alone.
.TP
\fI/run/provisioner/status.json\fP, \fIinstance.json\fP
How the last run went, and what the platform says of the machine.

`
	// man-pages(7) wants dates so.
	made := strings.Replace(page.String(), header.Date.Format("Jan 2006"), header.Date.Format(time.DateOnly), 1)
	top, see, _ := strings.Cut(made, ".SH SEE ALSO\n")
	if see = strings.TrimSpace(see); see != "" {
		see = strings.TrimSuffix(see, "\n") + ",\n"
	}
	return []byte(top + more + ".SH SEE ALSO\n" + see + "\\fBprovisioner.yaml(5)\\fP, \\fBprovisioner-cloud-config(5)\\fP\n"), nil
}

// roff is text that troff takes as it is.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// settingsPage is provisioner.yaml(5): docs/settings.md.
func settingsPage(dir string, header doc.GenManHeader) error {
	text, err := os.ReadFile("docs/settings.md")
	if err != nil {
		return err
	}
	_, body, found := strings.Cut(string(text), "\n")
	if !found {
		return errors.New("docs/settings.md is empty")
	}
	return page5(dir, "provisioner.yaml", "settings of an image for provisioner", "# DESCRIPTION\n"+body, header)
}

// languagePage is provisioner-cloud-config(5): every key.
func languagePage(dir string, header doc.GenManHeader) error {
	var b strings.Builder
	b.WriteString("# DESCRIPTION\nThe first line of a document is `#cloud-config`. Hyphen and underscore are the same letter in keys.\n\n# KEYS\n\n")
	for _, k := range language.Keys() {
		fmt.Fprintf(&b, "**%s** (%s)\n: %s", strings.ReplaceAll(k.Path, "_", `\_`), k.Type, strings.NewReplacer("\n", " ", "_", `\_`, "*", `\*`, "<", `\<`).Replace(k.Doc))
		if len(k.Values) > 0 {
			b.WriteString(": one of " + strings.ReplaceAll(strings.Join(k.Values, ", "), "_", `\_`))
		}
		if k.Later != "" {
			b.WriteString("; not acted on yet")
		}
		b.WriteString(".\n\n")
	}
	return page5(dir, "provisioner-cloud-config", "the configuration of a machine for provisioner", b.String(), header)
}

func page5(dir, name, what, body string, header doc.GenManHeader) error {
	title := fmt.Sprintf("%% %q \"5\" %q %q %q\n# NAME\n%s - %s\n\n", strings.ToUpper(name), header.Date.Format(time.DateOnly), header.Source, header.Manual, name, what)
	text := md2man.Render([]byte(title + body + "\n# SEE ALSO\n**provisioner(8)**, **provisioner-validate(8)**\n"))
	return write(filepath.Join(dir, "man5", name+".5"), text)
}

// completions makes those of bash, zsh and fish, where each looks for them.
func completions(dir string) error {
	root := (&cli.Command{}).Tree()
	var bash, zsh, fish bytes.Buffer
	return errors.Join(
		root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true),
		write(filepath.Join(dir, "bash-completion/completions/provisioner"), bash.Bytes()),
		write(filepath.Join(dir, "zsh/site-functions/_provisioner"), zsh.Bytes()),
		write(filepath.Join(dir, "fish/vendor_completions.d/provisioner.fish"), fish.Bytes()),
	)
}

// licences collects those of all modules in the program, beside the project's own.
func licences(dir, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	own, err := os.ReadFile("integration/packages/copyright")
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find Go: %w", err)
	}
	all := bytes.NewBufferString("==== the Go standard library, " + info.GoVersion + " ====\n\n")
	if err := appendLicences(all, strings.TrimSpace(string(root))); err != nil {
		return fmt.Errorf("the Go standard library: %w", err)
	}
	for _, m := range info.Deps {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.Path).Output()
		if err != nil {
			return fmt.Errorf("find module %s: %w", m.Path, err)
		}
		fmt.Fprintf(all, "==== %s %s ====\n\n", m.Path, m.Version)
		if err := appendLicences(all, strings.TrimSpace(string(out))); err != nil {
			return fmt.Errorf("module %s: %w", m.Path, err)
		}
	}
	return errors.Join(write(filepath.Join(dir, "copyright"), own), write(filepath.Join(dir, "third-party-licenses.txt"), all.Bytes()))
}

func appendLicences(all *bytes.Buffer, dir string) error {
	names, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil {
		return err
	}
	found := false
	for _, name := range names {
		upper := strings.ToUpper(name)
		if !strings.HasPrefix(upper, "LICEN") && !strings.HasPrefix(upper, "COPYING") && !strings.HasPrefix(upper, "NOTICE") || strings.HasSuffix(name, ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		found = true
		all.Write(append(bytes.TrimSpace(text), "\n\n"...))
	}
	if !found {
		return errors.New("it has no licence")
	}
	return nil
}
