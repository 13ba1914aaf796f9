package assemble

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// MIME as mail has it, read by its lines so that every part knows where it stands, and leniently where
// cloud-init is lenient: parameters need no quotes, and a part may begin without a blank line before it.
//
// Sources: RFC 2045 and 2046 (1996-11); cloud-init, cloudinit/user_data.py and cloudinit/handlers (2026).

// A field is a line of a header with those that continue it.
type field struct {
	name  string // in small letters
	value string
	at    source.Range // its first line
}

// header is the fields before the first blank line.
type header []field

// get is the first field of a name, or nil.
func (h header) get(name string) *field {
	for i := range h {
		if h[i].name == name {
			return &h[i]
		}
	}
	return nil
}

// fieldName is the name of the field that a line is, in small letters; ok is false of any other line.
func fieldName(line []byte) (name string, ok bool) {
	before, _, found := bytes.Cut(line, []byte(":"))
	before = bytes.TrimRight(before, " \t")
	for _, c := range before {
		if c != '-' && !('a' <= c|0x20 && c|0x20 <= 'z') && !('0' <= c && c <= '9') {
			return "", false
		}
	}
	return strings.ToLower(string(before)), found && len(before) > 0
}

// isMailboxLine says that a line is one by which a mailbox parts messages. Some tools write it first.
func isMailboxLine(line []byte) bool { return bytes.HasPrefix(line, []byte("From ")) }

func isContinued(line []byte) bool { return len(line) > 0 && (line[0] == ' ' || line[0] == '\t') }

// nextLine is the line that begins at an offset, without its end, and the offset of the one after it.
func nextLine(b []byte, from int) (line []byte, next int) {
	next = len(b)
	if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
		next = from + i + 1
	}
	return bytes.TrimRight(b[from:next], "\r\n"), next
}

// isMessage says that a text begins with the header of a message, and not with YAML that looks like one.
func isMessage(b []byte) bool {
	b = withoutMark(b)
	b = b[:min(len(b), 8<<10)]
	for at := 0; at < len(b); {
		line, next := nextLine(b, at)
		name, ok := fieldName(line)
		switch {
		case name == "content-type" || name == "mime-version":
			return true
		case !ok && !(at == 0 && isMailboxLine(line)) && !(at > 0 && isContinued(line)):
			return false
		}
		at = next
	}
	return false
}

// maxHeader is the longest header of a message or part, in bytes.
const maxHeader = 64 << 10

// readHeader reads the header that f begins with. body is the offset of what follows. ok is false, and reported, if
// it is too long.
func (a *assembler) readHeader(f *source.File) (h header, body int, ok bool) {
	at := 0
	if bytes.HasPrefix(f.Bytes, []byte(byteOrderMark)) {
		at = len(byteOrderMark)
		a.markFound(f)
	}
	for at < len(f.Bytes) {
		line, next := nextLine(f.Bytes, at)
		if len(line) == 0 {
			return h, next, true
		}
		name, ok := fieldName(line)
		switch {
		case len(h) == 0 && isMailboxLine(line):
		case !ok:
			d := a.report(rules.MIMEHeader, f.Range(at, at+len(line)), "the header has no end: this line is none of it")
			d.Detail = "leave a blank line before it"
			return h, at, true
		default:
			end := next
			for end < len(f.Bytes) && isContinued(f.Bytes[end:]) && end <= maxHeader {
				_, end = nextLine(f.Bytes, end)
			}
			if end > maxHeader {
				a.report(rules.TooLarge, start(f), "the header is longer than %d KiB", maxHeader>>10)
				return nil, 0, false
			}
			value := string(f.Bytes[at+bytes.IndexByte(line, ':')+1 : end])
			value = strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(value))
			h = append(h, field{name: name, value: value, at: f.Range(at, at+len(line))})
			next = end
		}
		at = next
	}
	return h, at, true
}

func (a *assembler) markFound(f *source.File) {
	a.report(rules.ByteOrderMark, f.Range(0, len(byteOrderMark)), "the text begins with a byte order mark")
}

