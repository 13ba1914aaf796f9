package cli_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cloudconfig/provisioner/cli"
	"cloudconfig/provisioner/report"
	"cloudconfig/schema/image"
)

var schemaBlock = regexp.MustCompile("(?s)\n## (\\S+)\n.*?```json\n(.*?)```")

// TestJSON holds what the program prints and writes against the schemas in docs/json.md.
func TestJSON(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]*jsonschema.Schema{}
	for _, m := range schemaBlock.FindAllSubmatch(page, -1) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(string(m[1]), doc); err != nil {
			t.Fatal(err)
		}
		if schemas[string(m[1])], err = c.Compile(string(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	hold := func(name string, text []byte) {
		t.Helper()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			return
		}
		if schemas[name] == nil {
			t.Fatalf("docs/json.md has no schema for %s", name)
		}
		if err := schemas[name].Validate(doc); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	t.Setenv("JOURNAL_STREAM", "")
	run := func(want int, args ...string) []byte {
		t.Helper()
		var out, progress bytes.Buffer
		c := cli.Command{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &progress, Version: "v1"}
		if got := c.Main(append([]string{"provisioner"}, args...)); got != want {
			t.Fatalf("%s ends with %d:\n%s", strings.Join(args, " "), got, &progress)
		}
		return out.Bytes()
	}
	example := "../../examples/files-in-every-encoding.yaml"
	for _, bad := range []string{"duplicate-key", "many-at-once", "account-name-path"} {
		bad = "../../schema/testdata/bad/" + bad + ".yaml"
		hold("validate", run(1, "validate", "--format", "json", bad))
		hold("gitlab", run(1, "validate", "--format", "gitlab", bad))
		baseline := filepath.Join(t.TempDir(), "baseline.json")
		run(0, "validate", "--write-baseline", baseline, bad)
		text, err := os.ReadFile(baseline)
		if err != nil {
			t.Fatal(err)
		}
		hold("baseline", text)
	}
	hold("validate", run(0, "validate", "--format", "json", example))
	hold("render", run(0, "render", "--format", "json", "--metadata", "../../examples/metadata.json", example, "../../docs/testdata/parts.mime", "../../schema/testdata/ok/everything.yaml"))
	hold("render", run(0, "render", "--format", "json", "../../examples/script.sh"))
	network := filepath.Join(t.TempDir(), "network.yaml")
	if err := os.WriteFile(network, []byte(`#cloud-config
network:
  version: 2
  ethernets:
    eth0: {match: {macaddress: "52:54:00:00:00:01"}, set-name: lan, mtu: 9000, dhcp4: true, addresses: [192.0.2.10/24]}
  vlans:
    web: {id: 7, link: eth0, routes: [{to: default, via: 192.0.2.1, metric: 50, table: 100}], nameservers: {addresses: [192.0.2.53]}}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, example := range []string{example, network, "../../examples/users-and-keys.yaml", "../../examples/script.sh", "../../schema/testdata/bad/unknown-key.yaml"} {
		root := t.TempDir()
		for _, dir := range []string{"etc", "home", "srv", "var/lib"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "etc/group"), []byte("root:x:0:\nsudo:x:27:\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		flags := []string{"--datasource", "file=" + example, "--root", root, "--metadata", "../../examples/metadata.json"}
		want := 0
		if strings.Contains(example, "/bad/") {
			want = 1
		} else {
			hold("plan", run(0, append([]string{"plan", "--format", "json"}, flags...)...))
		}
		run(want, append([]string{"apply"}, flags...)...)
		hold("status.json", run(want, "status", "--root", root, "--format", "json"))
		hold("explain", run(want, "status", "--explain", "--root", root, "--format", "json"))
		for _, name := range []string{"status.json", "result.json", "instance.json"} {
			text, err := os.ReadFile(filepath.Join(root, "run/provisioner", name))
			if err != nil {
				t.Fatal(err)
			}
			hold(name, text)
		}
		if kept, err := filepath.Glob(filepath.Join(root, "var/lib/provisioner/instances/*/record.json")); err != nil || len(kept) != 1 {
			t.Errorf("records %q, %v", kept, err)
		} else { // the access floor of one that is refused has a record too
			text, err := os.ReadFile(kept[0])
			if err != nil {
				t.Fatal(err)
			}
			hold("record.json", text)
		}
	}
	hold("status.json", run(0, "status", "--root", t.TempDir(), "--format", "json"))
	for _, name := range []string{"status.json", "result.json"} {
		text, err := os.ReadFile("../../docs/testdata/refused/run/provisioner/" + name)
		if err != nil {
			t.Fatal(err)
		}
		hold(name, text)
		if name == "result.json" {
			var r report.Report
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			told, err := r.Tell("web1", []report.HostKey{{Type: "ssh-ed25519", Bits: 256, Fingerprint: "SHA256:x"}})
			if err != nil {
				t.Fatal(err)
			}
			hold("report-url", told)
		}
	}
	bundle := tar.NewReader(bytes.NewReader(run(0, "logs", "--root", "../../docs/testdata/refused", "--output", "-")))
	for {
		h, err := bundle.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(bundle)
		if err != nil {
			t.Fatal(err)
		}
		hold(strings.TrimPrefix(h.Name, "provisioner-logs/"), text)
	}
	hold("explain", run(0, "status", "--explain", "--root", t.TempDir(), "--format", "json"))
	metadata, err := os.ReadFile("../../examples/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	hold("instance.json", metadata)
	for _, sides := range [][2]string{{"/dev/null", example}, {example, "../../examples/users-and-keys.yaml"}, {example, example}, {"../../docs/testdata/diff-old.yaml", "../../docs/testdata/diff-new.yaml"}} {
		hold("diff", run(0, "diff", "--format", "json", sides[0], sides[1]))
	}
	hold("facts", run(0, "facts", "--root", "../../docs/testdata/root"))
	golden := t.TempDir()
	for name, text := range map[string]string{"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "root/.ssh/authorized_keys": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(golden, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(golden, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hold("seal", run(1, "seal", "--check", "--format", "json", "--root", golden))
	hold("seal", run(0, "seal", "--format", "json", "--root", golden))
	hold("detect", run(0, "detect", "--format", "json", "--root", "../../docs/testdata/machine"))
	hold("detect", run(0, "detect", "--format", "json", "--root", t.TempDir()))
	for _, name := range image.Names() {
		text, err := os.ReadFile("../../schema/image/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		hold("facts", text)
	}
}
