package machine

import (
	"sort"
	"strings"
)

// Real is a serial number, asset tag or UUID as DMI has it, or "" if it is one of the texts that vendors leave where
// nothing was filled in. Source: lists of such texts in fwupd, libsmbios and cloud-init's users' reports (2026).
func Real(text string) string {
	text = strings.TrimSpace(text)
	switch strings.ToLower(strings.Trim(text, ". ")) {
	case "", "none", "null", "n/a", "na", "not specified", "not applicable", "not available", "unknown", "default", "default string", "empty",
		"to be filled by o.e.m", "to be filled by oem", "o.e.m", "oem", "system serial number", "system product name", "system manufacturer",
		"chassis serial number", "base board serial number", "serial number", "asset tag", "no asset tag", "no asset information",
		"no enclosure", "asset-1234567890", "01234567890123456789", "0123456789", "1234567890", "123456789", "12345678", "invalid", "undefined", "03000200-0400-0500-0006-000700080009":
		return ""
	}
	if strings.Trim(text, "0-") == "" || strings.Trim(text, "fF-") == "" {
		return "" // all zeros or all ones: unset, by section 7.2.1 of the SMBIOS specification
	}
	return text
}

// UUID is that of the SMBIOS, in small letters, "" if the machine has none of its own.
func (m *Machine) UUID() string { return Real(m.DMI.ProductUUID) }

func sortLinks(l []Link) { sort.Slice(l, func(i, j int) bool { return l[i].Name < l[j].Name }) }
