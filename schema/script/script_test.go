package script_test

import (
	"fmt"
	"strings"
	"testing"

	"cloudconfig/schema/script"
)

func check(text string) string {
	var got []string
	for _, s := range script.Check(text) {
		severity := s.Severity
		if severity == 0 {
			severity = s.Rule.Severity
		}
		got = append(got, fmt.Sprintf("%s %s %q", severity, s.Rule.ID, text[s.From:s.To]))
	}
	return strings.Join(got, "; ")
}

func TestFirstLine(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a script", "#!/bin/sh\necho a\n", ""},
		{"no script", "echo a\r\n", ""},
		{"blanks", "#! /bin/sh -e \n", ""},
		{"one option", "#!/bin/bash -eu\n", ""},
		{"Windows line ends", "#!/bin/sh\r\necho a\r\n", `warning script-line-ends "#!/bin/sh"`},
		{"old line ends of the Mac", "#!/bin/sh\recho a\r", `warning script-line-ends "#!/bin/sh"`},
		{"Windows line ends further down", "#!/bin/sh\nprintf 'a\r\n'\n", ""},
		{"a mark", "\uFEFF#!/bin/sh\n", `warning script-mark "` + `\ufeff"`},
		{"no path", "#!bash\n", `error script-interpreter "#!bash"`},
		{"nothing", "#!\n", `error script-interpreter "#!"`},
		{"env", "#!/usr/bin/env bash\n", ""},
		{"env with an option", "#!/usr/bin/env bash -e\n", `error script-options "bash -e"`},
		{"env that splits", "#!/usr/bin/env -S bash -e\n", ""},
		{"two options of a shell", "#!/bin/bash -e  -x\n", `error script-options "-e  -x"`},
		{"perl looks itself", "#!/usr/bin/perl -w -T\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := check(tt.text); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFetches(t *testing.T) {
	const info, warning = "info script-pipe-shell ", "warning script-pipe-shell "
	tests := []struct{ text, want string }{
		{"curl -fsSL https://a.example/x | sh", info + `"curl -fsSL https://a.example/x | sh"`},
		{"curl http://a.example/x|bash", warning + `"curl http://a.example/x|bash"`},
		{"curl -k https://a.example/x | sudo -E bash -", warning + `"curl -k https://a.example/x | sudo -E bash -"`},
		{"curl http://169.254.169.254/latest/user-data | sh", info + `"curl http://169.254.169.254/latest/user-data | sh"`},
		{"if ! wget -qO- https://a.example | A=b bash -s -- --now 2>&1; then", info + `"if ! wget -qO- https://a.example | A=b bash -s -- --now"`},
		{"wget -O - \"$url\" |\n  python3 -", info + `"wget -O - \"$url\" |\n  python3 -"`},
		{"curl https://a.example \\\n | sh", info + `"curl https://a.example \\\n | sh"`},
		{`sh -c "$(curl -fsSL "https://a.example")"`, info + `"sh -c \"$(curl -fsSL \"https://a.example\")\""`},
		{"bash <(curl -s http://a.example) x", warning + `"bash <(curl -s http://a.example)"`},
		{"eval `curl https://a.example`", info + "\"eval `curl https://a.example`\""},
		{"source <(wget -qO- https://a.example)", info + `"source <(wget -qO- https://a.example)"`},

		{"# curl https://a.example | sh", ""},
		{"echo 'curl https://a.example | sh'", ""},
		{`echo "curl https://a.example | sh"`, ""},
		{"cat <<'EOF' >/x\ncurl https://a.example | sh\nEOF\n", ""},
		{"cat <<-EOF\n\tcurl https://a.example | sh\n\tEOF\necho", ""},
		{"curl https://a.example | tar xz", ""},
		{"curl https://a.example | bash -c 'cat >/x'", ""},
		{"curl https://a.example | python3 -m json.tool", ""},
		{"curl https://a.example | sh /opt/filter.sh", ""},
		{"curl https://a.example >/x || sh /y", ""},
		{"curl -o /x https://a.example; sh /x", ""},
		{"curl https://a.example -o /x && sh /x", ""},
		{"wget https://a.example | sh", ""},
		{"x=$(curl https://a.example)", ""},
		{"bash -c 'echo' # $(curl x)", ""},
		{"echo ${x#curl} | sh", ""},
		{"case $1 in curl|sh) ;; esac", ""},
	}
	for _, tt := range tests {
		for _, head := range []string{"#!/bin/bash\n", "#!/usr/bin/env bash\necho \"it's\" $((1 << 2)) ${a:-\"b\"}\n"} {
			if got := check(head + tt.text); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.text, got, tt.want)
			}
		}
		if got := check("#!/usr/bin/perl\n" + tt.text); got != "" {
			t.Errorf("in Perl: %s", got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"#!/bin/sh\ncurl http://a | sh", "#!/bin/sh\nsh -c \"$(curl a)\" <<A <<-'B'\nA\n\tB\n", "\uFEFF#!/usr/bin/env bash -e\r\n", "#!/bin/sh\n${a:-$(b `c \"d\\\")}`)'",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range script.Check(text) {
			if s.From < 0 || s.From > s.To || s.To > len(text) || s.Rule == nil || s.Summary == "" {
				t.Errorf("%+v of %d bytes", s, len(text))
			}
		}
	})
}

// Nesting without end is passed in one go.
func TestDeepNesting(t *testing.T) {
	for _, s := range []string{"$(", "\"", "`", "${", "<(", "(", "\"$(", "<<a\n", "'", "\\\n", "|"} {
		script.Check("#!/bin/sh\n" + strings.Repeat(s, 100_000))
	}
}
