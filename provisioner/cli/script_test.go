package cli_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// status runs the program and demands an exit status: status 1 provisioner validate x.yaml. What it printed can
// be compared as stdout and stderr.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// mode demands the mode of a file: mode 0640 root/etc/shadow.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	info, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	got := uint64(info.Mode().Perm())
	for bit, octal := range map[os.FileMode]uint64{os.ModeSetuid: 0o4000, os.ModeSetgid: 0o2000, os.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			got |= octal
		}
	}
	if got != want {
		ts.Fatalf("%s has mode %04o, want %04o", args[1], got, want)
	}
}

// scratch makes a root with the accounts of a small system: scratch root.
func scratch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: scratch DIR")
	}
	root := ts.MkAbs(args[0])
	for _, dir := range []string{"etc/skel", "home", "run", "root", "var/lib", "usr/lib/systemd/system"} {
		ts.Check(os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\n",
		"etc/group":         "root:x:0:\nsudo:x:27:\n",
		"etc/shadow":        "root:*:19000:0:99999:7:::\n",
		"etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n",
		"etc/skel/.profile": "# ~/.profile\n",
	} {
		ts.Check(os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	ts.Check(os.Chmod(filepath.Join(root, "etc/shadow"), 0o640))
}

// substitute changes a file as somebody does by hand: substitute FILE REGEXP TEXT. It must match.
func substitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: substitute FILE REGEXP TEXT")
	}
	text := []byte(ts.ReadFile(args[0]))
	re := regexp.MustCompile(args[1])
	if !re.Match(text) {
		ts.Fatalf("%s has nothing like %q:\n%s", args[0], args[1], text)
	}
	first := re.FindIndex(text)
	text = slices.Concat(text[:first[0]], []byte(args[2]), text[first[1]:])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// add adds a line to a file: add FILE TEXT.
func add(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: add FILE TEXT")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	ts.Check(err)
	_, err = f.WriteString(args[1] + "\n")
	ts.Check(errors.Join(err, f.Close()))
}
