package hostkeys

import (
	"fmt"
	"slices"
	"strings"

	"cloudconfig/schema/diag"
)

// Shown says what of the host keys is printed to the console, by their types ("ssh-rsa").
type Shown struct {
	// WithoutFingerprint and WithoutKey are types whose fingerprint, and whose key, are left out.
	WithoutFingerprint, WithoutKey []string
}

// Block is the keys in the form that tools look for in what a machine has written to its console: aws ec2
// get-console-output and others take what stands between its BEGIN and END lines.
//
// Format: tools/write-ssh-key-fingerprints of cloud-init 23.1, without the prefix that logger puts in front there, and
// ssh-keygen -l of OpenSSH 9.2.
func Block(keys []Key, s Shown) string {
	const bar = "#############################################################\n"
	var b strings.Builder
	b.WriteString(bar + "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n")
	for _, k := range keys {
		if slices.Contains(s.WithoutFingerprint, k.Type) {
			continue
		}
		comment := k.Comment
		if comment == "" {
			comment = "no comment"
		}
		fmt.Fprintf(&b, "%d %s %s (%s)\n", k.Bits, k.Fingerprint, diag.Printable(comment), strings.ToUpper(k.Kind))
	}
	b.WriteString("-----END SSH HOST KEY FINGERPRINTS-----\n" + bar + "-----BEGIN SSH HOST KEY KEYS-----\n")
	for _, k := range keys {
		if !slices.Contains(s.WithoutKey, k.Type) {
			b.WriteString(diag.Printable(k.Line) + "\n")
		}
	}
	b.WriteString("-----END SSH HOST KEY KEYS-----\n")
	return b.String()
}
