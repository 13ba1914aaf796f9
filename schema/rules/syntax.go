package rules

import "cloudconfig/schema/diag"

// The rules of text and of YAML, which package yamltree holds a document to.
//
// Source: YAML 1.2.2 (2021-10-01), https://yaml.org/spec/1.2.2/.
var (
	// TextEncoding is a byte or a character that no configuration may hold.
	TextEncoding = &diag.Rule{
		ID:       "text-encoding",
		Severity: diag.Error,
		Title:    "the text is not plain UTF-8",
		Help: "A configuration is text in UTF-8, without control characters. " +
			"Save the file as UTF-8 in the editor, or convert it: iconv -f LATIN1 -t UTF-8. " +
			"A control character that is meant can be written as an escape in double quotes.",
	}
	// YAMLSyntax is anything that is not YAML and has no rule of its own.
	YAMLSyntax = &diag.Rule{
		ID:       "yaml-syntax",
		Severity: diag.Error,
		Title:    "the text is not valid YAML",
		Help: "The text cannot be read as YAML from this place on, so nothing after it is checked. " +
			"Most often something a line or two above is not closed, not indented or lacks its colon.",
		Example: "units: [a, , b]",
		Instead: "units: [a, b]",
	}
	// YAMLTab is a tab where indentation is expected.
	YAMLTab = &diag.Rule{
		ID:       "yaml-tab",
		Severity: diag.Error,
		Title:    "a tab cannot indent YAML",
		Help: "YAML is indented by spaces alone, since a tab has no agreed width. " +
			"Write spaces instead; inside a block of text, tabs may follow the spaces that indent it.",
		Example: "coreos:\n\tupdate:",
		Instead: "coreos:\n  update:",
	}
	// YAMLUnclosed is a quote or a bracket that is opened and not closed.
	YAMLUnclosed = &diag.Rule{
		ID:       "yaml-unclosed",
		Severity: diag.Error,
		Title:    "a quote or bracket is not closed",
		Help: "A value that begins with a quote, [ or { reaches to the matching one, over many lines if need be. " +
			"Close it, or quote the whole value if the character is part of it.",
		Example: `hostname: "web1`,
		Instead: `hostname: "web1"`,
	}
	// YAMLIndent is a line that fits no block above it.
	YAMLIndent = &diag.Rule{
		ID:       "yaml-indent",
		Severity: diag.Error,
		Title:    "the indentation fits no block",
		Help: "Keys of one mapping, and items of one list, begin in one column; what belongs to them is indented further. " +
			"Line the key up with its neighbours.",
		Example: "- name: a.service\n    command: start",
		Instead: "- name: a.service\n  command: start",
	}
	// YAMLColon is a colon that is missing, lacks its space, or is one too many.
	YAMLColon = &diag.Rule{
		ID:       "yaml-colon",
		Severity: diag.Error,
		Title:    "a key and its value are not parted by one colon and a space",
		Help: "A key ends with a colon, followed by a space or the end of the line. " +
			"A value that holds a colon and a space itself needs quotes.",
		Example: "hostname:web1",
		Instead: "hostname: web1",
	}
	// YAMLQuote is a value that has to be quoted, or text where a quoted value has ended.
	YAMLQuote = &diag.Rule{
		ID:       "yaml-quote",
		Severity: diag.Error,
		Title:    "the value needs quotes, or other ones",
		Help: "Characters that mean something to YAML (% @ ` * & ! | > [ ] { } , #) cannot begin a plain value, " +
			"and nothing but a comment may follow a closing quote. " +
			"Put the whole value in single quotes, where only ' itself is special and is written twice.",
		Example: "addr: @home",
		Instead: "addr: '@home'",
	}
	// YAMLAlias is an alias that leads nowhere, into itself, or to far too much.
	YAMLAlias = &diag.Rule{
		ID:       "yaml-alias",
		Severity: diag.Error,
		Title:    "an alias leads nowhere or into itself, or there are too many",
		Help: "An alias (*name) stands for the value that an anchor (&name) marks further up. " +
			"The anchor comes first, does not contain the alias, and a document has at most 1,000 aliases. " +
			"A value that merely begins with * needs quotes.",
		Example: "listen: *",
		Instead: "listen: '*'",
	}
	// YAMLMerge is a merge key whose value is no mapping.
	YAMLMerge = &diag.Rule{
		ID:       "yaml-merge",
		Severity: diag.Error,
		Title:    "a merge key needs a mapping, or a list of mappings",
		Help:     "The key << takes over the entries of another mapping, so its value is an alias of one, or a list of those.",
		Example:  "<<: text",
		Instead:  "<<: *defaults",
	}
	// YAMLTag is a value that its tag does not fit.
	YAMLTag = &diag.Rule{
		ID:       "yaml-tag",
		Severity: diag.Error,
		Title:    "the value is not what its tag says",
		Help:     "A tag (!!int, !!float, !!bool, !!null, !!binary) says how to read the value it stands before. Leave it away unless it is needed.",
		Example:  "uid: !!int core",
		Instead:  "uid: 500",
	}
	// YAMLTooLarge is a document beyond the limits that keep a hostile one from filling the memory.
	YAMLTooLarge = &diag.Rule{
		ID:       "yaml-too-large",
		Severity: diag.Error,
		Title:    "the document is too large",
		Help: "A document has at most 32 MiB of text, 64 levels of nesting, and 200,000 values once every alias stands for a copy; all parts of a message together have no more. " +
			"Of the text of values, aliases may stand for 1 MiB more than the document has. Fetch large content at run time instead.",
	}
	// YAMLMultipleDocuments is a second document in one text.
	YAMLMultipleDocuments = &diag.Rule{
		ID:       "yaml-multiple-documents",
		Severity: diag.Error,
		Title:    "the text holds more than one document",
		Help: "A line of --- begins another document, which would be ignored. " +
			"Join the two, or send them as parts of a MIME message.",
		Example: "hostname: web1\n---\nusers: []",
		Instead: "hostname: web1\nusers: []",
	}
	// DuplicateKey is a key that its mapping already has.
	DuplicateKey = &diag.Rule{
		ID:       "duplicate-key",
		Severity: diag.Error,
		Title:    "the key is there twice",
		Help: "A mapping has each key once; of two, one would be lost without a word. " +
			"Join their values under one key.",
		Example: "users: [a]\nusers: [b]",
		Instead: "users: [a, b]",
	}
	// YAMLKeyType is a key that is a list, a mapping or nothing.
	YAMLKeyType = &diag.Rule{
		ID:       "yaml-key-type",
		Severity: diag.Error,
		Title:    "a key is not text",
		Help: "A key is a word, not a list, a mapping or nothing. " +
			"A template such as {{ name }} reads as a mapping: quote it, or render it first.",
		Example: "{{ name }}: web1",
		Instead: `"{{ name }}": web1`,
	}
)

func syntaxRules() []*diag.Rule {
	return []*diag.Rule{
		TextEncoding,
		YAMLSyntax,
		YAMLTab,
		YAMLUnclosed,
		YAMLIndent,
		YAMLColon,
		YAMLQuote,
		YAMLAlias,
		YAMLMerge,
		YAMLTag,
		YAMLTooLarge,
		YAMLMultipleDocuments,
		DuplicateKey,
		YAMLKeyType,
	}
}
