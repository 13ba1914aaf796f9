package cli_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"cloudconfig/provisioner/cli"
)

var update = flag.Bool("update", false, "rewrite the outputs in testdata")

func TestMain(m *testing.M) {
	main := func() {
		c := cli.Command{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: "v0.0.0-test"}
		os.Exit(c.Main(os.Args))
	}
	testscript.Main(m, map[string]func(){"provisioner": main, "coreos-cloudinit": main})
}

// TestScripts runs the command as its users do: a script a subject, in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("JOURNAL_STREAM", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "mode": mode, "scratch": scratch, "substitute": substitute, "add": add},
	})
}

// By cloud-init's name the program answers how the run went, and says so of everything else.
func TestCloudInitName(t *testing.T) {
	for _, tt := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"/usr/bin/cloud-init", "--version"}, 0, "cloud-init (provisioner v0.0.0)\n", ""},
		{[]string{"cloud-init"}, 2, "", "this is provisioner"},
		{[]string{"cloud-init", "clean", "--logs"}, 2, "", "this is provisioner"},
		{[]string{"cloud-init", "status", "--format", "yaml"}, 2, "", "this is provisioner"},
		{[]string{"cloud-init", "status", "extra"}, 2, "", "this is provisioner"},
	} {
		var stdout, stderr strings.Builder
		c := cli.Command{Stdout: &stdout, Stderr: &stderr, Version: "v0.0.0"}
		got := c.Main(tt.args)
		if got != tt.status || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.stderr) || strings.Count(stderr.String(), "\n") > 1 {
			t.Errorf("%q: status %d, %q, %q", tt.args, got, stdout.String(), stderr.String())
		}
	}
}