// contentType takes a value such as `text/plain; charset="utf-8"` apart. Type and names of parameters are in
// small letters.
func contentType(value string) (mediaType string, parameters map[string]string) {
	parameters = map[string]string{}
	for i, piece := range splitUnquoted(value) {
		piece = strings.TrimSpace(piece)
		if i == 0 {
			mediaType = strings.ToLower(piece)
			continue
		}
		name, text, found := strings.Cut(piece, "=")
		name, text = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(text)
		if _, there := parameters[name]; found && !there {
			parameters[name] = unquote(text)
		}
	}
	return mediaType, parameters
}

// splitUnquoted splits at every semicolon outside quotes.
func splitUnquoted(s string) (out []string) {
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for s = s[1 : len(s)-1]; s != ""; s = s[1:] {
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		b.WriteByte(s[0])
	}
	return b.String()
}

// entity takes a message, or a part of one: a header and a body.
func (a *assembler) entity(f *source.File, p place) {
	if !a.enter(f) {
		return
	}
	h, body, ok := a.readHeader(f)
	if !ok {
		return
	}
	mediaType, parameters := "text/plain", map[string]string(nil)
	at := start(f)
	if t := h.get("content-type"); t != nil {
		mediaType, parameters = contentType(t.value)
		at = t.at
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		a.multipart(f, body, parameters["boundary"], at, p)
		return
	}
	a.leaves++
	declared, ok := a.declared(mediaType, at)
	if !ok {
		return
	}
	if index := h.get("launch-index"); index != nil {
		a.unsupported(index.at, "a part for one machine of many")
		return
	}
	if document := a.decode(f, h, body); document != nil && a.inUTF8(document, parameters["charset"], at) {
		document.Type = declared
		a.document(document, p.inside())
	}
}

// enter counts a message, an archive, or a part of one; false if there are too many, which is reported once.
func (a *assembler) enter(f *source.File) bool {
	if a.entities++; a.entities == MaxParts+1 {
		a.report(rules.TooLarge, start(f), "there are more than %d parts", MaxParts)
	}
	return a.entities <= MaxParts
}

// The media types of parts.
//
// Source: cloud-init, cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP, and cloudinit/user_data.py (2026).
const (
	typeConfig      = "text/cloud-config"
	typeArchive     = "text/cloud-config-archive"
	typeInclude     = "text/x-include-url"
	typeIncludeOnce = "text/x-include-once-url"
	typeTemplate    = "text/jinja2"
)

// The media types of packed parts. Source: cloud-init, cloudinit/user_data.py, DECOMP_TYPES (2026).
var packed = []string{
	"application/gzip", "application/gzip-compressed", "application/gzipped", "application/x-compress", "application/x-compressed",
	"application/x-gunzip", "application/x-gzip", "application/x-gzip-compressed", "application/x-xz", "application/zstd",
}

// declared is what the media type of a part says that it is, "" if its first line says so. ok is false, and that is
// told, if the part is nothing for us.
func (a *assembler) declared(mediaType string, at source.Range) (declared string, ok bool) {
	switch mediaType {
	case typeConfig, "text/x-shellscript", "text/x-shellscript-per-boot", "text/x-shellscript-per-instance", "text/x-shellscript-per-once",
		"text/cloud-boothook", typeArchive, typeInclude, typeIncludeOnce, typeTemplate:
		return mediaType, true
	case "", "text/plain", "text/x-not-multipart", "application/octet-stream":
		return "", true
	case "application/node.eks.aws": // nodeadm of Amazon EKS, which reads the same user-data
		a.report(rules.PartAside, at, "the part is for another program (%s) and is left to it", mediaType).Detail = "nothing of it is read here"
		return "", false
	}
	if !slices.Contains(packed, mediaType) {
		a.unsupported(at, fmt.Sprintf("a part of type %.80q", mediaType))
		return "", false
	}
	return "", true
}

