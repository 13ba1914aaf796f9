package rules

import "cloudconfig/schema/diag"

// Findings about how user-data is packed, before any of it is read as a document.
var (
	DecompressionFailed = &diag.Rule{ID: "decompression-failed", Severity: diag.Error, Title: "the compressed data cannot be unpacked",
		Help: "The data begins as gzip, xz or zstd does, or is base64, but is damaged, cut short, packed more than four times, or with a window of more than 16 MiB. Pack the document again, and check that no tool on the way took it for text."}
	TooLarge = &diag.Rule{ID: "too-large", Severity: diag.Error, Title: "the user-data is too large",
		Help: "One document has at most 32 MiB and all together 64 MiB, unpacked. There are at most 1,000 parts, messages and archives are at most 8 deep inside each other, and there are at most 100 includes, 8 deep. Fetch large content at run time instead."}
	UnsupportedKind = &diag.Rule{ID: "unsupported-kind", Severity: diag.Error, Title: "this kind of user-data is not supported",
		Help: "User-data is a cloud-config that begins with #cloud-config, a script that begins with #! and its interpreter, a #cloud-boothook, a list of includes, a template of Jinja's, or a MIME message or a #cloud-config-archive of those; plain, in base64, or packed with gzip, xz or zstd. Give one of those."}
	MIMEHeader = &diag.Rule{ID: "mime-header", Severity: diag.Warning, Title: "the header of a part does not end",
		Help:    "A part is its header, a blank line and its text. Without the blank line the text is taken to begin with the first line that is no header field, and a line of it that looks like one is lost.",
		Example: "--BOUNDARY\nContent-Type: text/cloud-config\n#cloud-config", Instead: "--BOUNDARY\nContent-Type: text/cloud-config\n\n#cloud-config"}
	MIMEBoundary = &diag.Rule{ID: "mime-boundary", Severity: diag.Error, Title: "the parts of a message cannot be told apart",
		Help:    "The header of a MIME message names the boundary of its parts, and each part begins after a line of two hyphens and that boundary.",
		Example: "Content-Type: multipart/mixed", Instead: "Content-Type: multipart/mixed; boundary=\"BOUNDARY\"\n\n--BOUNDARY"}
	MIMEUnclosed = &diag.Rule{ID: "mime-unclosed", Severity: diag.Warning, Title: "a message ends before or after its parts do",
		Help:    "The last part of a MIME message ends at a line of two hyphens, the boundary and two hyphens. If there is none, the message may have been cut short; what comes after it is lost.",
		Example: "--BOUNDARY\n\n#cloud-config", Instead: "--BOUNDARY\n\n#cloud-config\n--BOUNDARY--"}
	TransferEncoding = &diag.Rule{ID: "transfer-encoding", Severity: diag.Error, Title: "a part is not encoded as its header says",
		Help: "The Content-Transfer-Encoding of a part is base64, quoted-printable, or 8bit, 7bit or binary for a text that stands as it is. The text is damaged, cut short or encoded otherwise: encode it again."}
	PartType = &diag.Rule{ID: "part-type", Severity: diag.Warning, Title: "the type of a part is not what its first line says",
		Help:    "The Content-Type says text/cloud-config of a script, or text/x-shellscript of a cloud-config. Here the first line counts; cloud-init goes by the type.",
		Example: "Content-Type: text/cloud-config\n\n#!/bin/sh", Instead: "Content-Type: text/x-shellscript\n\n#!/bin/sh"}
	IncludeAddress = &diag.Rule{ID: "include-address", Severity: diag.Error, Title: "what is to be included has no address that can be used",
		Help:    "A list of includes has one address a line: a URL of https, or a path behind file:. A relative one is relative to the document that the list is in, if that was included itself.",
		Example: "#include\nwww.example.com/web.yaml", Instead: "#include\nhttps://www.example.com/web.yaml"}
	IncludeCycle = &diag.Rule{ID: "include-cycle", Severity: diag.Error, Title: "a document includes itself",
		Help: "The address is that of a document which this one is included by. Take it out of the list."}
	IncludeMissing = &diag.Rule{ID: "include-missing", Severity: diag.Error, Title: "an included file does not exist", Machine: true,
		Help: "The path is one of the machine, below its root. A boothook runs before such files are read, and may write it; where there is one, a plan only warns."}
	IncludeUnread = &diag.Rule{ID: "include-unread", Severity: diag.Info, Title: "what is included is not looked at",
		Help: "A check reads no network and no file but those it is given. What is behind the address is fetched and checked on the machine, before anything is applied; check it by itself."}
	TemplateUnrendered = &diag.Rule{ID: "template-unrendered", Severity: diag.Info, Title: "what a template makes is not looked at",
		Help: "What a template makes depends on the instance. The template itself is checked; with --metadata FILE, of the form of instance.json, it is rendered and the document is checked too."}
	IgnitionAside = &diag.Rule{ID: "ignition-aside", Severity: diag.Info, Title: "a configuration is for Ignition",
		Help: "Ignition reads the same user-data in the initial RAM disk of the images that have it. It is left to it: nothing of it is checked or applied here."}
	PartAside = &diag.Rule{ID: "part-aside", Severity: diag.Info, Title: "a part is for another program",
		Help: "Some programs read the same user-data for parts of their own, such as nodeadm of Amazon EKS. Such a part is neither checked nor applied here."}
)

func assembleRules() []*diag.Rule {
	return []*diag.Rule{
		DecompressionFailed, TooLarge, UnsupportedKind, MIMEHeader, MIMEBoundary, MIMEUnclosed, TransferEncoding, PartType, PartAside,
		IncludeAddress, IncludeCycle, IncludeMissing, IncludeUnread, IgnitionAside, TemplateUnrendered,
	}
}
