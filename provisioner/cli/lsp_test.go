package cli_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cloudconfig/provisioner/cli"
)

// The language server says no more of what was packed into a text than validate does.
func TestLSPKeepsSecretsOfParts(t *testing.T) {
	packed := base64.StdEncoding.EncodeToString([]byte("#cloud-config\nchpasswd:\n  users:\n    - {name: bob, password: hush, type: hushhush}\n"))
	text := "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n" + packed + "\n--b--\n"
	var in bytes.Buffer
	for _, m := range []any{
		map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{}},
		map[string]any{"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": map[string]any{"textDocument": map[string]any{"uri": "file:///x", "text": text}}},
		map[string]any{"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
		map[string]any{"jsonrpc": "2.0", "method": "exit"},
	} {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&in, "Content-Length: %d\r\n\r\n%s", len(b), b)
	}
	var out bytes.Buffer
	c := cli.Command{Stdin: &in, Stdout: &out, Stderr: &out, Version: "v0.0.0"}
	if got := c.Main([]string{"provisioner", "lsp"}); got != 0 {
		t.Errorf("it ends with %d", got)
	}
	if !strings.Contains(out.String(), "bad-value") || strings.Contains(out.String(), "hush") {
		t.Errorf("it says %s", out.String())
	}
}
