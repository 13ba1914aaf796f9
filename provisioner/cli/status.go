package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/report"
)

func (c *Command) status() *cobra.Command {
	var root string
	var out output
	var wait, explain bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what the last run did, in words or JSON",
		Long: `Say what the last run did. While a boot is still to provision the machine it is running; --wait
waits for its end, or for --timeout. --explain shows the way from the datasource to what was
changed and started, and first of all where it went wrong; root sees all of it.

Exit status: 0 done, or nothing ran; 1 refused; 3 failed; 4 degraded; 5 running.`,
		Example: `  provisioner status --wait
  provisioner status --wait --timeout 10m --format json
  provisioner status --explain`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if timeout != 0 && !wait {
				return errors.New("--timeout is for --wait")
			}
			dir, err := fsroot.Open(root)
			if err != nil {
				return c.fail(err)
			}
			defer dir.Close()
			var coming func(context.Context) (bool, error)
			if isRunning(root) {
				coming = handoff.Coming
			}
			look, ctx := report.Look, cmd.Context()
			if wait {
				look = report.Wait
			}
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			s, err := look(ctx, dir, coming)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return c.fail(err)
			}
			if err := c.writeStatus(s, dir, explain, out.format == "json"); err != nil {
				return c.fail(err)
			}
			return status(s.ExitStatus)
		},
	}
	cmd.Flags().StringVar(&root, "root", "/", "the system below `DIR`")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the run has ended, or until the one of this boot has")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "wait for `DURATION` at most, such as 10m; the exit status is 5 then")
	cmd.Flags().BoolVar(&explain, "explain", false, "show each step from the datasource to what was started, the first that failed before all")
	out.flags(cmd, "text", "json")
	return cmd
}

func (c *Command) writeStatus(s report.Status, root *fsroot.Root, explain, json bool) error {
	switch {
	case explain:
		return report.WriteExplanation(c.Stdout, report.Explain(s, root), json)
	case json:
		return report.WriteJSON(c.Stdout, s)
	}
	return report.WriteText(c.Stdout, s)
}
