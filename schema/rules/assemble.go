package rules

import "cloudconfig/schema/diag"

// Findings about how user-data is packed, before any of it is read as a document.
var (
	DecompressionFailed = &diag.Rule{ID: "decompression-failed", Severity: diag.Error, Title: "the compressed data cannot be unpacked",
		Help: "The data begins as gzip does, but is damaged, cut short or packed more than twice. Pack the document again with gzip, and check that no tool on the way took it for text."}
	TooLarge = &diag.Rule{ID: "too-large", Severity: diag.Error, Title: "the document is too large",
		Help: "One document has at most 32 MiB, unpacked. Fetch large content at run time instead."}
	UnsupportedKind = &diag.Rule{ID: "unsupported-kind", Severity: diag.Error, Title: "this kind of user-data is not supported",
		Help: "User-data is a cloud-config that begins with #cloud-config, or a script that begins with #! and its interpreter, plain or compressed with gzip. Give one of those."}
)

func assembleRules() []*diag.Rule {
	return []*diag.Rule{DecompressionFailed, TooLarge, UnsupportedKind}
}
