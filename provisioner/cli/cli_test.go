package cli_test

import (
	"flag"
	"os"
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
