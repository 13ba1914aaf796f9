package glyphs_test

import (
	"testing"

	"cloudconfig/schema/glyphs"
)

func TestHidden(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "",
		"é 日本 Привет שלום 👩‍💻": "", // with a joiner in it
		"if a \u202e{ b":           "\u202e",
		"zero\u200bwidth":          "\u200b",
		"\u2066a":                  "\u2066",
		"soft\u00adhyphen":         "\u00ad",
		"right\u200fto left, once": "\u200f",
	} {
		got := ""
		for _, s := range glyphs.Hidden(text) {
			got += text[s.From:s.To]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMixed(t *testing.T) {
	for name, want := range map[string]string{
		"anna":         "",
		"Jürgen-7":     "",
		"анна":         "",
		"日本-web":       "",
		"/etc/сron.d":  "с",
		"раypal":       "р",
		"Ωmega":        "Ω",
		"web\u0435r":   "\u0435",
		"10.0.0.1_-=/": "",
	} {
		got := ""
		if from, to, ok := glyphs.Mixed(name); ok {
			got = name[from:to]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
