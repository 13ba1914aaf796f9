// Package header knows a part of user-data by its first line, and says what one was meant to be that it does not know.
//
// [Of] is the thing to call. Whether the rest of the part is what its first line says is not looked at.
package header

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"cloudconfig/schema/config"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/spelling"
)

// Kind is what a part of the user-data is. The zero value is nothing at all.
type Kind int

const (
	// Config is a cloud-config.
	Config Kind = iota + 1
	// Script is a text whose first line names its interpreter.
	Script
	// Boothook is a script to run early on every boot; its first line may name the kind, with the script below.
	Boothook
)

// What MIME calls them.
const (
	typeConfig = "text/cloud-config"
	typeScript = "text/x-shellscript"
	typeHook   = "text/cloud-boothook"
)

const (
	byteOrderMark = "\xef\xbb\xbf"
	configHeader  = "#cloud-config"
	hookHeader    = "#cloud-boothook"
	blanks        = " \t\r"
)

// Of reads the first line of a part, after a byte order mark, and says what the part is. Blanks may follow
// #cloud-config. A part whose first line says nothing we know is reported, with what was likely meant, unless what it
// came in says that it is a cloud-config.
func Of(found *findings.Collector, f *source.File) Kind {
	if isUTF16(f.Bytes) {
		found.ReportAt(rules.TextEncoding, "", f.Range(0, 1), "the text is UTF-16").Detail = "save it as UTF-8"
		return 0
	}
	text := WithoutMark(f.Bytes)
	if len(text) < len(f.Bytes) {
		mark := f.Range(0, len(byteOrderMark))
		found.ReportAt(rules.ByteOrderMark, "", mark, "the text begins with a byte order mark").Fix = []diag.Edit{{At: mark}}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return 0
	}
	line := string(WithoutMark(f.Text(f.FirstLine())))
	rest, isConfig := strings.CutPrefix(line, configHeader)
	kind := Kind(0)
	switch {
	case isConfig && strings.Trim(rest, blanks) == "":
		kind = Config
	case isConfig && isBlank(rest[0]) && !oneLine(text) && !holdsKey(rest):
		at := len(f.Bytes) - len(text) + len(line) - len(strings.TrimLeft(rest, blanks))
		found.ReportAt(rules.HeaderTrailing, "", f.Range(at, at+len(strings.Trim(rest, blanks))), "text after #cloud-config").Detail = "put it on a line of its own"
		kind = Config
	case BelowBoothook(f.Bytes) > 0, f.Type == typeHook && strings.HasPrefix(line, "#!"):
		return Boothook
	case strings.HasPrefix(line, "#!") && !strings.HasPrefix(line, "#!cloud") && !flattened(line, text):
		kind = Script
	case f.Type == typeConfig:
		return Config
	}
	at := f.LineRange(f.FirstLine())
	switch {
	case kind == Config && strings.HasPrefix(f.Type, typeScript):
		found.ReportAt(rules.PartType, "", at, "a cloud-config in a part of type %s", f.Type).Detail = "say " + typeConfig
	case kind == Script && f.Type == typeConfig:
		found.ReportAt(rules.PartType, "", at, "a script in a part of type %s", f.Type).Detail = "say " + typeScript
	}
	if kind == Config && f.Whole() == f && bytes.IndexByte(text, '\r') >= 0 { // a message has such ends by rights
		d := found.ReportAt(rules.WindowsLineEnds, "", at, "the document has Windows line ends")
		d.Fix = []diag.Edit{{At: f.Range(0, len(f.Bytes)), Text: string(UnixLines(f.Bytes))}}
	}
	if kind != 0 {
		return kind
	}
	found.Diags.Add(accident(f, line, text))
	return 0
}

// BelowBoothook is where the text begins that stands below the line which says that it is a boothook; 0 if there is no
// such line.
func BelowBoothook(text []byte) int {
	mark := len(text) - len(WithoutMark(text))
	line := text[mark:]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	if strings.ToLower(strings.TrimRight(string(line[:min(len(line), 64)]), blanks)) != hookHeader {
		return 0
	}
	at := min(mark+len(line)+1, len(text))
	for { // cloud-init passes over blank lines too
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 || len(bytes.TrimSpace(text[at:at+next])) > 0 {
			return at
		}
		at += next + 1
	}
}

// When is how often a script runs, by the type of its part.
func When(mediaType string) config.When {
	switch mediaType {
	case typeScript + "-per-boot":
		return config.PerBoot
	case typeScript + "-per-once":
		return config.Once
	}
	return config.PerInstance
}

// UnixLines makes the line ends of a text those of Unix.
func UnixLines(text []byte) []byte {
	if bytes.IndexByte(text, '\n') < 0 {
		return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}

func isBlank(b byte) bool { return strings.IndexByte(blanks, b) >= 0 }

// WithoutMark is a text without a byte order mark in front.
func WithoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte(byteOrderMark)) }

