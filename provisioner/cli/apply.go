package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/detect"
	"cloudconfig/datasources/disk"
	"cloudconfig/datasources/machine"
	"cloudconfig/provisioner/confirm"
	"cloudconfig/provisioner/draw"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/handoff"
	"cloudconfig/provisioner/links"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
)

// target is the flags of every command that looks at a machine.
type target struct {
	root        string
	datasources []string
	metadata    string
}

func (t *target) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.root, "root", "/", "work on the system below `DIR`; nothing is handed off there")
	t.sourceFlags(cmd, "(default: what is detected; see provisioner detect)")
}

// sourceFlags are those that say where a configuration comes from; without is what holds without any.
func (t *target) sourceFlags(cmd *cobra.Command, without string) {
	cmd.Flags().StringArrayVar(&t.datasources, "datasource", nil, "ask `NAME[=ARG]`, such as file=PATH or ec2; may be given again, in order of priority "+without)
	var names []string
	for _, e := range catalog.Entries() {
		name := e.Name
		if strings.HasPrefix(e.ArgHelp, "=") {
			name += "="
		}
		names = append(names, name+"\t"+e.Help)
	}
	complete(cmd, "datasource", names)
	cmd.Flags().StringVar(&t.metadata, "metadata", "", "take the instance's metadata from `FILE`, of the form of instance.json, instead of the datasource's")
}

// open is the environment of a run. The caller closes the root. A datasource that does not exist is a mistake in
// usage; any other error has been told.
func (t *target) open(c *Command) (firstboot.Env, error) {
	if err := catalog.Check(t.datasources); err != nil {
		return firstboot.Env{}, err
	}
	env, err := t.environment(c)
	if err != nil {
		return env, c.fail(err)
	}
	return env, nil
}

func (t *target) environment(c *Command) (firstboot.Env, error) {
	env := firstboot.Env{
		Datasources: t.datasources,
		Console:     report.Console{W: c.Stderr, Journal: os.Getenv("JOURNAL_STREAM") != ""},
		Log:         slog.New(report.Journal(os.Getenv("JOURNAL_STREAM"))),
		Now:         c.now,
		Version:     c.Version,
		Watcher:     os.Getenv(firstboot.WatcherVariable),
		Within:      os.Getenv(handoff.WithinVariable) != "",
		PID:         os.Getpid(),
		Manager:     func(ctx context.Context) (handoff.Manager, error) { return handoff.Connect(ctx) },
	}
	env.Sources = datasources.Env{Root: "/", Waiting: func(line string) { env.Console.Say("fetch", "%s", line) }}
	if t.metadata != "" {
		meta, err := readMetadata(t.metadata)
		if err != nil {
			return env, err
		}
		env.Metadata = &meta
	}
	abs, err := filepath.Abs(t.root)
	if err != nil {
		return env, err
	}
	env.Interfaces = links.Read
	if env.Live = isRunning(abs); env.Live && os.Geteuid() == 0 {
		env.SetClock, env.LookUp, env.Online = firstboot.SetClock, firstboot.LookUp, facts.Online
	}
	if env.Live && os.Geteuid() == 0 {
		say := func(line string) { env.Console.Say("network", "%s", line) }
		env.Network = &confirm.System{Kernel: confirm.Machine{}, Prober: confirm.Machine{}, Networkd: &handoff.Networkd{Connect: env.Manager, Say: say}}
	}
	env.Sources.Root = abs
	env.Disks = func(ctx context.Context) ([]detect.Disk, error) { return labelledDisks(ctx, abs) }
	env.Root, err = fsroot.Open(abs)
	return env, err
}

// settling is how long udev may take until every disk is there.
const settling = 10 * time.Second

// labelledDisks are the disks that have a label, once the kernel has no more to announce. One that does not answer
// is no reason to do without the others.
func labelledDisks(ctx context.Context, root string) ([]detect.Disk, error) {
	wait, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for !disk.Settled(root) && wait.Err() == nil {
		select {
		case <-wait.Done():
		case <-time.After(settling / 100):
		}
	}
	found, err := disk.Find(ctx, root)
	if errors.Is(err, datasources.ErrNotReady) {
		err = nil
	}
	var all []detect.Disk
	for _, d := range found {
		all = append(all, detect.Disk{Name: d.Name, Label: d.Label, Removable: d.Removable})
	}
	return all, err
}

// isRunning says that a directory is the root of the running system, by whatever name.
func isRunning(dir string) bool {
	top, err1 := os.Stat("/")
	info, err2 := os.Stat(dir)
	return err1 == nil && err2 == nil && os.SameFile(top, info)
}

// maxMetadata is how much of a file of metadata is read, in bytes.
const maxMetadata = 1 << 20

func readMetadata(path string) (schema.Metadata, error) {
	var meta schema.Metadata
	f, err := os.Open(path)
	if err != nil {
		return meta, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMetadata))
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		// The JSON decoder's words may quote the text.
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return meta, fmt.Errorf("%s: not JSON at byte %d", path, syntax.Offset)
		}
		return meta, fmt.Errorf("%s: not metadata in the form of instance.json", path)
	}
	if meta.Version != 0 && meta.Version != 1 {
		return meta, fmt.Errorf("%s: version %d is not known, only 1 is", path, meta.Version)
	}
	return meta, nil
}

