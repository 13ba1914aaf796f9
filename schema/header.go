package schema

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// partKind is what a part of the user-data is. The zero value is nothing at all.
type partKind int

const (
	partConfig partKind = iota + 1
	partScript
)

// What MIME calls them.
const (
	typeConfig = "text/cloud-config"
	typeScript = "text/x-shellscript"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// header reads the first line of a part, after a byte order mark, and says what the part is. A part whose first
// line says nothing we know is reported, with what was likely meant, unless what it came in says that it is a
// cloud-config.
func (d *decoder) header(f *source.File) partKind {
	if bytes.HasPrefix(f.Bytes, []byte("\xff\xfe")) || bytes.HasPrefix(f.Bytes, []byte("\xfe\xff")) {
		d.reportAt(rules.TextEncoding, "", f.Range(0, 1), "the text is UTF-16").Detail = "save it as UTF-8"
		return 0
	}
	if bytes.HasPrefix(f.Bytes, byteOrderMark) {
		d.reportAt(rules.ByteOrderMark, "", f.Range(0, len(byteOrderMark)), "the text begins with a byte order mark")
	}
	text := withoutMark(f.Bytes)
	if len(bytes.TrimSpace(text)) == 0 {
		return 0
	}
	first := string(bytes.TrimRight(withoutMark(f.Text(f.FirstLine())), " \t\r"))
	at := f.LineRange(f.FirstLine())
	switch {
	case first == "#cloud-config":
		if f.Type == typeScript {
			d.reportAt(rules.PartType, "", at, "a cloud-config in a part of type %s", f.Type).Detail = "say " + typeConfig
		}
		return partConfig
	case strings.HasPrefix(first, "#!"):
		if f.Type == typeConfig {
			d.reportAt(rules.PartType, "", at, "a script in a part of type %s", f.Type).Detail = "say " + typeScript
		}
		return partScript
	case f.Type == typeConfig:
		return partConfig
	}
	summary, detail := likely(f, first)
	finding := d.reportAt(rules.Header, "", at, "%s", summary)
	finding.Detail = detail
	return 0
}

func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }

var keyLine = regexp.MustCompile(`(?m)^(hostname|users|write[_-]files|coreos|ssh[_-]authorized[_-]keys|groups|runcmd|packages|manage[_-]etc[_-]hosts)[ \t]*:`)

// likely says what a part without a known first line was meant to be.
func likely(f *source.File, first string) (summary, detail string) {
	lower := strings.ToLower(first)
	body := bytes.TrimSpace(withoutMark(f.Bytes))
	const write = "write #cloud-config as the first line"
	switch {
	case strings.HasPrefix(lower, "#cloud-config-archive"), strings.HasPrefix(lower, "#cloud-boothook"), strings.HasPrefix(lower, "#include"),
		strings.HasPrefix(lower, "#part-handler"), strings.HasPrefix(lower, "#upstart-job"), strings.HasPrefix(lower, "## template:"):
		return "this kind of cloud-init's user-data is not known here", "give a #cloud-config document or a script"
	case strings.HasPrefix(lower, "#cloud") && strings.Contains(first, `\n`), strings.HasPrefix(first, "#cloud-config "):
		return "the line ends of the document are lost", "what carried it here has made one line of many"
	case strings.HasPrefix(lower, "#cloud"), strings.HasPrefix(lower, "# cloud"):
		return "the first line is misspelt", write
	case first == "" && beginsMessage(body):
		return "a blank line stands before the header of the message", "begin with the header"
	case bytes.HasPrefix(body, []byte("{")):
		if bytes.Contains(body, []byte(`"ignition"`)) || bytes.Contains(body, []byte("ignitionVersion")) {
			return "this is a configuration of Ignition's", "give a #cloud-config document"
		}
		return "JSON without a header", write + ": JSON is YAML too"
	case strings.HasPrefix(lower, "<!doctype"), strings.HasPrefix(lower, "<html"):
		return "this is an HTML page, most likely the error page of a server", "look at what the address answers"
	case first == "---" && bytes.Contains(f.Bytes, []byte("#cloud-config")):
		return "--- stands before the header", write + ", before ---"
	case bytes.Contains(f.Bytes, []byte("\n#cloud-config")):
		return "#cloud-config is not on the first line", "move it there"
	case keyLine.Match(f.Bytes):
		return "the first line does not name a kind of user-data", write
	case looksBase64(body):
		return "this looks like base64", "decode it, or tell the platform that it is encoded"
	case !utf8.Valid(f.Bytes):
		return "this is not text", "give a #cloud-config document or a script"
	}
	return "the first line does not name a kind of user-data", "it is #cloud-config, or #! and an interpreter"
}

func beginsMessage(body []byte) bool {
	name, _, _ := bytes.Cut(body[:min(len(body), 32)], []byte(":"))
	return bytes.EqualFold(name, []byte("mime-version")) || bytes.EqualFold(name, []byte("content-type"))
}

func looksBase64(body []byte) bool {
	compact := bytes.Join(bytes.Fields(body), nil)
	decoded, err := base64.StdEncoding.DecodeString(string(compact))
	return err == nil && len(decoded) > 12
}

// script takes a part that is run, with its line ends made Unix ones.
func (d *decoder) script(f *source.File) {
	at := f.LineRange(f.FirstLine())
	text := withoutMark(f.Bytes)
	if bytes.Contains(text, []byte("\r\n")) {
		d.reportAt(rules.ScriptLineEnds, "", at, "the script has Windows line ends")
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if interpreter := bytes.TrimSpace(line[2:]); !bytes.HasPrefix(interpreter, []byte("/")) {
		d.reportAt(rules.ScriptInterpreter, "", at, "the script names no interpreter").Detail = "such as #!/bin/sh"
		return
	}
	name := f.Name
	if f.Whole() != f {
		name = fmt.Sprintf("%s:%d", name, at.Start.Line) // the file may hold others
	}
	d.config.Scripts = append(d.config.Scripts, Script{Name: name, Content: text, At: at})
}