// isUTF16 knows it by its mark, or else by the first character being one of ASCII's.
func isUTF16(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) || len(b) > 1 && (b[0] == 0) != (b[1] == 0)
}

// finding is what accident makes of each of them, and need not be there a dozen times.
//
//go:noinline
func finding(at source.Range, rule *diag.Rule, detail, summary string) diag.Diagnostic {
	d := diag.New(rule, at, "%s", summary)
	d.Detail = detail
	return d
}

// accident says what a part without a known first line was meant to be.
func accident(f *source.File, line string, text []byte) diag.Diagnostic {
	first := strings.Trim(line, blanks)
	lower := strings.ToLower(first)
	body := bytes.TrimSpace(text)
	at := f.LineRange(f.FirstLine())
	const write = "write #cloud-config as the first line"
	switch meant, detail := misspelt(line); {
	case bytes.IndexByte(text, 0) >= 0:
		at = f.Range(0, 1)
		return finding(at, rules.HeaderBinary, "give a #cloud-config document or a script", "this is binary data")
	case flattened(lower, text):
		if from := bytes.Index(f.Bytes, []byte(configHeader)); from >= 0 && from < len(configHeader) {
			at = f.Range(from+len(configHeader), min(from+len(configHeader)+2, len(f.Bytes)))
		}
		return finding(at, rules.HeaderFlattened, "what carried it here has made one line of many", "the line ends of the document are lost")
	case first == "" && beginsMessage(body):
		return finding(at, rules.HeaderNotFirst, "begin with the header", "a blank line stands before the header of the message")
	case meant:
		d := finding(at, rules.HeaderMisspelt, detail, "the first line is misspelt")
		if strings.Contains(detail, configHeader) && !oneLine(text) {
			d.Fix = []diag.Edit{{At: at, Text: configHeader}}
		}
		return d
	case body[0] == '{' && !bytes.HasPrefix(body, []byte("{{")) && !bytes.HasPrefix(body, []byte("{%")):
		if bytes.Contains(body, []byte(`"ignition"`)) || bytes.Contains(body, []byte("ignitionVersion")) {
			return finding(at, rules.HeaderIgnition, "give a #cloud-config document", "this is a configuration of Ignition's")
		}
		return finding(at, rules.HeaderJSON, write+": JSON is YAML too", "JSON without a header")
	case strings.HasPrefix(lower, "<!doctype"), strings.HasPrefix(lower, "<html"), strings.HasPrefix(lower, "<?xml"), strings.HasPrefix(lower, "<head"):
		return finding(at, rules.HeaderHTML, "look at what the address answers", "this is a page of HTML or XML, most likely the error page of a server")
	}
	if from, header := headerBelow(text); from >= 0 {
		detail := "it is the very first line: move it there"
		if first == "---" {
			detail += ", before ---"
		}
		d := finding(at, rules.HeaderNotFirst, detail, "something stands above "+header)
		from += len(f.Bytes) - len(text)
		d.Related = []diag.Related{{Message: "it is here", At: f.Range(from, from+len(header))}}
		return d
	}
	switch inside := insideBase64(body); {
	case inside != "":
		d := finding(at, rules.HeaderBase64, "decode it, or tell the platform that it is encoded", "this is "+inside+" in base64")
		d.Secret = true // nobody can see what is in it
		return d
	case variant(text):
		return finding(at, rules.HeaderIgnition, "give a #cloud-config document", "this is a configuration of Butane's")
	case mapsKeys(text):
		return finding(at, rules.HeaderMissing, write, "the first line does not name a kind of user-data")
	case !utf8.Valid(text):
		return finding(at, rules.HeaderBinary, "give a #cloud-config document or a script", "this is not text")
	case strings.HasPrefix(first, "{{"), strings.HasPrefix(first, "{%"):
		return finding(at, rules.HeaderUnknown, "render it first", "this is a template")
	}
	return finding(at, rules.HeaderUnknown, "it is #cloud-config, or #! and an interpreter", "the first line does not name a kind of user-data")
}

func beginsMessage(body []byte) bool {
	name, _, _ := bytes.Cut(body[:min(len(body), 32)], []byte(":"))
	return bytes.EqualFold(name, []byte("mime-version")) || bytes.EqualFold(name, []byte("content-type"))
}

// oneLine says that a text has no line end but at its end.
func oneLine(text []byte) bool { return !bytes.ContainsAny(bytes.TrimSpace(text), "\r\n") }