// again is the flags of those who apply a configuration once more.
type again struct{ overwrite, prune bool }

func (a *again) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.overwrite, "overwrite", false, "take back what was changed by hand since it was applied")
	cmd.Flags().BoolVar(&a.prune, "prune", false, "remove what was applied and the configuration no longer has")
}

func (c *Command) apply() *cobra.Command {
	var t target
	var a again
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Fetch, check, plan, commit and hand off",
		Long: `Fetch the configuration, check it, decide every change, make all of them or none, and hand off to
systemd: the stages of a boot in a row. It needs root, unless --root names a directory of your own.

What was changed by hand since it was applied is kept, and what the configuration no longer has is left;
both are listed.

Exit status: 0 done, or nothing to do; 1 the configuration is refused; 2 usage; 3 failed and rolled
back, or failed before any change; 4 committed, but the hand-off failed.`,
		Example: `  provisioner apply --datasource ec2
  provisioner apply --datasource file=web.yaml --root /mnt/image`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := t.open(c)
			if err != nil {
				return err
			}
			defer env.Root.Close()
			if env.Live && os.Geteuid() != 0 {
				return c.fail(errors.New("apply to the running system needs root; --root DIR works on another"))
			}
			env.Overwrite, env.Prune = a.overwrite, a.prune
			r := firstboot.Apply(cmd.Context(), env)
			for _, line := range r.Remains() {
				fmt.Fprintln(c.Stdout, line)
			}
			return status(r.ExitStatus)
		},
	}
	t.flags(cmd)
	a.flags(cmd)
	return cmd
}

// fail tells an error of the machine.
func (c *Command) fail(err error) error {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(c.Stderr, "provisioner: %s\n", diag.Printable(strings.TrimSuffix(line, "\n")))
	}
	return status(report.ExitFailed)
}

func (c *Command) plan() *cobra.Command {
	var t target
	var a again
	var out output
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Print what apply would change, as a diff against the machine",
		Long: `Print what apply would change, as a diff against the machine. It changes nothing, takes no lock and
needs no root where everything can be read.

Exit status: 0 there is a plan; 1 the configuration is refused; 2 usage; 3 the plan could not be made.`,
		Example: `  provisioner plan --datasource file=web.yaml
  provisioner plan --datasource file=web.yaml --root /mnt/image --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			env, err := t.open(c)
			if err != nil {
				return err
			}
			defer env.Root.Close()
			env.Overwrite, env.Prune = a.overwrite, a.prune
			made, err := firstboot.Plan(cmd.Context(), env)
			if err != nil {
				return c.fail(err)
			}
			if err := diag.Write(c.Stderr, made.Found, diag.Options{Format: "text", Files: made.Files}); err != nil {
				return err
			}
			if made.Found.HasErrors() {
				return status(report.ExitRefused)
			}
			if err := draw.Write(c.Stdout, made.Plan, draw.Options{JSON: out.format == "json", Color: out.inColor(c), Facts: made.Facts}); err != nil {
				return c.fail(err)
			}
			return nil
		},
	}
	t.flags(cmd)
	a.flags(cmd)
	out.flags(cmd, "text", "json")
	return cmd
}

func (c *Command) boot() *cobra.Command {
	var t target
	stages := map[string]func(context.Context, firstboot.Env) *report.Report{
		"local": firstboot.BootLocal, "floor": firstboot.BootFloor, "main": firstboot.BootMain, "handoff": firstboot.BootHandoff,
	}
	names := []string{"local", "floor", "main", "handoff"}
	cmd := &cobra.Command{
		Use:       "boot local|floor|main|handoff",
		Short:     "Run one stage of a boot: what our units run",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			env, err := t.open(c)
			if err != nil {
				return err
			}
			defer env.Root.Close()
			if !env.Live {
				return errors.New("boot is for the running system; apply works with --root")
			}
			env.Terminal = "/dev/console"
			r := stages[args[0]](cmd.Context(), env)
			if r.State == report.Running {
				return nil // well so far; the next stage is another unit's
			}
			return status(r.ExitStatus)
		},
	}
	t.flags(cmd)
	return cmd
}

// generate is our generator: it is called by systemd with three directories, of which it uses the first. A generator that
// fails must not stop a boot, so all that is wrong is told on standard error.
func (c *Command) generate(dirs []string) int {
	if len(dirs) == 0 {
		fmt.Fprintf(c.Stderr, "%s: systemd calls it with its directories\n", generatorName)
		return report.ExitUsage
	}
	root, err := fsroot.Open("/")
	if err != nil {
		fmt.Fprintf(c.Stderr, "%s: %v\n", generatorName, err)
		return report.ExitDone
	}
	defer root.Close()
	if err := firstboot.Generate(context.Background(), root, machine.Words("/"), dirs[0]); err != nil {
		fmt.Fprintf(c.Stderr, "%s: %v\n", generatorName, err)
	}
	return report.ExitDone
}
