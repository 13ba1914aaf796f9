package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// coreosName is the program that this one succeeds. Called so, it takes that one's command line, so that an image may
// swap the binary and keep its units.
const coreosName = "coreos-cloudinit"

// Exit statuses under that name. Source: coreos-cloudinit.go of flatcar/coreos-cloudinit (2026-05) and of
// coreos/coreos-cloudinit (2018).
const (
	coreosDone   = 0
	coreosFailed = 1
	coreosUsage  = 2
)

// preset is the value of a flag where the user gives none.
type preset struct{ name, value string }

// coreosOEMs are the presets of -oem.
var coreosOEMs = []struct {
	name    string
	presets []preset
}{
	{"azure", []preset{{"from-waagent", "/var/lib/waagent"}}},
	{"cloudsigma", []preset{{"from-cloudsigma-metadata", "true"}}},
	{"digitalocean", []preset{{"from-digitalocean-metadata", "http://169.254.169.254/"}}},
	{"ec2-compat", []preset{{"from-ec2-metadata", "http://169.254.169.254/"}, {"from-configdrive", "/media/configdrive"}}},
	{"gce", []preset{{"from-gce-metadata", "http://metadata.google.internal/"}}},
	{"packet", []preset{{"from-packet-metadata", "https://metadata.packet.net/"}, {"convert-netconf", "packet"}}},
	{"rackspace-onmetal", []preset{{"from-configdrive", "/media/configdrive"}, {"convert-netconf", "debian"}}},
	{"vmware", []preset{{"from-vmware-guestinfo", "true"}, {"convert-netconf", "vmware"}}},
}

// coreosSource is a flag that names a datasource, in the order of priority.
type coreosSource struct {
	flag string
	// source is ours, "" if we have none; with arg the value of the flag is its argument.
	source string
	arg    bool
	help   string
}

var coreosSources = []coreosSource{
	{"from-file", "file", true, "read user-data from a `file`"},
	{"from-url", "url", true, "fetch user-data from a `URL`"},
	{"from-configdrive", "configdrive", true, "read a config drive that is mounted at a `directory`"},
	{"from-metadata-service", "ec2", false, "the same as -from-ec2-metadata at its default address; deprecated"},
	{"from-ec2-metadata", "ec2", true, "ask a metadata service like EC2's at a `URL`"},
	{"from-gce-metadata", "gce", true, "ask a metadata service like GCE's at a `URL`"},
	{"from-cloudsigma-metadata", "", false, "CloudSigma's server context; not supported"},
	{"from-digitalocean-metadata", "digitalocean", true, "ask DigitalOcean's metadata service at a `URL`"},
	{"from-waagent", "azure", true, "read the `directory` of Azure's agent"},
	{"from-packet-metadata", "", true, "Packet's metadata service at a `URL`; not supported"},
	{"from-proc-cmdline", "cmdline", false, "fetch the URL that cloud-config-url= on the kernel command line names"},
	{"from-vmware-guestinfo", "vmware", false, "read VMware's guestinfo"},
	{"from-vmware-ovf-env", "vmware", true, "read an OVF environment from a `file`"},
}

// coreosCommand is a command line that was read.
type coreosCommand struct {
	version, ignoreFailure, validate bool
	oem, netconf                     string
	datasources                      []string
	unsupported                      []string
}

// coreos runs the program as coreos-cloudinit.
func (c *Command) coreos(ctx context.Context, args []string) int {
	cmd, status := c.coreosFlags(args)
	switch {
	case cmd == nil:
		return status
	case cmd.version:
		fmt.Fprintf(c.Stdout, "%s (provisioner %s)\n", coreosName, c.Version)
		return coreosDone
	}
	for _, name := range cmd.unsupported {
		fmt.Fprintf(c.Stderr, "%s: -%s is not supported, and is not asked\n", coreosName, name)
	}
	if len(cmd.datasources) == 0 {
		return coreosFailed
	}
	if err := c.coreosRun(ctx, cmd); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(c.Stderr, "%s: %s\n", coreosName, diag.Printable(strings.TrimSuffix(line, "\n")))
		}
		return coreosFailed
	}
	return coreosDone
}

