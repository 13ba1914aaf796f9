package disk

import (
	"io"
	"time"
)

// Superblock is what readSuperblock finds.
func Superblock(r io.ReaderAt) (kind, label, second string, ok bool) {
	b, ok := readSuperblock(r)
	return b.kind, b.label, b.second, ok
}

// Hang lets a look at a device take as long as a function does, and the finder wait for it so long.
func (f *Finder) Hang(look func(name string), patience time.Duration) {
	f.look, f.patience = look, patience
}

// HasUDF is hasUDF.
var HasUDF = hasUDF
