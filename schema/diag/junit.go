package diag

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
)

// junit writes a test suite a file, with one test case that fails if the file has a finding of severity FailOn or
// above, and whose text is what the text form has. One case, and not one a finding, is what test reports can follow:
// the same test passes or fails from run to run, wherever its findings move; and some readers take only the first
// failure of a case.
//
// Source: the dialect that Jenkins' junit-plugin and GitLab's "Unit test reports" read (2026).
func (p *printer) junit(l List) {
	of := map[string]List{}
	names := append([]string(nil), p.Checked...)
	for _, d := range l {
		name, _ := p.fileOf(d.Subject.File)
		if !p.checked[name] && of[name] == nil {
			names = append(names, name)
		}
		of[name] = append(of[name], d)
	}
	failOn := max(p.FailOn, Error)
	failed := 0
	for _, found := range of {
		if found.Reaches(failOn) {
			failed++
		}
	}
	fmt.Fprintf(p.w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"provisioner validate\" tests=\"%d\" failures=\"%d\" errors=\"%d\">\n",
		len(names)+len(p.Unread), failed, len(p.Unread))
	for _, name := range names {
		p.junitFile(name, of[name], failOn)
	}
	for _, u := range p.Unread {
		name := p.attribute(Relative(u.Name, p.Root))
		fmt.Fprintf(p.w, "  <testsuite name=\"%s\" tests=\"1\" failures=\"0\" errors=\"1\">\n    <testcase classname=\"provisioner.validate\" name=\"%s\" file=\"%s\">\n", name, name, name)
		fmt.Fprintf(p.w, "      <error type=\"unread\" message=\"%s\"></error>\n    </testcase>\n  </testsuite>\n", p.attribute(u.Reason))
	}
	p.w.WriteString("</testsuites>\n")
}

func (p *printer) junitFile(name string, found List, failOn Severity) {
	failures := 0
	if found.Reaches(failOn) {
		failures = 1
	}
	shown := p.attribute(Relative(name, p.Root))
	if name == "" {
		shown = "provisioner"
	}
	fmt.Fprintf(p.w, "  <testsuite name=\"%s\" tests=\"1\" failures=\"%d\" errors=\"0\">\n    <testcase classname=\"provisioner.validate\" name=\"%s\" file=\"%s\"", shown, failures, shown, shown)
	if len(found) == 0 {
		p.w.WriteString("></testcase>\n  </testsuite>\n")
		return
	}
	p.w.WriteString(">\n")
	var text bytes.Buffer
	inner := *p
	inner.Color, inner.w = false, bufio.NewWriter(&text)
	for _, d := range found {
		inner.text(d)
	}
	inner.w.Flush()
	element, attributes := "system-out", ""
	if failures > 0 {
		element, attributes = "failure", fmt.Sprintf(" type=\"%s\" message=\"%s\"", worst(found), found.Tally())
	}
	fmt.Fprintf(p.w, "      <%s%s>%s</%s>\n    </testcase>\n  </testsuite>\n", element, attributes, xmlText(text.String()), element)
}

func worst(l List) Severity {
	s := Info
	for _, d := range l {
		s = min(s, d.Severity)
	}
	return s
}

// attribute is a text of others as the value of an XML attribute.
func (p *printer) attribute(s string) string { return xmlText(p.words(s)) }

// xmlText escapes what XML takes for markup. Characters that XML cannot hold at all are none that words lets through.
func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
