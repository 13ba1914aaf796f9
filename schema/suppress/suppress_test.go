package suppress_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/suppress"
)

func apply(name string, text []byte) (before, after diag.List, ignored int) {
	files := []*source.File{{Name: name, Bytes: text}}
	_, before = schema.Decode(schema.Input{Files: files})
	after, ignored = suppress.Apply(files, before)
	return before, after, ignored
}

func TestApply(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		ignored    int
		want       string // a line each: place, severity and rule
	}{
		{"on the line itself", "packages: [nginx] # provisioner: ignore unsupported-key the image has it", 1, ""},
		{"on the line before", "# provisioner: ignore unsupported-key the image has it\npackages: [nginx]", 1, ""},
		{"two lines up, comments and blank lines between", "# provisioner: ignore unsupported-key why\n# more\n\npackages: [nginx]", 1, ""},
		{"two comments for one line", "# provisioner: ignore unsupported-key why\n# provisioner: ignore empty-value why\npackages: [nginx]", 1,
			"3:23-3:34 warning unused-ignore"},
		{"without the blanks", "#provisioner:ignore unsupported-key why\npackages: [nginx]", 1, ""},
		{"a reason after a dash", "# provisioner: ignore unsupported-key -- why\npackages: [nginx]", 1, ""},
		{"Windows line ends, a tab, more number signs", "## provisioner: ignore\tunsupported-key why\r\npackages: [nginx]\r\n", 1, "1:1-1:14 info windows-line-ends"},
		{"two rules", "hostname: a\npackages: # provisioner: ignore unsupported-key, deprecated-key why", 1, "3:50-3:64 warning unused-ignore"},
		{"one of two findings", "packages: [nginx]\napt: {} # provisioner: ignore unsupported-key why", 1, "2:1-2:9 warning unsupported-key"},
		{"another rule", "packages: [nginx] # provisioner: ignore empty-value why", 0,
			"2:1-2:9 warning unsupported-key\n2:41-2:52 warning unused-ignore"},
		{"on a line too far", "# provisioner: ignore unsupported-key why\nhostname: a\npackages: [nginx]", 0,
			"2:23-2:38 warning unused-ignore\n4:1-4:9 warning unsupported-key"},
		{"at the end", "hostname: a\n# provisioner: ignore unsupported-key why\n\n", 0, "3:23-3:38 warning unused-ignore"},
		{"no reason", "packages: [nginx] # provisioner: ignore unsupported-key", 1, "2:19-2:56 warning ignore-without-reason"},
		{"no rule", "packages: [nginx] # provisioner: ignore", 0, "2:1-2:9 warning unsupported-key\n2:19-2:40 warning unknown-ignore"},
		{"a rule misspelt, after é", "hostname: a\npackages: [é] # provisioner: ignore unsuported-key why", 0,
			"3:1-3:9 warning unsupported-key\n3:37-3:51 warning unknown-ignore"},
		{"an error stays", "hostname: web_1 # provisioner: ignore hostname it is called that", 0, "2:11-2:16 error hostname\n2:39-2:47 warning ignore-error"},
		{"an error elsewhere can hide what a comment is for", "hostname: a_b\nusers: [] # provisioner: ignore unsupported-key why", 0, "2:11-2:14 error hostname"},
		{"what only a machine finds is not missed", "hostname: a # provisioner: ignore " + machineRule(t) + " why", 0, ""},
		{"no comment", "hostname: a#provisioner:ignore x y\nusers: []", 0, "2:11-2:35 error hostname"},
		{"other words for us", "# provisioner: please do not ignore me\n# provisioner: ignored\n# the provisioner: ignore it\nhostname: a", 0, ""},
		{"in a script", "write_files:\n  - path: /etc/a\n    content: |\n      #!/bin/sh\n      # provisioner: ignore empty-value why\n      true", 0,
			"6:29-6:40 warning unused-ignore"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, after, ignored := apply("f", []byte("#cloud-config\n"+tt.text))
			if ignored != tt.ignored {
				t.Errorf("%d are ignored, want %d", ignored, tt.ignored)
			}
			var got []string
			for _, d := range after {
				got = append(got, fmt.Sprintf("%d:%d-%d:%d %s %s", d.Subject.Start.Line, d.Subject.Start.Column, d.Subject.End.Line, d.Subject.End.Column, d.Severity, d.Rule.ID))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func machineRule(t *testing.T) string {
	for _, r := range rules.All() {
		if r.Machine {
			return r.ID
		}
	}
	t.Fatal("no rule of the machine")
	return ""
}

// A finding inside a unit or a script is ignored by that language's own comment.
func TestApplyInsideText(t *testing.T) {
	f := &source.File{Name: "f", Bytes: []byte("a: |\n  [Service]\n  # provisioner: ignore empty-value why\n  ; see below\n\n  ExecStart=\n")}
	d := diag.New(rules.EmptyValue, f.LineRange(6), "x")
	if left, ignored := suppress.Apply([]*source.File{f}, diag.List{d}); ignored != 1 || len(left) != 0 {
		t.Errorf("%d ignored, left are %v", ignored, left)
	}
}

// Parts are looked at by their own names and lines.
func TestApplyToParts(t *testing.T) {
	one := &source.File{Name: "mail part 1", Bytes: []byte("x: y # provisioner: ignore empty-value why\n"), Line: 9}
	two := &source.File{Name: "mail part 2", Bytes: []byte("x: y\n"), Line: 9}
	l := diag.List{diag.New(rules.EmptyValue, one.LineRange(9), "x"), diag.New(rules.EmptyValue, two.LineRange(9), "x")}
	left, ignored := suppress.Apply([]*source.File{one, two}, l)
	if ignored != 1 || len(left) != 1 || left[0].Subject.File != two.Name {
		t.Errorf("%d ignored, left are %v", ignored, left)
	}
}

// FuzzApply: nothing panics, errors are never taken away, and every finding has a place inside its file.
func FuzzApply(f *testing.F) {
	f.Add([]byte("#cloud-config\npackages: [] # provisioner: ignore unsupported-key, hostname why\n# provisioner: ignore\n"))
	f.Add([]byte("#cloud-config\r\n## provisioner:ignore ,,unknown-key,\r\nhostname: a_b\r#provisioner: ignore x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before, after, ignored := apply("f", text)
		if before.Count(diag.Error) != after.Count(diag.Error) {
			t.Errorf("%d errors before, %d after", before.Count(diag.Error), after.Count(diag.Error))
		}
		if ignored < 0 || ignored > len(before) {
			t.Errorf("%d of %d are ignored", ignored, len(before))
		}
		for _, d := range after {
			if r := d.Subject; r.Start.Offset < 0 || r.End.Offset > len(text) || r.Start.Offset > r.End.Offset {
				t.Errorf("%s: range %+v of a text of %d bytes", d.Rule.ID, r, len(text))
			}
		}
	})
}