// flattened says that the line ends of a document were lost on the way, by what is left in place of them.
func flattened(first string, text []byte) bool {
	rest, isConfig := strings.CutPrefix(strings.TrimLeft(first, `"'`), configHeader)
	switch {
	case isConfig && strings.HasPrefix(rest, `\n`), isConfig && strings.HasPrefix(rest, `\r\n`):
		return true
	case isConfig && rest != "" && isBlank(rest[0]):
		return holdsKey(rest)
	}
	return strings.HasPrefix(first, "#!/") && strings.Contains(first, `\n`) && oneLine(text)
}

// holdsKey says that a line has a word with a colon in it, as "#cloud-config hostname: web1" has.
func holdsKey(line string) bool {
	for _, word := range strings.Fields(line) {
		if name, ok := strings.CutSuffix(word, ":"); ok && language.At("").Has(language.Fold(name)) {
			return true
		}
	}
	return false
}

// misspelt says that a line was meant to be a first line, and what is wrong with it.
func misspelt(line string) (meant bool, detail string) {
	const config = "write #cloud-config as the first line"
	if strings.TrimLeft(line, blanks) != line {
		if trimmed := strings.Trim(line, blanks); trimmed == configHeader || strings.HasPrefix(trimmed, "#!/") {
			return true, "remove the blank in front of it"
		}
	}
	line = strings.Trim(line, blanks)
	for _, begin := range []string{"#/", "!/", "!#/", "# !/", "# /bin/", "# /usr/bin/"} {
		if rest, ok := strings.CutPrefix(line, begin); ok && strings.Contains(begin+rest, "/bin/") {
			return true, "a script begins with #! and the path of its interpreter"
		}
	}
	letters := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, line)
	switch letters {
	case "cloud", "cloudinit", "cloudconf", "coreos", "coreosconfig":
		return strings.HasPrefix(line, "#"), config
	}
	return letters != "" && len(letters) <= len(line) && len(line)-len(letters) <= 6 && spelling.Distance(letters, "cloudconfig") <= 2, config
}

// headerBelow finds a header below the first line: its offset, or -1.
func headerBelow(text []byte) (from int, header string) {
	for from := 0; from < len(text); {
		line := text[from:]
		if k := bytes.IndexAny(line, "\r\n"); k >= 0 {
			line = line[:k]
		}
		switch trimmed := bytes.Trim(line, blanks); {
		case from > 0 && string(trimmed) == configHeader:
			return from + bytes.IndexByte(line, '#'), configHeader
		case from > 0 && bytes.HasPrefix(line, []byte("#!/")):
			return from, string(line[:2])
		case len(trimmed) > 0 && trimmed[0] != '#' && !bytes.HasPrefix(trimmed, []byte("---")) && !bytes.HasPrefix(trimmed, []byte("%")):
			// A script's first line further down is part of something else.
			if k := bytes.Index(text[from:], []byte("\n"+configHeader+"\n")); k >= 0 {
				return from + k + 1, configHeader
			}
			return -1, ""
		}
		from += len(line) + 1
	}
	return -1, ""
}

// mapsKeys says that the first line which is no comment is a key with a colon.
func mapsKeys(text []byte) bool {
	for len(text) > 0 {
		line, rest := text, []byte(nil)
		if k := bytes.IndexAny(text, "\r\n"); k >= 0 {
			line, rest = text[:k], text[k+1:]
		}
		text = rest
		if trimmed := bytes.Trim(line, blanks); len(trimmed) == 0 || trimmed[0] == '#' || string(trimmed) == "---" {
			continue
		}
		key, _, found := bytes.Cut(line, []byte(":"))
		return found && len(key) > 0 && bytes.IndexFunc(key, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) < 0
	}
	return false
}

// variant says that this is Butane's YAML, of which Ignition's JSON is made: it names its variant and version.
func variant(text []byte) bool {
	return bytes.HasPrefix(text, []byte("variant:")) && bytes.Contains(text, []byte("\nversion:"))
}

// insideBase64 says what base64 holds; "" if the text is none.
func insideBase64(body []byte) string {
	compact := make([]byte, 0, len(body))
	for _, b := range body {
		if b == '\n' || b == '\r' {
			continue
		}
		compact = append(compact, b)
	}
	if len(compact) < 16 || len(compact)%4 != 0 {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(string(compact))
	switch {
	case err != nil:
		return ""
	case bytes.HasPrefix(decoded, []byte("\x1f\x8b")):
		return "gzip"
	case bytes.HasPrefix(decoded, []byte(configHeader)):
		return "a cloud-config"
	case bytes.HasPrefix(decoded, []byte("#!")):
		return "a script"
	case bytes.HasPrefix(decoded, []byte("{")) && json.Valid(decoded):
		return "JSON"
	case len(compact) >= 64, utf8.Valid(decoded) && bytes.ContainsAny(decoded, " \n"):
		return "something"
	}
	return ""
}
