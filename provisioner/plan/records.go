package plan

import (
	"bytes"
	"maps"
	"strings"

	"cloudconfig/schema/sshkey"
)

// Form is how a record stands in a file that we share. Its text is in the manifest and must not change.
type Form string

// The forms. All but the first and the last two are lines, of which the name is a part.
const (
	AccountForm     Form = "account"     // of the account files; package accounts knows them
	AssignmentForm  Form = "assignment"  // KEY=value, by its key
	HostForm        Form = "host"        // of hosts(5), by its address
	KeyForm         Form = "key"         // in our block of authorized_keys, by type and fingerprint
	SudoForm        Form = "sudo"        // of sudoers(5), by itself
	SSHForm         Form = "sshd"        // of sshd_config(5), by its keyword
	TailForm        Form = "tail"        // what write_files appends to a file
	CertificateForm Form = "certificate" // what is deselected of ca-certificates.conf
)

// tailName is the name of the one record of TailForm that a file has.
const tailName = "end of file"

// read is the name of the record that a line is, and what it says; the name is "" if it is none.
func (f Form) read(line string) (name, value string) {
	line = strings.TrimRight(line, "\r\n")
	switch f {
	case AssignmentForm:
		if key, value, ok := strings.Cut(strings.TrimLeft(line, " \t"), "="); ok {
			return key, value
		}
	case HostForm:
		text, _, _ := strings.Cut(line, "#")
		if fields := strings.Fields(text); len(fields) > 0 {
			return fields[0], strings.Join(fields[1:], " ")
		}
	case KeyForm:
		if k, err := sshkey.Parse(line); err == nil {
			return keyName(k), k.String()
		}
	case SudoForm:
		return line, ""
	case SSHForm:
		if l := sshLines([]byte(line)); len(l) > 0 {
			return l[0].name(), l[0].value
		}
	}
	return "", ""
}

// keyName is the name of a key's record.
func keyName(k sshkey.Key) string {
	k.Comment = ""
	return describe(k)
}

// scope is the part of a text that records of a form can be in.
func (f Form) scope(text []byte) (before, in, after []byte) {
	switch f {
	case KeyForm:
		in, before, after = cutBlock(text)
		return before, in, after
	case SSHForm:
		end := globalEnd(string(text))
		return nil, text[:end], text[end:]
	}
	return nil, text, nil
}

// all are the records of a text, by their names, with what they say. Of several of one name the first counts.
func (f Form) all(text []byte) map[string]string {
	out := map[string]string{}
	_, in, _ := f.scope(text)
	for line := range bytes.Lines(in) {
		name, value := f.read(string(line))
		if _, known := out[name]; !known && name != "" {
			out[name] = value
		}
	}
	return out
}

// find is what one record of a text says; nil if it is not there.
func (f Form) find(name string, text []byte) *string {
	if value, there := f.all(text)[name]; there {
		return &value
	}
	return nil
}

// count is how many records of a text have a name.
func (f Form) count(name string, text []byte) (n int) {
	_, in, _ := f.scope(text)
	for line := range bytes.Lines(in) {
		if of, _ := f.read(string(line)); of == name {
			n++
		}
	}
	return n
}

// without is a text without some records, by their names; of several of one name the first goes.
func (f Form) without(names map[string]bool, text []byte) []byte {
	before, in, after := f.scope(text)
	var left []byte
	some := false
	names = maps.Clone(names)
	for line := range bytes.Lines(in) {
		name, _ := f.read(string(line))
		if names[name] {
			delete(names, name)
			continue
		}
		some = some || name != ""
		left = append(left, line...)
	}
	if f == KeyForm && !some {
		left = nil // the lines that enclose it go with the last key
	}
	return append(append(bytes.Clone(before), left...), after...)
}

// tail is the end of a text that is as long as what was appended to it.
func tail(h Held, text []byte) *string {
	at := len(text) - h.Size
	if h.Size == 0 || at < 0 {
		return nil
	}
	end := string(text[at:])
	return &end
}
