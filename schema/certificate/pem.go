package certificate

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// block is one block of a PEM text.
type block struct {
	from, to int    // of its first line, without the line end
	label    string // "CERTIFICATE"
	der      []byte
	// encrypted says that the content needs a passphrase.
	encrypted bool
}

// secret says that nothing of the block may be drawn.
func (b *block) secret() bool { return strings.Contains(b.label, "PRIVATE KEY") }

// scan cuts a PEM text into its blocks of X.509 and its keys, strictly, and says what of it cannot be read. Text
// around the blocks, and blocks of other worlds such as PGP's, are passed over. faulty says that a block is
// missing from the answer for what is reported.
//
// Format: RFC 7468 (2015), and the headers of encrypted keys of RFC 1421 section 4.6. Where readers differ, the
// stricter one counts: Go 1.26 encoding/pem, OpenSSL 3.0 crypto/pem/pem_lib.c.
func scan(text string) (blocks []block, slips []diag.Slip, faulty bool) {
	s := scanner{}
	for offset := 0; offset < len(text); {
		line, _, _ := strings.Cut(text[offset:], "\n")
		s.line(offset, line)
		offset += len(line) + 1
	}
	if s.open {
		s.unclosed()
	}
	return s.blocks, s.slips, s.faulty
}

type scanner struct {
	blocks []block
	slips  []diag.Slip
	faulty bool

	open    bool
	foreign bool // the open block is none of ours
	current block
	body    strings.Builder
	last    [2]int // the last line with base64 in it
	header  bool   // lines with a colon may come
	ended   bool   // there was padding
	blank   int    // where the first blank line stands within the base64; 0 if nowhere, -1 if that was reported
	broken  bool   // something was reported for the open block
}

func (s *scanner) report(rule *diag.Rule, from, to int, format string, args ...any) *diag.Slip {
	s.slips = append(s.slips, diag.Slip{Rule: rule, From: from, To: to, Summary: fmt.Sprintf(format, args...), Secret: s.open && s.current.secret()})
	return &s.slips[len(s.slips)-1]
}

// fault reports what makes a block unreadable, once for each block.
func (s *scanner) fault(rule *diag.Rule, from, to int, format string, args ...any) *diag.Slip {
	if s.broken {
		return &diag.Slip{}
	}
	s.faulty, s.broken = true, s.open
	return s.report(rule, from, to, format, args...)
}

func (s *scanner) line(at int, raw string) {
	text := strings.TrimRight(raw, " \t\r")
	lead := len(text) - len(strings.TrimLeft(text, " \t"))
	from, to := at+lead, at+len(text)
	m, isMarker := markerOf(text[lead:])
	switch {
	case isMarker && isOurs(m.label) && m.rest:
		s.foreign = false
		rule, what := rules.PEMSyntax, "a PEM block on a single line: its line ends are lost"
		if isStandIn(text) {
			rule, what = rules.Placeholder, "the PEM block has a placeholder in it"
		}
		d := s.fault(rule, from, from+m.end, "%s", what)
		d.Detail = "write the block with | before it, which keeps the line ends"
		d.Secret = strings.Contains(text, "PRIVATE KEY")
	case isMarker && !s.foreign && isOurs(m.label) && (lead > 0 || !m.exact):
		d := s.fault(rules.PEMSyntax, from, to, "the %s line of a PEM block is not as it must be", m.word)
		d.Detail = "it is -----" + m.word + " " + m.label + "-----, with five hyphens on each side and nothing before or after"
		s.marker(m, from, to)
	case isMarker && (m.exact || isOurs(m.label)):
		s.marker(m, from, to)
	case s.open && !s.foreign:
		s.content(at, from, to, text[lead:])
	}
}

// marker takes a line of BEGIN or END.
func (s *scanner) marker(m marker, from, to int) {
	switch {
	case m.word == "BEGIN":
		if s.open {
			s.unclosed()
		}
		s.open, s.foreign, s.broken = true, !isOurs(m.label), false
		s.current = block{from: from, to: to, label: m.label}
		s.body.Reset()
		s.last, s.header, s.ended, s.blank = [2]int{from, to}, true, false, 0
	case !s.open && isOurs(m.label):
		s.fault(rules.PEMSyntax, from, to, "the end of a PEM block without its beginning")
	case s.open && m.label != s.current.label:
		if s.foreign {
			return
		}
		s.fault(rules.PEMSyntax, from, to, "the block that ends here began as %s", s.current.label)
		s.close()
	case s.open:
		if !s.foreign {
			s.decode()
		}
		s.close()
	}
}

func (s *scanner) close() { s.open, s.foreign, s.broken = false, false, false }

func (s *scanner) unclosed() {
	if !s.foreign {
		s.fault(rules.PEMSyntax, s.current.from, s.current.to, "the PEM block is cut short: its END line is missing")
	}
	s.close()
}

