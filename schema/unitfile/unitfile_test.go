package unitfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema/unitfile"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		// want is section headers and assignments, each with what the text has at its offsets.
		want []string
	}{
		{"a unit", "[Unit]\nDescription = a b \n\n[Service]\nExecStart=/bin/true\n", []string{"[Unit]", "Description=a b", "[Service]", "ExecStart=/bin/true"}},
		{"no line end at the end", "[Unit]\nA=1", []string{"[Unit]", "A=1"}},
		{"Windows line ends", "[Unit]\r\nA=1\r\nB=2\r\n", []string{"[Unit]", "A=1", "B=2"}},
		{"a byte order mark", "\uFEFF[Unit]\nA=1\n", []string{"[Unit]", "A=1"}},
		{"a line that goes on", "[Unit]\nA=1 \\\n  2\nB=3\n", []string{"[Unit]", "A=1  2", "B=3"}},
		{"comments inside do not end it", "[Unit]\nA=1\\\n# no\n ; no\n 2\nB=3\n", []string{"[Unit]", "A=1 2", "B=3"}},
		{"two backslashes are a value", "[Unit]\nA=1\\\\\nB=3\n", []string{"[Unit]", `A=1\\`, "B=3"}},
		{"it goes on at the end of the text", "[Unit]\nA=1\\", []string{"[Unit]", "A=1"}},
		{"an empty line ends it", "[Unit]\nA=1\\\n\nB=2\n", []string{"[Unit]", "A=1", "B=2"}},
		{"the value begins on the next line", "[Unit]\nA=\\\n# no\n  x y\n", []string{"[Unit]", "A=x y"}},
		{"a value may begin like a comment", "[Unit]\nA= #x\n", []string{"[Unit]", "A=#x"}},
		{"an empty value", "[Unit]\nA=\nB =\n", []string{"[Unit]", "A=", "B="}},
		{"indented lines", " [Unit]\n\tA=1\n  # c\n", []string{"[Unit]", "A=1"}},
		{"the same section twice", "[A]\nB=1\n[A]\nC=2\n", []string{"[A]", "B=1", "[A]", "C=2"}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sections, faults := unitfile.Parse(tt.text)
			if faults != nil {
				t.Errorf("faults %v", faults)
			}
			var got []string
			for _, s := range sections {
				got = append(got, "["+s.Name+"]")
				if !strings.HasPrefix(tt.text[s.Offset:], "["+s.Name+"]") {
					t.Errorf("section %s is not at %d", s.Name, s.Offset)
				}
				for _, d := range s.Directives {
					got = append(got, d.Name+"="+d.Value)
					if !strings.HasPrefix(tt.text[d.Offset:], d.Name) {
						t.Errorf("%s is not at %d", d.Name, d.Offset)
					}
					word, _, _ := strings.Cut(d.Value, " ")
					if !strings.HasPrefix(tt.text[d.ValueOffset:], word) {
						t.Errorf("the value of %s is not at %d", d.Name, d.ValueOffset)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, text string
		offset     int
		message    string // a part of it
	}{
		{"neither section nor assignment", "[Unit]\n  nonsense\n", 9, "neither a section"},
		{"before the first section", "A=1\n[Unit]\n", 0, "before the first section"},
		{"an open section, its assignments are not counted again", "[Unit\nA=1\nB=2\n", 0, "without its ]"},
		{"a comment after a section", "[Unit] # x\nA=1\n", 0, "after the ]"},
		{"a section without a name", "[]\n", 0, "without a name"},
		{"no name", "[Unit]\n =x\n", 8, "without a name in front"},
		{"a line too long", "[Unit]\nA=" + strings.Repeat("x", 1<<20) + "\nB=1\n", 7, "longer than"},
		{"lines too long together", "[Unit]\nA=" + strings.Repeat(strings.Repeat("x", 1<<10)+"\\\n", 1<<10) + "\nB=1\n", 7, "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := unitfile.Parse(tt.text)
			if len(faults) != 1 || faults[0].Offset != tt.offset || !strings.Contains(faults[0].Message, tt.message) {
				t.Errorf("got %v, want one at %d with %q", faults, tt.offset, tt.message)
			}
		})
	}
}

func TestInstallOf(t *testing.T) {
	tests := []struct {
		name, text string
		want       unitfile.Install
	}{
		{"no section", "[Unit]\nWantedBy=a.target\n", unitfile.Install{}},
		{"every list", "[Install]\nWantedBy=a.target b.target\nRequiredBy=c.target\nUpheldBy=d.target\nAlias=e.service\nAlso=f.socket\nDefaultInstance=g\n",
			unitfile.Install{WantedBy: []string{"a.target", "b.target"}, RequiredBy: []string{"c.target"}, UpheldBy: []string{"d.target"},
				Alias: []string{"e.service"}, Also: []string{"f.socket"}, DefaultInstance: "g"}},
		{"again adds, once each", "[Install]\nWantedBy=a.target\nWantedBy=b.target a.target\n[Install]\nWantedBy=c.target\n",
			unitfile.Install{WantedBy: []string{"a.target", "b.target", "c.target"}}},
		{"empty forgets", "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n", unitfile.Install{WantedBy: []string{"b.target"}}},
		{"but not Also", "[Install]\nAlso=a.socket\nAlso=\n", unitfile.Install{Also: []string{"a.socket"}}},
		{"quotes are dropped, backslashes kept", `[Install]` + "\n" + `WantedBy="a.target" 'b'.target dev-disk\x2dby.device` + "\n",
			unitfile.Install{WantedBy: []string{"a.target", "b.target", `dev-disk\x2dby.device`}}},
		{"an open quote gives nothing", "[Install]\nWantedBy=a.target \"b.target\n", unitfile.Install{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sections, _ := unitfile.Parse(tt.text)
			got := unitfile.InstallOf(sections)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if zero := got.IsZero(); zero != cmp.Equal(tt.want, unitfile.Install{}) {
				t.Errorf("IsZero is %v", zero)
			}
		})
	}
}

func TestValidName(t *testing.T) {
	tests := []struct {
		name, unit string
		want       bool
	}{
		{"service", "etcd2.service", true},
		{"mount with an escape", `var-lib-\x2d.mount`, true},
		{"template", "getty@.service", true},
		{"instance", "getty@tty1.service", true},
		{"an @ in the instance", "a@b@c.service", true},
		{"dots in the name", "a.b.socket", true},
		{"the longest", strings.Repeat("a", 247) + ".service", true},
		{"too long", strings.Repeat("a", 248) + ".service", false},
		{"no suffix", "etcd2", false},
		{"no unit's suffix", "etcd2.network", false},
		{"a suffix alone", ".service", false},
		{"nothing before the @", "@tty1.service", false},
		{"a path", "../etcd2.service", false},
		{"a space", "a b.service", false},
		{"a line end", "a\n.service", false},
		{"not ASCII", "é.service", false},
		{"empty", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unitfile.ValidName(tt.unit); got != tt.want {
				t.Errorf("ValidName(%q) = %v", tt.unit, got)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"plain", "http://a:2379", `"http://a:2379"`},
		{"empty", "", `""`},
		{"blanks are kept", " a\tb ", `" a\tb "`},
		{"a quote ends nothing", `a" "B=c`, `"a\" \"B=c"`},
		{"a backslash at the end", `a\`, `"a\\"`},
		{"no specifier", "100%h", `"100%%h"`},
		{"a dollar has no meaning here", "$HOME", `"$HOME"`},
		{"not ASCII", "é日本", `"é日本"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := unitfile.Quote(tt.value); err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"a\nExecStart=b", "a\rb", "a\x00b", "a\x1bb", "a\xffb"} {
		if got, err := unitfile.Quote(bad); err == nil {
			t.Errorf("Quote(%q) = %s, want an error", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[Unit]\nA=1 \\\n# c\n 2\n[Install]\nWantedBy=\"a\" b\n")
	f.Add("[x\n=\\\n;\\\r\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		sections, faults := unitfile.Parse(text)
		unitfile.InstallOf(sections)
		inside := func(offset int) {
			if offset < 0 || offset > len(text) {
				t.Errorf("offset %d of %d", offset, len(text))
			}
		}
		for _, f := range faults {
			inside(f.Offset)
		}
		for _, s := range sections {
			inside(s.Offset)
			for _, d := range s.Directives {
				inside(d.Offset)
				inside(d.ValueOffset)
			}
		}
	})
}

// FuzzUnit: nothing panics, and every slip and every step of a cycle lies inside its text.
func FuzzUnit(f *testing.F) {
	f.Add("a.service", "[Unit]\nAfter=b.service \\\n # c\n a.service\n[Service]\nType=x\nExecStart=/a \\ \n b\n[Install]\nWantedBy=multi-user.target\n", "[Service]\nExecStart=b/c \"\n")
	f.Add("a.timer", "[Timer]\nOnCalendar=Mon..\nOnBootSec=5 x\n", "")
	f.Add("a-b.mount", "[Mount]\nWhere=/a/c\n", "[Unit]\nBefore=a-b.mount")
	f.Add("a.network", "[Match]\r\nName=é\r\n[Network]\r\nAddress=1\r\nDNS=1 2,\r\n", "[Netwrok]")
	f.Add("journald.conf", "[Journal]\nStorage=\\\n", "=\x00[")
	f.Fuzz(func(t *testing.T, name, text, dropIn string) {
		texts := []string{text, dropIn}
		for i, found := range unitfile.Check(name, true, texts...) {
			for _, s := range found {
				if s.From < 0 || s.To < s.From || s.To > len(texts[i]) || s.Summary == "" || s.Rule == nil {
					t.Errorf("text %d of %d bytes: %+v", i, len(texts[i]), s)
				}
			}
		}
		other := unitfile.Node{Name: "b.service", Whole: true, Texts: []string{dropIn}, Enabled: true}
		for _, c := range unitfile.Cycles([]unitfile.Node{{Name: name, Whole: true, Texts: texts, Enabled: true}, other}) {
			for _, s := range c.Steps {
				if s.Node == 0 && s.To > len(texts[s.Text]) || s.Node == 1 && s.To > len(dropIn) || s.From < 0 || s.To < s.From {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

func TestPathName(t *testing.T) {
	// What systemd-escape -p of systemd 252 prints.
	for path, want := range map[string]string{
		"/": "-", "/srv/data": "srv-data", "/srv//data/": "srv-data", "/srv/./data": "srv-data", "/my-data": `my\x2ddata`,
		"/.hidden/.b": `\x2ehidden-.b`, "/a b": `a\x20b`, "/é": `\xc3\xa9`, "/a:b_c.d": "a:b_c.d",
	} {
		if got := unitfile.PathName(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
