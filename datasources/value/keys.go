package value

import "sort"

// KeyTexts is the texts of SSH keys in any form that a document has them: a text, a list of them, or a mapping of names
// to them; and as EC2 has them, a mapping of numbers to mappings with "openssh-key" in them. A mapping is taken in the
// order of its keys. Source: cloud-init, cloudinit/sources/__init__.py normalize_pubkey_data (24.1).
func KeyTexts(v any) []string {
	const deepest = 3
	return keyTexts(v, deepest)
}

func keyTexts(v any, depth int) []string {
	var all []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			if depth > 0 {
				all = append(all, keyTexts(item, depth-1)...)
			}
		}
	case map[string]any:
		if text, ok := v["openssh-key"].(string); ok {
			return []string{text}
		}
		var names []string
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if depth > 0 {
				all = append(all, keyTexts(v[name], depth-1)...)
			}
		}
	}
	return all
}
