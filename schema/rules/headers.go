package rules

import "cloudconfig/schema/diag"

// Findings about the first line of user-data, which says what the rest is. Each accident has a rule of its own,
// since each has a cure of its own.
var (
	HeaderMissing = &diag.Rule{ID: "header-missing", Severity: diag.Error, Title: "the first line does not say what this is",
		Help:    "User-data begins with a line that names its kind: #cloud-config for a configuration, #! and an interpreter for a script. What stands here reads like a configuration and has no such line, so the platform's tools would pass it over.",
		Example: "hostname: web1", Instead: "#cloud-config\nhostname: web1"}
	HeaderMisspelt = &diag.Rule{ID: "header-misspelt", Severity: diag.Error, Title: "the first line is misspelt",
		Help:    "The first line is compared letter by letter: #cloud-config, in small letters, without a blank in it or in front of it. A script begins with #! and the absolute path of its interpreter.",
		Example: "#cloud-conf\nhostname: web1", Instead: "#cloud-config\nhostname: web1"}
	HeaderNotFirst = &diag.Rule{ID: "header-not-first", Severity: diag.Error, Title: "something stands above the first line",
		Help:    "#cloud-config, or the #! of a script, is the very first line: no comment, no empty line and no --- stands above it.",
		Example: "---\n#cloud-config\nhostname: web1", Instead: "#cloud-config\n---\nhostname: web1"}
	HeaderTrailing = &diag.Rule{ID: "header-trailing", Severity: diag.Warning, Title: "more than #cloud-config on the first line",
		Help:    "cloud-init passes over what follows #cloud-config, and so does this program; coreos-cloudinit does not recognise such a line. Put the rest on a line of its own.",
		Example: "#cloud-config for web1\nhostname: web1", Instead: "#cloud-config\n# for web1\nhostname: web1"}
	HeaderFlattened = &diag.Rule{ID: "header-flattened", Severity: diag.Error, Title: "the line ends of the document are lost",
		Help: "The whole document is one line: what carried it here has made blanks, or the two characters \\n, of its line ends. Quote it in the shell, or give it as a file."}
	HeaderJSON = &diag.Rule{ID: "header-json", Severity: diag.Error, Title: "JSON without a first line that says what it is",
		Help:    "JSON can be read, since it is YAML too. Write #cloud-config above it.",
		Example: `{"hostname": "web1"}`, Instead: "#cloud-config\n{\"hostname\": \"web1\"}"}
	HeaderHTML = &diag.Rule{ID: "header-html", Severity: diag.Error, Title: "a page of HTML or XML in place of a configuration",
		Help: "Most likely it is the error or login page of a server. Look at what the address answers."}
	HeaderBase64 = &diag.Rule{ID: "header-base64", Severity: diag.Error, Title: "base64 in place of a configuration",
		Help: "The document was encoded, once more than its platform decodes it. Give it as it is, or tell the platform that it is encoded."}
	HeaderIgnition = &diag.Rule{ID: "header-ignition", Severity: diag.Error, Title: "a configuration of Ignition's",
		Help: "Ignition and Butane have a language of their own, which is read in the initial RAM disk. Give a #cloud-config document, or boot an image that has Ignition."}
	HeaderBinary = &diag.Rule{ID: "header-binary", Severity: diag.Error, Title: "binary data in place of a configuration",
		Help: "User-data is text, or text compressed with gzip."}
	HeaderUnknown = &diag.Rule{ID: "header-unknown", Severity: diag.Error, Title: "the first line names no kind of user-data",
		Help: "User-data begins with a line that names its kind: #cloud-config for a configuration, #! and an interpreter for a script."}
	WindowsLineEnds = &diag.Rule{ID: "windows-line-ends", Severity: diag.Info, Title: "a document with Windows line ends",
		Help: "YAML takes them, and what a block of text holds gets Unix ones. Other tools read them as a part of the first line, or of a script."}
	ByteOrderMark = &diag.Rule{ID: "byte-order-mark", Severity: diag.Warning, Title: "a byte order mark before the first line",
		Help: "Some editors on Windows write one. It is passed over here; other tools do not recognise the first line behind it."}
)

func headerRules() []*diag.Rule {
	return []*diag.Rule{
		HeaderMissing, HeaderMisspelt, HeaderNotFirst, HeaderTrailing, HeaderFlattened, HeaderJSON, HeaderHTML, HeaderBase64, HeaderIgnition,
		HeaderBinary, HeaderUnknown, ByteOrderMark, WindowsLineEnds,
	}
}
