package language

import "testing"

// What PyYAML 6.0.2 makes of a plain scalar, printed by Python: nothing where that is the text itself.
func TestYAML11(t *testing.T) {
	for text, want := range map[string]string{
		"yes": "true", "No": "false", "ON": "true", "off": "false", "oN": "", "y": "", "yesterday": "", "none": "",
		"0644": "420", "08": "8", "09": "9", "007": "7", "0": "", "7": "", "1_000": "1000", "+5": "5", "-5": "", "0x1F": "31", "0b11": "3", "0o17": "",
		"12:30:45": "45045", "12:30": "750", "33:33": "2013", "0:0": "", "1000:1000": "", "12:60": "", "00:11:22": "",
		"1.10": "1.1", "1.1": "", "1.0": "", "1.": "1.0", ".5": "0.5", "10.0.0.1": "", "1e3": "", "1.2.3": "", "20.04": "", "22.10": "22.1", "": "", "+": "", "-": "", ".": "",
		"_1": "", "2020-01-01": "", "1-2": "", "0.10": "0.1", "-1.50": "-1.5",
	} {
		if got, _ := yaml11(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
