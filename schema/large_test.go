package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/image"
	"cloudconfig/schema/source"
)

// lines is a text of n lines, each made of its number.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// A text with very much wrong in it, or with much that depends on each other, takes no longer than its length says,
// and not everything is told. Each of these took minutes, or would have.
func TestLarge(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"a unit that names many in one line", "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Unit]\n        Requires=" +
			lines(60_000, "x%d.service ") + "\n        [Service]\n        ExecStart=/bin/true\n"},
		{"a target that needs one thing often", "coreos:\n  units:\n    - name: a.target\n      enable: true\n      content: |\n        [Unit]\n" +
			strings.Repeat("        Requires=x.service\n", 60_000) + "        [Install]\n        WantedBy=multi-user.target\n" +
			"    - name: x.service\n      content: |\n        [Unit]\n" + strings.Repeat("        After=y.service\n", 60_000) +
			"        [Service]\n        ExecStart=/bin/true\n    - name: y.service\n      content: \"[Service]\\nExecStart=/bin/true\\n\"\n"},
		{"a line of a unit with much wrong in it", "coreos:\n  units:\n    - name: a.service\n      content: |\n        [Unit]\n        After=" +
			strings.Repeat("a/b ", 150_000) + "\n        [Service]\n        ExecStart=/bin/true\n        Environment=" + strings.Repeat("1a ", 150_000) + "\n"},
		{"many units of one name", "coreos:\n  units:\n" + lines(20_000, "    - {name: a.timer, enable: true, content: \"[Timer]\\nDocumentation=%d\\n\"}\n")},
		{"many names in one line", "groups: '" + lines(100_000, "g%d,") + "'\n"},
		{"many accounts that are nowhere", "users:\n" + lines(20_000, "  - {name: user-with-a-name-%[1]d, groups: group-with-a-name-%[1]d}\n")},
		{"many wrong values in one line", "ssh_authorized_keys: [" + lines(100_000, "a%d, ") + "]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, found := schema.Decode(schema.Input{Files: []*source.File{{Name: "f", Bytes: []byte("#cloud-config\n" + tt.text)}}, Image: image.Shipped("debian-12")})
			if len(found) > 5010 {
				t.Errorf("%d findings", len(found))
			}
		})
	}
}

// However much is left out, a text with an error in it has an error.
func TestLargeIsRefused(t *testing.T) {
	text := "#cloud-config\nssh_authorized_keys:\n" + lines(6000, "  - a%d\n") + "hostname: a_b\n"
	_, found := schema.Decode(schema.Input{Files: []*source.File{{Name: "f", Bytes: []byte(text)}}})
	if !found.HasErrors() || found.Count(diag.Error) != 1 {
		t.Errorf("%d errors", found.Count(diag.Error))
	}
	if found[0].Rule.ID != "more-findings" {
		t.Errorf("the first is %s", found[0].Rule.ID)
	}
}
