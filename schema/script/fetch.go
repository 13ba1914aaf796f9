package script

import (
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

// fetches finds what a shell script fetches and runs unseen: curl URL | sh, sh -c "$(curl URL)" and their like,
// from an offset on.
func fetches(text string, offset int) []diag.Slip {
	var found []diag.Slip
	r := &reader{text: text, i: offset}
	for {
		pipeline, more := r.pipeline()
		if s, ok := unseen(pipeline); ok {
			found = append(found, s)
		}
		if !more {
			return found
		}
	}
}

// unseen says whether a pipeline runs what it fetches.
func unseen(pipeline []command) (diag.Slip, bool) {
	fetch := -1
	for i, c := range pipeline {
		name, args := c.program()
		switch {
		case fetch < 0 && isFetch(name, args):
			fetch = i
		case fetch >= 0 && runsInput(name, args):
			last := c[len(c)-1]
			return slip(pipeline[fetch][0].from, last.from+len(last.text), pipeline[fetch]), true
		case takesText(name, args):
			for _, w := range args {
				if fetchesInside(w.text) {
					return slip(c[0].from, w.from+len(w.text), []word{w}), true
				}
			}
		}
	}
	return diag.Slip{}, false
}

func slip(from, to int, words []word) diag.Slip {
	s := diag.Slip{Rule: rules.ScriptPipeShell, Severity: diag.Info, From: from, To: to,
		Summary: "what is fetched here is run unseen", Detail: "fetch it to a file, check its digest, then run it"}
	if slices.ContainsFunc(words, func(w word) bool { return isOpen(w.text) }) {
		s.Severity = diag.Warning
		s.Summary = "what is fetched here, from a server that is not verified, is run unseen"
	}
	return s
}

// isOpen says that a word makes curl or wget talk to whoever answers.
func isOpen(text string) bool {
	switch text {
	case "-k", "--insecure", "--no-check-certificate":
		return true
	}
	_, rest, plain := strings.Cut(text, "http://")
	if !plain {
		return false
	}
	for _, near := range []string{"localhost", "127.", "[::1]", "169.254.", "metadata"} {
		if strings.HasPrefix(rest, near) {
			return false
		}
	}
	return true
}

func isFetch(name string, args []word) bool {
	switch name {
	case "curl":
		return len(args) > 0
	case "wget":
		for i, w := range args {
			if short := strings.HasPrefix(w.text, "-") && !strings.HasPrefix(w.text, "--"); short && strings.HasSuffix(w.text, "O-") || w.text == "--output-document=-" {
				return true
			} else if short && strings.HasSuffix(w.text, "O") && i+1 < len(args) && args[i+1].text == "-" {
				return true
			}
		}
	}
	return false
}

// runsInput says that a program runs what it reads: a shell or its like that is given no script.
func runsInput(name string, args []word) bool {
	name = strings.TrimRight(name, "0123456789.")
	if !isShell(name) && name != "python" && name != "perl" && name != "ruby" {
		return false
	}
	for _, w := range args {
		switch {
		case w.text == "-" || w.text == "-s" || w.text == "--" || w.text == "/dev/stdin":
			return true
		case !strings.HasPrefix(w.text, "-"), isShell(name) && !strings.HasPrefix(w.text, "--") && strings.ContainsAny(w.text, "c"), !isShell(name):
			return false
		}
	}
	return true
}

// takesText says that a program runs its arguments, or the file that one of them names.
func takesText(name string, args []word) bool {
	return isShell(name) || (name == "eval" || name == "source" || name == ".") && len(args) > 0
}

func fetchesInside(text string) bool {
	for _, open := range []string{"$(", "`", "<("} {
		_, inside, found := strings.Cut(text, open)
		inside = strings.TrimLeft(inside, " \t")
		if found && (strings.HasPrefix(inside, "curl ") || strings.HasPrefix(inside, "wget ")) {
			return true
		}
	}
	return false
}

// A word is a word of a command as it is written, quotes and all.
type word struct {
	text string
	from int
}

type command []word

// program is the name of what a command runs, without those that run another, and what that is given.
func (c command) program() (name string, args []word) {
	for i := 0; i < len(c); i++ {
		text := strings.Trim(c[i].text, `"'`)
		if name, _, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(name, "-/$") {
			continue
		}
		switch name := path.Base(text); name {
		case "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "exec", "command", "nohup", "builtin":
		case "sudo", "doas", "env":
			for i+1 < len(c) && strings.HasPrefix(c[i+1].text, "-") {
				i++
				if slices.Contains([]string{"-u", "-g", "-C", "-p"}, c[i].text) {
					i++
				}
			}
		default:
			return name, c[i+1:]
		}
	}
	return "", nil
}

// maxNesting is how deep quotes and substitutions are followed; what is deeper counts as text.
const maxNesting = 32

// A reader reads the commands of a script, one after the other.
type reader struct {
	text string
	i    int
	here []hereDocument // those whose text begins on the next line
}

type hereDocument struct {
	end  string
	tabs bool // are left out in front of the end
}

// pipeline reads the commands up to the next ; & && || or line end. more is false at the end of the script.
func (r *reader) pipeline() (commands []command, more bool) {
	var c command
	end := func() {
		if len(c) > 0 {
			commands = append(commands, c)
		}
		c = nil
	}
	for r.i < len(r.text) {
		b := r.text[r.i]
		switch {
		case b == ' ' || b == '\t' || b == '\r':
			r.i++
		case strings.HasPrefix(r.text[r.i:], "\\\n"):
			r.i += 2
		case b == '#':
			r.restOfLine()
		case b == '\n':
			r.i++
			r.hereDocuments()
			if len(c) == 0 && len(commands) > 0 {
				continue // a pipe at the end of the line above
			}
			end()
			return commands, true
		case strings.HasPrefix(r.text[r.i:], "&>"):
			r.i++
		case strings.HasPrefix(r.text[r.i:], "||"), strings.HasPrefix(r.text[r.i:], "&&"):
			r.i += 2
			end()
			return commands, true
		case b == '|':
			r.i++
			if r.i < len(r.text) && r.text[r.i] == '&' {
				r.i++
			}
			end()
		case b == ';', b == '&', b == '(', b == ')':
			r.i++
			end()
			return commands, true
		case b == '<' && strings.HasPrefix(r.text[r.i:], "<("), b != '<' && b != '>':
			c = append(c, r.word())
		default:
			if k := len(c) - 1; k >= 0 && c[k].from+len(c[k].text) == r.i && strings.Trim(c[k].text, "0123456789") == "" {
				c = c[:k] // the number of what is redirected
			}
			r.redirection()
		}
	}
	end()
	return commands, false
}

func (r *reader) restOfLine() {
	if k := strings.IndexByte(r.text[r.i:], '\n'); k >= 0 {
		r.i += k
	} else {
		r.i = len(r.text)
	}
}

// redirection passes one with its target, and notes a here-document.
func (r *reader) redirection() {
	op := r.i
	for r.i < len(r.text) && strings.IndexByte("<>&|-", r.text[r.i]) >= 0 && r.i < op+3 {
		r.i++
	}
	for r.i < len(r.text) && (r.text[r.i] == ' ' || r.text[r.i] == '\t') {
		r.i++
	}
	operator := strings.TrimRight(r.text[op:r.i], " \t")
	if r.i >= len(r.text) || strings.IndexByte("\n\r;&|()<>#", r.text[r.i]) >= 0 {
		return
	}
	target := r.word().text
	if operator == "<<" || operator == "<<-" {
		r.here = append(r.here, hereDocument{end: strings.NewReplacer(`"`, "", "'", "", `\`, "").Replace(target), tabs: operator == "<<-"})
	}
}

// hereDocuments passes the texts that begin on this line.
func (r *reader) hereDocuments() {
	for _, h := range r.here {
		for r.i < len(r.text) {
			line := r.text[r.i:]
			if k := strings.IndexByte(line, '\n'); k >= 0 {
				line = line[:k]
			}
			r.i = min(r.i+len(line)+1, len(r.text))
			line = strings.TrimSuffix(line, "\r")
			if h.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == h.end {
				break
			}
		}
	}
	r.here = nil
}

// word reads a word, which takes at least one character.
func (r *reader) word() word {
	from := r.i
	for r.i < len(r.text) {
		b := r.text[r.i]
		if b == '<' && strings.HasPrefix(r.text[r.i:], "<(") {
			r.i += 2
			r.until(')', 1)
			continue
		}
		if r.i > from && strings.IndexByte(" \t\r\n;&|()<>", b) >= 0 {
			break
		}
		r.char(0)
	}
	return word{text: r.text[from:r.i], from: from}
}

// char passes a character, with all that is quoted or substituted where one of these begins.
func (r *reader) char(depth int) {
	b := r.text[r.i]
	r.i++
	if depth > maxNesting {
		return
	}
	switch {
	case b == '\\' && r.i < len(r.text):
		r.i++
	case b == '\'':
		if k := strings.IndexByte(r.text[r.i:], '\''); k >= 0 {
			r.i += k + 1
		} else {
			r.i = len(r.text)
		}
	case b == '"', b == '`':
		r.until(b, depth+1)
	case b == '$' && r.i < len(r.text) && r.text[r.i] == '(':
		r.i++
		r.until(')', depth+1)
	case b == '$' && r.i < len(r.text) && r.text[r.i] == '{':
		r.i++
		r.until('}', depth+1)
	}
}

// until passes everything up to a closing character, and that.
func (r *reader) until(closing byte, depth int) {
	for r.i < len(r.text) {
		b := r.text[r.i]
		switch {
		case b == closing:
			r.i++
			return
		case closing == '"' && b == '\'':
			r.i++ // is text here
		case closing == ')' && b == '(' && depth <= maxNesting:
			r.i++
			r.until(')', depth+1)
		default:
			r.char(depth)
		}
	}
}