// multipart takes the body of a message apart, at the lines that are its boundary.
func (a *assembler) multipart(f *source.File, body int, boundary string, at source.Range, p place) {
	switch {
	case boundary == "":
		a.report(rules.MIMEBoundary, at, "the message names no boundary of its parts").Detail = `write one, such as multipart/mixed; boundary="BOUNDARY"`
		return
	case p.nesting >= MaxNesting:
		a.report(rules.TooLarge, at, "there are more than %d messages inside each other", MaxNesting)
		return
	}
	delimiter := []byte("--" + boundary)
	open := source.Range{} // the line that the part in hand begins after
	from, closed := 0, false
	for i := body; i < len(f.Bytes); {
		line, next := nextLine(f.Bytes, i)
		if rest, ok := bytes.CutPrefix(line, delimiter); ok {
			rest = bytes.TrimRight(rest, " \t")
			switch ends := string(rest) == "--"; {
			case len(rest) > 0 && !ends: // a longer boundary's
			case closed:
				a.report(rules.MIMEUnclosed, f.Range(i, i+len(line)), "the message has ended before this part, which is lost").Detail = "end the message after its last part"
				return
			default:
				if !open.IsZero() {
					a.part(f, from, i, p)
				}
				open, from, closed = f.Range(i, i+len(line)), next, ends
			}
		}
		i = next
	}
	switch {
	case open.IsZero():
		a.report(rules.MIMEBoundary, at, "no part begins: there is no line %.80q", delimiter).Detail = "a part begins after a line of two hyphens and the boundary"
	case !closed:
		a.report(rules.MIMEUnclosed, open, "nothing ends this part: the message may be cut short").Detail = fmt.Sprintf("end the message with a line %.80q", string(delimiter)+"--")
		a.part(f, from, len(f.Bytes), p)
	}
}

// part takes what is between two boundaries. By RFC 2046 the line end before a boundary belongs to the boundary; it
// is left to the part, or a text that is indented under "|" there would lose its last line end.
func (a *assembler) part(f *source.File, from, to int, p place) {
	if from < to && a.err == nil {
		a.entity(f.Piece(from, to), p.inside())
	}
}

// decode gives the body of a part: a piece of f if it stands there as it is, without blank lines at its start.
// It is nil if there is none, or if it cannot be decoded.
func (a *assembler) decode(f *source.File, h header, body int) *source.File {
	encoding, at := "", source.Range{}
	if e := h.get("content-transfer-encoding"); e != nil {
		encoding, at = strings.ToLower(e.value), e.at
	}
	raw := f.Bytes[body:]
	var text []byte
	var slip *slip
	switch encoding {
	case "", "7bit", "8bit", "binary":
		for body < len(f.Bytes) {
			line, next := nextLine(f.Bytes, body)
			if isPacked(line) { // what comes after its end would be taken for more of it
				raw = bytes.TrimSuffix(bytes.TrimSuffix(f.Bytes, []byte("\n")), []byte("\r"))
				return f.Piece(body, len(raw))
			}
			if len(bytes.TrimSpace(line)) > 0 {
				return f.Piece(body, len(f.Bytes))
			}
			body = next
		}
		return nil
	case "base64":
		text, slip = fromBase64(raw)
	case "quoted-printable":
		text, slip = fromQuotedPrintable(raw)
	default:
		a.report(rules.TransferEncoding, at, "a part cannot be encoded in %.80q", encoding).Detail = "one of base64, quoted-printable, 8bit, 7bit"
		return nil
	}
	if slip != nil {
		d := a.report(rules.TransferEncoding, f.Range(body+slip.from, body+slip.to), "%s", slip.what)
		d.Detail = slip.cure
		d.Secret = encoding == "base64" // nobody sees what is in such a line
		return nil
	}
	if !a.take(len(text), at) {
		return nil
	}
	return &source.File{Name: a.partName(f) + " (" + encoding + ")", Bytes: text}
}

// inUTF8 says that a text can be read as UTF-8. A charset that has ASCII in it does no harm to ASCII.
func (a *assembler) inUTF8(f *source.File, charset string, at source.Range) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	if isPacked(f.Bytes) || !slices.ContainsFunc(f.Bytes, func(c byte) bool { return c >= 0x80 || c == 0 || c == 0x1b }) {
		return true
	}
	a.report(rules.TextEncoding, at, "the part is in %.80q", charset).Detail = "write it in UTF-8, and charset=utf-8"
	return false
}