// coreosFlags reads the command line. Without a command it has told why, and the status says the same.
func (c *Command) coreosFlags(args []string) (*coreosCommand, int) {
	var cmd coreosCommand
	fs := flag.NewFlagSet(coreosName, flag.ContinueOnError)
	fs.SetOutput(c.Stderr)
	fs.BoolVar(&cmd.version, "version", false, "print the version")
	fs.BoolVar(&cmd.ignoreFailure, "ignore-failure", false, "exit with 0 though the user-data is wrong or what was started failed")
	fs.BoolVar(&cmd.validate, "validate", false, "check the user-data, and change nothing")
	fs.StringVar(&cmd.oem, "oem", "", "presets of a `platform`: "+strings.Join(oemNames(), ", "))
	fs.StringVar(&cmd.netconf, "convert-netconf", "", "configure the network that the platform describes in a `format`: debian, packet or vmware")
	fs.String("workspace", "/var/lib/coreos-cloudinit", "ignored: what is kept is in /var/lib/provisioner")
	fs.String("ssh-key-name", coreosName, "ignored: keys are a block of their own in authorized_keys")
	for _, s := range coreosSources {
		if s.arg {
			fs.String(s.flag, "", s.help)
		} else {
			fs.Bool(s.flag, false, s.help)
		}
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, coreosDone
	case err != nil:
		return nil, coreosUsage
	}
	usage := func(format string, args ...any) (*coreosCommand, int) {
		fmt.Fprintf(c.Stderr, coreosName+": "+format+"\n", args...)
		return nil, coreosUsage
	}
	if cmd.version {
		return &cmd, coreosDone
	}
	if cmd.oem != "" {
		i := slices.Index(oemNames(), cmd.oem)
		if i < 0 {
			return usage("-oem: %q is none of %s", cmd.oem, strings.Join(oemNames(), ", "))
		}
		given := map[string]bool{}
		fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for _, p := range coreosOEMs[i].presets {
			if given[p.name] {
				continue // that program's presets took the place of what the user said
			}
			if err := fs.Set(p.name, p.value); err != nil {
				return usage("internal error: -oem: %v", err)
			}
		}
	}
	if !slices.Contains([]string{"", "debian", "packet", "vmware"}, cmd.netconf) {
		return usage("-convert-netconf: %q is none of debian, packet, vmware", cmd.netconf)
	}
	for _, s := range coreosSources {
		value := fs.Lookup(s.flag).Value.String()
		switch {
		case value == "" || value == "false":
		case s.source == "":
			cmd.unsupported = append(cmd.unsupported, s.flag)
		case s.arg:
			cmd.datasources = append(cmd.datasources, s.source+"="+value)
		default:
			cmd.datasources = append(cmd.datasources, s.source)
		}
	}
	if len(cmd.datasources)+len(cmd.unsupported) == 0 {
		return usage("a datasource must be named: -from-file, -from-ec2-metadata and so on, or -oem")
	}
	return &cmd, coreosDone
}

func oemNames() []string {
	var names []string
	for _, oem := range coreosOEMs {
		names = append(names, oem.name)
	}
	return names
}

// validateTime is how long -validate waits for user-data.
const validateTime = 5 * time.Second

// errCoreosEntries says that -validate has found something.
var errCoreosEntries = errors.New("the user-data is not as it should be")

func (c *Command) coreosRun(ctx context.Context, cmd *coreosCommand) error {
	t := target{root: "/", datasources: cmd.datasources}
	env, err := t.environment(c)
	if err != nil {
		return err
	}
	defer env.Root.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	env.Legacy = &firstboot.Legacy{Network: cmd.netconf != "", Program: program}
	if cmd.validate {
		env.Sources.Limits.Overall = validateTime // whoever checks a text does not wait for it to come
		looked, err := firstboot.Render(ctx, env)
		if err != nil {
			return err
		}
		if err := c.coreosEntries(looked.Found); err != nil {
			return err
		}
		if looked.Found.Reaches(diag.Warning) && !cmd.ignoreFailure {
			return errCoreosEntries
		}
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("it needs root; -validate does not")
	}
	switch r := firstboot.BootLegacy(ctx, env); r.State {
	case report.Refused, report.Degraded:
		if !cmd.ignoreFailure {
			return fmt.Errorf("%s; provisioner status says more", r.State)
		}
	case report.Failed:
		return errors.New("failed; provisioner status says more")
	}
	return nil
}

// coreosEntries writes findings as that program's -validate logged them, one line each: the time, "line N: ", "error" or
// "warning", and the text, for the scripts that read it. The rule follows; a place in another file than the first one's
// has that file in front of the text. What is only a hint was none of its entries.
//
// Source: config/validate/report.go of coreos/coreos-cloudinit (2018), and Go's package log.
func (c *Command) coreosEntries(found diag.List) error {
	var out strings.Builder
	for _, d := range found {
		if d.Severity != diag.Error && d.Severity != diag.Warning {
			continue
		}
		fmt.Fprintf(&out, "%s line %d: %s: ", c.now().Format("2006/01/02 15:04:05"), d.Subject.Start.Line, d.Severity)
		text := d.Summary
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		if first := found[0].Subject; d.Subject.File != first.File && d.Subject != (source.Range{}) {
			text = d.Subject.File + ": " + text
		}
		out.WriteString(diag.Printable(text+" ["+d.Rule.ID+"]") + "\n")
	}
	_, err := io.WriteString(c.Stderr, out.String())
	return err
}
