package schema_test

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

func TestPlatformSize(t *testing.T) {
	letters := rand.New(rand.NewSource(1))
	noise := func(n int) string { // that gzip makes three quarters of
		b := make([]byte, n)
		for i := range b {
			b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[letters.Intn(64)]
		}
		return string(b)
	}
	same := func(n int) string { return strings.Repeat("a", n) }
	const head = "#cloud-config\n# "
	tests := []struct {
		name string
		fill func(int) string
		size int
		want string
	}{
		{"small", same, 13_104, ""},
		{"near the limit", same, 13_105, "warning: 13105 bytes of the 16384 that EC2 takes; "},
		{"at the limit", same, 16_384, "warning: 16384 bytes of the 16384 that EC2 takes; "},
		{"above it", same, 16_385, "warning: 16385 bytes are more than the 16384 that EC2 takes; compress it: "},
		{"above it even compressed", noise, 32_000, "warning: 32000 bytes are more than the 16384 that EC2 takes; compressed it would have "},
		{"above two", same, 32_769, "warning: 32769 bytes are more than EC2, Hetzner Cloud take; compress it: "},
		{"above all", same, 600_000, "warning: 600000 bytes are more than EC2, Hetzner Cloud, OpenStack, Azure, VMware, Compute Engine take; leave contents out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := []byte(head + tt.fill(tt.size-len(head)))
			f := &source.File{Name: "f", Bytes: text}
			_, found := schema.Decode(schema.Input{Files: []*source.File{f}, Raw: text})
			got := ""
			for _, d := range found {
				got += fmt.Sprintf("%s: %s; %s", d.Severity, d.Summary, d.Detail)
			}
			if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, found := schema.Decode(schema.Input{Files: []*source.File{f}}); len(found) > 0 {
				t.Errorf("where nobody says what is raw: %+v", found)
			}
		})
	}
}

// What is not YAML has no size worth telling: a template grows or shrinks when it is rendered.
func TestPlatformSizeOfATemplate(t *testing.T) {
	text := []byte("#cloud-config\n{{ range .Files }}\n# " + strings.Repeat("a", 20_000))
	_, found := schema.Decode(schema.Input{Files: []*source.File{{Name: "f", Bytes: text}}, Raw: text})
	if len(found) != 1 || found[0].Rule.ID != "yaml-key-type" {
		t.Errorf("found %+v", found)
	}
}
