// Package script looks into scripts: at the line that names the interpreter, as Linux reads it, and in shell
// scripts for what is fetched and run unseen. It knows no more of the shell than where commands begin and end.
//
// [Check] is the thing to call.
//
// Sources: execve(2) of man-pages 6.03, "Interpreter scripts"; POSIX.1-2017, Shell Command Language, section 2.
package script

import (
	"path"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
)

const mark = "\uFEFF"

// Is says that a text is a script: its first line, after a byte order mark, begins with #!.
func Is(text string) bool { return strings.HasPrefix(strings.TrimPrefix(text, mark), "#!") }

// Check says what is wrong with a script that is run as a program. A text that is none has no slips.
func Check(text string) []diag.Slip {
	if !Is(text) {
		return nil
	}
	var found slips
	start := 0
	if strings.HasPrefix(text, mark) {
		start = len(mark)
		found.add(rules.ScriptMark, 0, start, "save it without the mark", "a byte order mark in front of #!")
	}
	line := firstLine(text[start:])
	end := start + len(line)
	switch rest := text[end:]; {
	case strings.HasPrefix(rest, "\r\n"):
		found.add(rules.ScriptLineEnds, start, end, "write Unix line ends", "the script has Windows line ends")
	case strings.HasPrefix(rest, "\r"):
		found.add(rules.ScriptLineEnds, start, end, "write Unix line ends", "the script's lines end in carriage returns")
	}
	interpreter, options := cutInterpreter(line)
	switch name := path.Base(interpreter); {
	case !strings.HasPrefix(interpreter, "/"):
		found.add(rules.ScriptInterpreter, start, end, "such as #!/bin/sh", "the script names no interpreter by an absolute path")
	case !strings.ContainsAny(options, " \t"):
	case name == "env" && !strings.HasPrefix(options, "-S") && !strings.HasPrefix(options, "--split-string"):
		found.add(rules.ScriptOptions, end-len(options), end, "write -S in front of it, or name the interpreter itself", "env takes all of this for the name of one program")
	case isShell(name):
		found.add(rules.ScriptOptions, end-len(options), end, "write them as one, such as -eu, or set them with set", "the shell takes all of this for one option")
	}
	if RunsInShell(text) {
		found = append(found, fetches(text, end)...)
	}
	return found
}

// CheckCommand says what is wrong with a text that a shell is given.
func CheckCommand(text string) []diag.Slip { return fetches(text, 0) }

type slips []diag.Slip

// add adds one. Many call it, and none needs a copy of its own.
//
//go:noinline
func (l *slips) add(rule *diag.Rule, from, to int, detail, summary string) {
	*l = append(*l, diag.Slip{Rule: rule, From: from, To: to, Summary: summary, Detail: detail})
}

// RunsInShell says that a shell of POSIX's kind is the interpreter of a script.
func RunsInShell(text string) bool {
	interpreter, options := cutInterpreter(firstLine(strings.TrimPrefix(text, mark)))
	name := path.Base(interpreter)
	if name == "env" {
		for _, word := range strings.Fields(options) {
			if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
				name = path.Base(word)
				break
			}
		}
	}
	return isShell(name)
}

func isShell(name string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "zsh"}, name)
}

func firstLine(text string) string {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return text[:i]
	}
	return text
}

// cutInterpreter is what stands after #!: the interpreter, and the one argument that the kernel makes of the
// rest of the line.
func cutInterpreter(line string) (interpreter, options string) {
	line = strings.Trim(strings.TrimPrefix(line, "#!"), " \t")
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], " \t")
}
