package lsp

import (
	"testing"

	"cloudconfig/schema/source"
)

// FuzzCursor: whatever the text and the place, the word is in its line.
func FuzzCursor(f *testing.F) {
	f.Add([]byte("#cloud-config\ncoreos:\n  units:\n  - - name: a\r\n    é: b\n"), 3, 6)
	f.Add([]byte("- \n-\n : \n"), 1, 9)
	f.Fuzz(func(t *testing.T, text []byte, number, column int) {
		file := &source.File{Name: "f", Bytes: text}
		if number < 0 || number >= file.Lines() || column < 0 {
			return
		}
		line := file.Text(1 + number)
		c, ok := cursorAt(file, number, column)
		if ok && (c.from < 0 || c.from > c.to || c.to > len(line) || c.word != string(line[c.from:c.to])) {
			t.Errorf("%+v in %q", c, line)
		}
	})
}
