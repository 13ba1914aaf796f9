package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/settings"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

func (c *Command) network() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Try a network without being locked out by it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.networkTry())
	return cmd
}

func (c *Command) networkTry() *cobra.Command {
	var kind string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "try FILE",
		Short: "Apply the network that FILE describes, and keep it only if the machine is reachable with it",
		Long: `Apply the network that FILE describes to this machine, check it, and keep it only if the machine is
reachable with it: every card has its carrier and its addresses, and every gateway answers. If not, what was
there before is put back. FILE is a cloud-config with network: in it, or a description by itself: a
network-config of version 1 or 2, or what --kind says. Nothing else of it is applied.

On a terminal it asks, once everything is well, and keeps the network only if Enter is pressed in time.

Exit status: 0 kept; 1 the description is refused; 2 usage; 3 failed before any change; 4 put back.`,
		Example: `  provisioner network try network-config
  provisioner network try web.yaml --timeout 120s
  provisioner network try --kind interfaces /root/interfaces.new`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := firstboot.Try{Kind: schema.NetworkKind(kind), Timeout: timeout}
			if kind != "" && t.Kind == "" {
				return fmt.Errorf("--kind takes %s, not %q", strings.Join(schema.NetworkKinds(), ", "), kind)
			}
			if timeout != 0 && (timeout < settings.ShortestNetworkTimeout || timeout > settings.LongestNetworkTimeout) {
				return fmt.Errorf("--timeout takes %s to %s", settings.ShortestNetworkTimeout, settings.LongestNetworkTimeout)
			}
			if os.Geteuid() != 0 {
				return c.fail(errors.New("a network is tried on the running system, which needs root"))
			}
			var err error
			if t.File, err = readDescription(args[0]); err != nil {
				return c.fail(err)
			}
			if kind == "" {
				t.Kind = kindOf(t.File)
			}
			env, err := (&target{root: "/"}).open(c)
			if err != nil {
				return err
			}
			defer env.Root.Close()
			if in, ok := c.Stdin.(*os.File); ok && isTerminal(in) {
				t.Wanted = func(ctx context.Context) bool {
					forget(in) // Enter that was pressed before the question is no answer
					return c.isWanted(ctx, timeout)
				}
			}
			return status(firstboot.TryNetwork(cmd.Context(), env, t).ExitStatus)
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "take FILE for a `KIND` of description of the network: "+strings.Join(schema.NetworkKinds(), ", "))
	complete(cmd, "kind", schema.NetworkKinds())
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long the check may take, such as 120s; and how long Enter is waited for (default: what fits the machine)")
	return cmd
}

// maxDescription is how much of a file is read, in bytes.
const maxDescription = 32 << 20

func readDescription(name string) (*source.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDescription+1))
	if err == nil && len(text) > maxDescription {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxDescription)
	}
	return &source.File{Name: name, Bytes: text}, err
}

// kindOf is what a file is: by its name, by its first line, or else a network-config.
func kindOf(f *source.File) string {
	if kind := schema.NetworkKindOf(filepath.Base(f.Name)); kind != "" {
		return kind
	}
	if bytes.HasPrefix(f.Bytes, []byte("#cloud-config")) {
		return ""
	}
	return schema.NetworkKind("network-config")
}

// enterTime is how long Enter is waited for if nothing is said.
const enterTime = 60 * time.Second

// isWanted asks whoever is at the terminal. No answer is a no: he may be locked out.
func (c *Command) isWanted(ctx context.Context, timeout time.Duration) bool {
	if timeout == 0 {
		timeout = enterTime
	}
	fmt.Fprintf(c.Stderr, "The network works. Press Enter within %s to keep it.\n", timeout)
	pressed := make(chan bool, 1)
	go func() {
		_, err := bufio.NewReader(c.Stdin).ReadString('\n')
		pressed <- err == nil
	}()
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case yes := <-pressed:
		return yes
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}
