package unitfile

import "strings"

// word is a word of a value, with its quotes.
type word struct {
	from, to int  // offsets in the value
	marks    bool // quotes or backslashes are in it
}

// text is what the word stands for: without its quotes, and with escaped characters as they are.
func (w word) text(value string) string {
	if !w.marks {
		return value[w.from:w.to]
	}
	var b strings.Builder
	quote := byte(0)
	for i := w.from; i < w.to; i++ {
		switch c := value[i]; {
		case c == '\\' && i+1 < w.to:
			i++
			b.WriteByte(value[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// split parts a value at its blanks, but for those in quotes and after a backslash. open is the offset of a
// quote that is not closed, or -1.
//
// Source: extract_first_word in src/basic/extract-word.c of systemd 252.
func split(value string) (words []word, open int) {
	for i := 0; i < len(value); {
		if c := value[i]; c == ' ' || c == '\t' {
			i++
			continue
		}
		w := word{from: i}
		quote, at := byte(0), 0
		for ; i < len(value); i++ {
			c := value[i]
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
			switch {
			case c == '\\':
				w.marks = true
				i++
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote, at, w.marks = c, i, true
			}
		}
		if quote != 0 {
			return words, at
		}
		i = min(i, len(value))
		w.to = i
		words = append(words, w)
	}
	return words, -1
}

// commandFault is what is wrong with a command line.
type commandFault struct {
	wrong
	class commandClass
}

type commandClass int

const (
	refused commandClass = iota // systemd refuses the unit
	dropped                     // systemd leaves the command out
	strange                     // it is taken, and is not what was meant
	shell                       // it is meant for a shell, and there is none
)

// command judges the command lines of Exec directives.
//
// Source: config_parse_exec in src/core/load-fragment.c of systemd 252; bare names are searched for since 239.
func command(value string) []commandFault {
	words, open := split(value)
	if open >= 0 {
		fault := unclosed(open, value)
		if len(words) == 0 {
			return []commandFault{{wrong: fault, class: dropped}}
		}
		fault.detail = "systemd refuses the unit"
		return []commandFault{{wrong: fault, class: refused}}
	}
	var out []commandFault
	for first := true; len(words) > 0; first = false {
		end := 0
		for end < len(words) && value[words[end].from:words[end].to] != ";" {
			end++
		}
		if end > 0 || first {
			out = append(out, program(value, words[:end])...)
		}
		words = words[min(end+1, len(words)):]
	}
	return out
}

// program judges one command: its program, and its arguments.
func program(value string, words []word) (out []commandFault) {
	if len(words) == 0 {
		return nil
	}
	text := words[0].text(value)
	before := prefixes(text)
	path := text[before:]
	class := refused
	if strings.Contains(text[:before], "-") {
		class = dropped
	}
	at := words[0]
	if !at.marks && path != "" {
		at.from += before
	}
	fault := func(what, detail string) {
		if class == dropped {
			detail = "systemd leaves the command out"
		}
		out = append(out, commandFault{wrong{from: at.from, to: at.to, what: what, detail: detail}, class})
	}
	switch {
	case path == "":
		class = dropped
		fault("a command without a program", "")
	case strings.HasPrefix(path, "~"):
		fault("systemd knows no ~ in the path of a program", "write the whole path")
	case strings.Contains(path, "=") && isVariableName(firstOf(path, "=")):
		class = strange
		fault("an assignment where the program belongs", "variables go into Environment=")
	case unsettled(path):
	case !strings.HasPrefix(path, "/") && strings.Contains(path, "/"):
		fault("the path of the program is not absolute", "write the whole path")
	case strings.HasSuffix(path, "/"):
		fault("the program is a directory", "")
	case path == "." || path == "..":
		fault("the program has no name", "")
	case len(words) == 1 && strings.Contains(text[:before], "@"):
		fault("after @ the program's path is followed by the name that it is to see as its own", "")
	}
	return append(out, arguments(value, path, words[1:])...)
}

// prefixes is how many characters before the path say how it is to be run: each once, one of + and ! and !!.
func prefixes(text string) int {
	seen := ""
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case strings.IndexByte("-@:+!|", c) < 0:
			return i
		case c == '!' && strings.Count(seen, "!") < 2 && !strings.Contains(seen, "+"):
		case c == '!', c == '+' && strings.Contains(seen, "!"), strings.IndexByte(seen, c) >= 0:
			return i
		}
		seen += string(c)
	}
	return len(text)
}

func firstOf(text, sep string) string {
	first, _, _ := strings.Cut(text, sep)
	return first
}

// arguments finds what only a shell would understand. A word in quotes may be for a shell that is started.
func arguments(value, program string, words []word) []commandFault {
	for _, w := range words {
		if w.marks {
			continue
		}
		text := value[w.from:w.to]
		if isShellOperator(text) && !takesOperators(program) {
			return []commandFault{{wrong{from: w.from, to: w.to, what: quoted(text) + " is for a shell, and systemd starts none",
				detail: "it is handed to the program as an argument; write /bin/sh -c '...'"}, shell}}
		}
	}
	return nil
}

func isShellOperator(text string) bool {
	switch text {
	case "|", "||", "&&", "&", ">", ">>", "<", "<<", "2>&1", "&>", "2>", "|&":
		return true
	}
	// >/dev/null, 2>>file
	rest := strings.TrimLeft(text, "012&")
	return len(text)-len(rest) <= 1 && (strings.HasPrefix(rest, ">/") || strings.HasPrefix(rest, ">>/"))
}

// takesOperators says that a program compares its arguments, for which > and < are words.
func takesOperators(program string) bool {
	switch program[strings.LastIndexByte(program, '/')+1:] {
	case "test", "[", "expr":
		return true
	}
	return false
}
