// Package cli is the command line: it reads flags, calls firstboot and prints what comes of it.
//
// [Command.Main] is the thing to call. What a command is for goes to standard output, progress and the rest to
// standard error; the exit statuses are those of package report.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
)

// Command is the program with its three streams.
type Command struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Version is what "provisioner version" prints.
	Version string
	// Now is the machine's clock; nil for the real one.
	Now func() time.Time
}

// generatorName is what systemd calls the program as when it is to put units back early in a boot.
const generatorName = "provisioner-generator"

// Main runs the program with its arguments, args[0] being its name, and returns the exit status.
func (c *Command) Main(args []string) int {
	// A dropped session or a reader that has gone away must not end a commit half-way.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch name := filepath.Base(args[0]); {
	case name == generatorName:
		return c.generate(args[1:])
	case name == coreosName && (len(args) < 2 || args[1] != "boot"): // it took no arguments, and its hand-off does
		return c.coreos(ctx, args[1:])
	case name == cloudInitName:
		return c.cloudInit(ctx, args[1:])
	}
	root := c.root()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return report.ExitDone
	case errors.As(err, &status):
		return int(status)
	}
	text := err.Error()
	if !strings.HasPrefix(text, "unknown command") { // which quotes what it was given, and has lines of its own
		text = diag.Printable(text) // it may name files, which others may have named
	}
	fmt.Fprintf(c.Stderr, "provisioner: %s\n", text)
	return report.ExitUsage
}

func (c *Command) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// exitStatus is an error that has been told already: only the status is left to give.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// status is nil for 0, so that a command can end with it.
func status(s int) error {
	if s == 0 {
		return nil
	}
	return exitStatus(s)
}

func (c *Command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "provisioner",
		Short: "Turn a cloud-config into a configured machine",
		Long: `Turn a cloud-config into a configured machine: fetch it, check it, decide every change
before making one, make them all or none, and hand off to systemd.`,
		Example: `  provisioner validate web.yaml
  provisioner plan --datasource file=web.yaml --root /mnt/image
  provisioner apply --datasource ec2
  provisioner status --wait`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	root.AddCommand(c.apply(), c.plan(), c.detect(), c.validate(), c.render(), c.diff(), c.lsp(), c.status(), c.logs(), c.facts(), c.network(), c.seal(),
		c.explain(), c.schema(), c.boot(), c.version())
	version := root.Flags().Bool("version", false, "print the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return c.printVersion()
		}
		return cmd.Help()
	}
	root.CompletionOptions.DisableDescriptions = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	return root
}

// Tree is the tree of all commands, for whoever makes manual pages and completions of it.
func (c *Command) Tree() *cobra.Command { return c.root() }

func (c *Command) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.printVersion() },
	}
}

func (c *Command) printVersion() error {
	_, err := fmt.Fprintf(c.Stdout, "provisioner %s\n", c.Version)
	return err
}
