package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"cloudconfig/provisioner/cloudinit"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
)

// cloudInitName is a program for which scripts of images wait. Called so, this one answers how the run went, and does
// nothing else of what that one does.
const cloudInitName = "cloud-init"

// cloudInit runs the program as cloud-init: "status" with its flags, and "--version".
func (c *Command) cloudInit(ctx context.Context, args []string) int {
	var version, wait, long bool
	var format string
	fs := pflag.NewFlagSet(cloudInitName, pflag.ContinueOnError)
	fs.SetOutput(c.Stderr)
	fs.Usage = func() {}
	fs.BoolVarP(&version, "version", "v", false, "")
	fs.BoolVarP(&wait, "wait", "w", false, "")
	fs.BoolVarP(&long, "long", "l", false, "")
	fs.StringVar(&format, "format", "tabular", "")
	err := fs.Parse(args)
	switch {
	case err == nil && version && fs.NArg() == 0:
		fmt.Fprintf(c.Stdout, "%s (provisioner %s)\n", cloudInitName, c.Version)
		return cloudinit.ExitDone
	case err != nil, fs.NArg() != 1, fs.Arg(0) != "status", format != "tabular" && format != "json":
		fmt.Fprintf(c.Stderr, "%s: this is provisioner, which knows only \"status [--wait] [--long] [--format json|tabular]\" by this name\n", cloudInitName)
		return report.ExitUsage
	}
	look := report.Look
	if wait {
		look = report.Wait
	}
	root, err := fsroot.Open("/")
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: %v\n", cloudInitName, err)
		return cloudinit.ExitError
	}
	defer root.Close()
	absent := false
	s, err := look(ctx, root, func(ctx context.Context) (bool, error) {
		coming, err := handoff.Coming(ctx)
		absent = err == nil && !coming
		return coming, err
	})
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: %v\n", cloudInitName, err)
		return cloudinit.ExitError
	}
	answer := cloudinit.Of(s, absent)
	if format == "json" {
		err = answer.WriteJSON(c.Stdout)
	} else {
		err = answer.WriteText(c.Stdout, long)
	}
	if err != nil {
		return cloudinit.ExitError
	}
	return answer.ExitStatus
}
