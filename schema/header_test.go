package schema_test

import (
	"fmt"
	"testing"
)

// TestFirstLine has accidents that were made, and one rule for each.
func TestFirstLine(t *testing.T) {
	const rest = "\nhostname: web1\n"
	tests := []struct{ name, text, want string }{
		{"as it should be", "#cloud-config" + rest, ""},
		{"blanks behind it", "#cloud-config \t" + rest, ""},
		{"nothing at all", " \n", ""},
		{"a comment behind it", "#cloud-config for web1" + rest, "1:15-1:23 warning header-trailing"},
		{"a key behind it, flattened", "#cloud-config hostname: web1", "1:14-1:16 error header-flattened"},
		{"line ends in letters", `#cloud-config\nhostname: web1\n`, "1:14-1:16 error header-flattened"},
		{"a string of JSON", `"#cloud-config\r\nhostname: web1\r\n"`, "1:15-1:17 error header-flattened"},
		{"a script in one line", `#!/bin/sh\necho a\n`, "1:1-1:20 error header-flattened"},
		{"a letter too few", "#cloud-confg" + rest, "1:1-1:13 error header-misspelt"},
		{"capitals", "#Cloud-Config" + rest, "1:1-1:14 error header-misspelt"},
		{"a blank inside", "# cloud-config" + rest, "1:1-1:15 error header-misspelt"},
		{"a blank before", " #cloud-config" + rest, "1:2-1:15 error header-misspelt"},
		{"without #", "cloud-config" + rest, "1:1-1:13 error header-misspelt"},
		{"cloud-init", "#cloud-init" + rest, "1:1-1:12 error header-misspelt"},
		{"an underscore", "#cloud_config" + rest, "1:1-1:14 error header-misspelt"},
		{"a colon", "#cloud-config:" + rest, "1:1-1:15 error header-misspelt"},
		{"as if it were a script", "#!cloud-config" + rest, "1:1-1:15 error header-misspelt"},
		{"a script without !", "#/bin/bash\necho\n", "1:1-1:11 error header-misspelt"},
		{"a script without #", "!/bin/bash\necho\n", "1:1-1:11 error header-misspelt"},
		{"a comment that speaks of it", "# our cloud-config for the web" + rest, "1:1-1:31 error header-missing"},
		{"none", "hostname: web1\n", "1:1-1:15 error header-missing"},
		{"none, after a comment", "# web1" + rest, "1:1-1:7 error header-missing"},
		{"--- above", "---\n#cloud-config" + rest, "1:1-1:4 error header-not-first"},
		{"a comment above", "# web1\n#cloud-config" + rest, "1:1-1:7 error header-not-first"},
		{"an empty line above", "\n#cloud-config" + rest, "1:1-1:1 error header-not-first"},
		{"an empty line above a script", "\n#!/bin/sh\necho\n", "1:1-1:1 error header-not-first"},
		{"a key above", "x: y\n#cloud-config" + rest, "1:1-1:5 error header-not-first"},
		{"JSON", `{"hostname": "web1"}`, "1:1-1:21 error header-json"},
		{"Ignition", `{"ignition": {"version": "3.4.0"}}`, "1:1-1:35 error header-ignition"},
		{"Butane", "variant: fcos\nversion: 1.5.0\n", "1:1-1:14 error header-ignition"},
		{"HTML", "<!DOCTYPE html>\n", "1:1-1:16 error header-html"},
		{"XML", "<?xml version='1.0'?>\n<Error/>\n", "1:1-1:22 error header-html"},
		{"base64", "I2Nsb3VkLWNvbmZpZwpob3N0\nbmFtZTogd2ViMQo=\n", "1:1-1:25 error header-base64"},
		{"base64 of gzip", "H4sIAOC3tVQAA8tIzcnJ5wIAIDA6NgYAAAA=", "1:1-1:37 error header-base64"},
		{"an archive", "PK\x03\x04\x00\x00\x00\x00", "1:1-1:2 error header-binary"},
		{"Latin-1", "Hall\xf6chen\n", "1:1-1:10 error header-binary"},
		{"a template", "{% if a %}\n", "1:1-1:11 error header-unknown"},
		{"a word", "hello\n", "1:1-1:6 error header-unknown"},
		{"a long word", "thequickbrownfox\n", "1:1-1:17 error header-unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, found := decode("f", []byte(tt.text))
			got := ""
			for _, d := range found {
				got += fmt.Sprintf("%d:%d-%d:%d %s %s", d.Subject.Start.Line, d.Subject.Start.Column, d.Subject.End.Line, d.Subject.End.Column, d.Severity, d.Rule.ID)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
