package cli

import (
	"github.com/spf13/cobra"

	"cloudconfig/schema/language"
)

func (c *Command) schema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the language",
		Long:    "Print the JSON Schema (draft 2020-12) of the language, for editors and other tools. It holds a document to the keys and to what they take; validate finds more.",
		Example: "  provisioner schema > cloud-config.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := c.Stdout.Write(language.JSONSchema())
			return err
		},
	}
}
