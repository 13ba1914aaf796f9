package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/image"
)

func (c *Command) facts() *cobra.Command {
	var dir, to string
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Make a facts profile of an image: what it has, in names alone",
		Long: `Make a facts profile of an image: its accounts, units, programs and files in /etc, in names alone,
without a hash or key. validate and diff take it with --image, so that they know what the image has.
It reads only, and runs nothing of the image.`,
		Example: `  provisioner facts --root /mnt/image -o web-image.json
  provisioner validate --image web-image.json web.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := profile(dir)
			if err != nil {
				return c.fail(err)
			}
			if to == "" {
				_, err = c.Stdout.Write(text)
			} else {
				err = os.WriteFile(to, text, 0o644)
			}
			if err != nil {
				return c.fail(err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "root", "/", "look at the system below `DIR`")
	cmd.Flags().StringVarP(&to, "output", "o", "", "write to `FILE` instead of standard output")
	return cmd
}

// profile is the JSON of the system below a directory.
func profile(dir string) ([]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := fsroot.Open(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	im, err := facts.Image(root)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(im, "", " ")
	return append(text, '\n'), err
}

func imageFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "image", "", "hold it against the facts profile `NAME|FILE` of an image: "+strings.Join(image.Names(), " or ")+", or what provisioner facts made")
	complete(cmd, "image", image.Names())
}
