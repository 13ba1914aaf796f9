package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/support"
)

func (c *Command) logs() *cobra.Command {
	var root, output string
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Write a bundle for somebody who helps",
		Long: `Write a tar file with what somebody who helps has to know: the report of the last run, the state of our
units, what they said in the journal, the settings of the image, and the network. It is made of what is
known to be harmless: nothing of user-data, of scripts, of what they print, or of keys and passwords
is in it, and URLs are without what may be secret. Root sees more than others.

Exit status: 0 written; 2 usage; 3 it could not be written.`,
		Example: `  provisioner logs
  provisioner logs --output - | ssh helper.example.com 'cat > logs.tar'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(root)
			if err != nil {
				return c.fail(err)
			}
			fs, err := fsroot.Open(dir)
			if err != nil {
				return c.fail(err)
			}
			defer fs.Close()
			in := support.Input{Root: fs, Version: c.Version, Now: c.now()}
			if isRunning(dir) {
				in.Run, in.Interfaces = support.Run, links.Read
				in.Program, _ = os.Executable() // without it there is nothing of what it said under another name
			}
			if err := c.writeTo(output, func(w io.Writer) error { return support.Write(cmd.Context(), w, in) }); err != nil {
				return c.fail(err)
			}
			return status(report.ExitDone)
		},
	}
	cmd.Flags().StringVar(&root, "root", "/", "the system below `DIR`, without journal and units")
	cmd.Flags().StringVar(&output, "output", "provisioner-logs.tar", "write `FILE`, which must not be there yet; - is standard output")
	return cmd
}

// writeTo writes a new file, which nobody else may read, or standard output for "-".
func (c *Command) writeTo(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(c.Stdout)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	_, err = fmt.Fprintf(c.Stderr, "provisioner: %s is written\n", name)
	return err
}