// content takes a line between BEGIN and END.
func (s *scanner) content(at, from, to int, line string) {
	switch {
	case line == "":
		if s.blank == 0 && s.body.Len() > 0 {
			s.blank = at
		}
		s.header = false
		return
	case s.header && strings.Contains(line, ":") && !strings.HasPrefix(line, "<"):
		s.current.encrypted = s.current.encrypted || strings.HasPrefix(line, "Proc-Type:") && strings.HasSuffix(line, "ENCRYPTED")
		return
	case isStandIn(line):
		s.fault(rules.Placeholder, from, to, "the PEM block has a placeholder in it")
		return
	}
	s.header = false
	if s.blank > 0 {
		d := s.report(rules.PEMSyntax, s.blank, s.blank, "a blank line within the base64 of a PEM block")
		d.Severity, d.Detail, s.blank = diag.Warning, "OpenSSL cannot read such a block: leave the line out", -1
	}
	digits := strings.TrimRight(line, "=")
	if i := strings.IndexFunc(digits, isNoDigit); i >= 0 {
		size := len(digits) - i - len(strings.TrimLeftFunc(digits[i:], isNoDigit))
		s.fault(rules.PEMSyntax, from+i, from+i+size, "a character in a PEM block that is not base64")
	} else if s.ended {
		s.fault(rules.PEMSyntax, from, to, "more base64 after the end of it")
	}
	s.ended = s.ended || len(digits) < len(line)
	s.body.WriteString(line)
	s.last = [2]int{from, to}
}

// minimal is how many characters of base64 a block has at least: an Ed25519 key in PKCS #8 has 64.
const minimal = 60

// decode takes the block that has just ended.
func (s *scanner) decode() {
	if s.current.encrypted && !s.broken {
		s.blocks = append(s.blocks, s.current)
		return
	}
	body := s.body.String()
	if strings.HasSuffix(s.current.label, "PARAMETERS") {
		return
	}
	if len(body) < minimal {
		s.standIn()
		return
	}
	if s.broken {
		return
	}
	der, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		s.fault(rules.PEMSyntax, s.last[0], s.last[1], "the base64 of the PEM block is cut short or damaged here")
		return
	}
	s.current.der = der
	s.blocks = append(s.blocks, s.current)
}

// standIn makes of what was reported for the open block that it is a placeholder.
func (s *scanner) standIn() {
	for i := len(s.slips) - 1; s.broken && i >= 0 && s.slips[i].From >= s.current.from; i-- {
		if s.slips[i].Rule == rules.PEMSyntax {
			s.slips = append(s.slips[:i], s.slips[i+1:]...)
		} else {
			return
		}
	}
	s.broken = false
	s.fault(rules.Placeholder, s.current.from, s.current.to, "the PEM block is too short to be anything but a placeholder")
}

// isNoDigit says that a character is none of base64's 64.
func isNoDigit(r rune) bool {
	return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '+' && r != '/'
}

// isStandIn says that a line stands for lines that somebody has left out.
func isStandIn(line string) bool {
	for _, s := range [...]string{"..", "…", "<", "{{", "${", "[", "**"} {
		if strings.Contains(line, s) {
			return true
		}
	}
	return false
}

var ourLabels = []string{
	"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "X509 CRL",
	"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY",
	"PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS", "DH PARAMETERS", "PKCS7",
}

// isOurs says that a label is one of X.509 and of the keys that go with it. Many call it, and none needs a copy of its own.
//
// Source: RFC 7468 section 4, and OpenSSL 3.0 include/openssl/pem.h.
//
//go:noinline
func isOurs(label string) bool {
	return slices.Contains(ourLabels, label)
}

// marker is a line that begins or ends a block.
type marker struct {
	word, label string // "BEGIN", "CERTIFICATE"
	exact       bool   // five hyphens on each side
	rest        bool   // more follows on the line
	end         int    // where the marker ends in the line
}

// markerOf reads a line, without blanks around it, that means to begin or to end a block.
func markerOf(line string) (m marker, ok bool) {
	inner := strings.TrimLeft(line, "-")
	before := len(line) - len(inner)
	if before == 0 {
		return m, false
	}
	for _, m.word = range [...]string{"BEGIN", "END"} {
		label, found := strings.CutPrefix(inner, m.word+" ")
		if !found {
			continue
		}
		hyphens := strings.IndexByte(label, '-')
		if hyphens < 0 {
			hyphens = len(label)
		}
		rest := strings.TrimLeft(label[hyphens:], "-")
		after := len(label) - hyphens - len(rest)
		m.label = strings.TrimSpace(label[:hyphens])
		m.exact = before == 5 && after == 5 && m.label == label[:hyphens]
		m.rest = rest != ""
		m.end = len(line) - len(rest)
		return m, true
	}
	return m, false
}
