package support

import (
	"fmt"
	"io"
	"time"
)

// tarWriter writes a tar file of regular files in one directory; the first error stays.
//
// Format: POSIX.1-1988 ustar, as pax in IEEE Std 1003.1-2017 describes it.
type tarWriter struct {
	w   io.Writer
	at  time.Time
	err error
}

const block = 512

// add adds a file, whose name is ours and short.
func (t *tarWriter) add(name string, data []byte) {
	var h [block]byte
	copy(h[0:100], "provisioner-logs/"+name)
	copy(h[100:], fmt.Sprintf("%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00", 0o600, 0, 0, len(data), t.at.Unix()))
	copy(h[148:], "        0") // the sum counts as blanks; then the kind: a regular file
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	t.write(h[:])
	t.write(data)
	t.write(make([]byte, (block-len(data)%block)%block))
}

// close writes the end: two empty blocks.
func (t *tarWriter) close() error {
	t.write(make([]byte, 2*block))
	return t.err
}

func (t *tarWriter) write(p []byte) {
	if t.err == nil {
		_, t.err = t.w.Write(p)
	}
}
