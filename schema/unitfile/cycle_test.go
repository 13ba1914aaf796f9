package unitfile_test

import (
	"fmt"
	"strings"
	"testing"

	"cloudconfig/schema/unitfile"
)

func TestCycles(t *testing.T) {
	const service = "\n[Service]\nExecStart=/a\n"
	boot := func(name, unit string) unitfile.Node {
		return unitfile.Node{Name: name, Whole: true, Enabled: true, Texts: []string{"[Unit]\n" + unit + service + "[Install]\nWantedBy=multi-user.target\n"}}
	}
	later := func(name, unit string) unitfile.Node {
		return unitfile.Node{Name: name, Whole: true, Texts: []string{"[Unit]\n" + unit + service}}
	}
	mount := func(unit string, enabled bool) unitfile.Node {
		return unitfile.Node{Name: "a.mount", Whole: true, Enabled: enabled, Texts: []string{"[Unit]\n" + unit + "\n[Mount]\nWhat=/b\n[Install]\nWantedBy=local-fs.target\n"}}
	}
	tests := []struct {
		name  string
		nodes []unitfile.Node
		// want are the rings, such as "a b!" where the two start together.
		want []string
	}{
		{"none", []unitfile.Node{boot("a.service", "After=b.service"), boot("b.service", "")}, nil},
		{"two", []unitfile.Node{later("a.service", "After=b.service"), later("b.service", "After=a.service")}, []string{"a.service b.service"}},
		{"two that start together", []unitfile.Node{later("a.service", "After=b.service\nWants=b.service"), later("b.service", "After=a.service")}, []string{"a.service b.service!"}},
		{"the same said twice is none", []unitfile.Node{later("a.service", "After=b.service"), later("b.service", "Before=a.service")}, nil},
		{"itself, which systemd leaves out", []unitfile.Node{later("a.service", "After=a.service")}, nil},
		{"an empty value does not take back an order", []unitfile.Node{later("a.service", "After=b.service\nAfter="), later("b.service", "After=a.service")}, []string{"a.service b.service"}},
		{"two rings", []unitfile.Node{later("a.service", "After=b.service"), later("b.service", "After=a.service"), later("c.service", "After=d.service"), later("d.service", "After=c.service")},
			[]string{"a.service b.service", "c.service d.service"}},
		{"a mount and a service after it by default", []unitfile.Node{mount("After=f.service\nRequires=f.service", true), later("f.service", "")},
			[]string{"a.mount f.service sysinit.target local-fs.target"}},
		{"the same mount, started later", []unitfile.Node{mount("After=f.service\nRequires=f.service", false), later("f.service", "")}, nil},
		{"the same with a service of the early boot", []unitfile.Node{mount("After=f.service\nRequires=f.service", true), later("f.service", "DefaultDependencies=no")}, nil},
		{"our own units", []unitfile.Node{boot("a.service", "Before=provisioner.service\nAfter=provisioner-handoff.service")},
			[]string{"a.service provisioner-handoff.service provisioner.service"}},
		{"before ours alone", []unitfile.Node{boot("a.service", "Before=provisioner.service")}, nil},
		{"after the target that wants it", []unitfile.Node{boot("a.service", "After=multi-user.target")}, nil},
		{"before the boot that it waits for", []unitfile.Node{boot("a.service", "Before=sysinit.target")}, []string{"sysinit.target a.service"}},
		{"a unit that only a drop-in changes", []unitfile.Node{{Name: "a.service", Texts: []string{"[Unit]\nAfter=b.service\n"}}, later("b.service", "After=a.service")},
			[]string{"a.service b.service"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range unitfile.Cycles(tt.nodes) {
				var names []string
				for _, s := range c.Steps {
					names = append(names, s.Unit)
					if s.Node < 0 {
						continue
					}
					said := tt.nodes[s.Node].Texts[s.Text][s.From:s.To]
					if !strings.Contains(said, ".") || strings.ContainsAny(said, " \n=") {
						t.Errorf("a step is at %q", said)
					}
				}
				ring := strings.Join(names, " ")
				if c.Together {
					ring += "!"
				}
				got = append(got, ring)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A ring of many units is found without recursion.
func TestLongCycle(t *testing.T) {
	const n = 20000
	nodes := make([]unitfile.Node, n)
	for i := range nodes {
		nodes[i] = unitfile.Node{Name: fmt.Sprintf("a%d.service", i), Texts: []string{fmt.Sprintf("[Unit]\nAfter=a%d.service\n", (i+1)%n)}}
	}
	if c := unitfile.Cycles(nodes); len(c) != 1 || len(c[0].Steps) != n {
		t.Errorf("%d rings", len(c))
	}
}
