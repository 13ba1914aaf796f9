package assemble

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// An xzReader unpacks .xz streams, one after the other. It reads the container itself, since the library makes a window
// as large as each block asks for, which is up to 4 GiB. Here a window has maxWindow bytes at most: what was packed
// with a larger one can be read as long as no distance in it is longer than that.
//
// Of the filters there is LZMA2 alone, which is what xz(1) uses unless it is told otherwise.
//
// Source: The .xz File Format, version 1.2.1 (2024-04-08).
type xzReader struct {
	in     io.Reader
	offset int64 // bytes read of in
	sum    func() hash.Hash
	flags  [2]byte // of the stream in hand
	begun  bool    // a stream is in hand
	blocks uint64  // of the stream in hand
	all    int     // blocks so far

	block    io.Reader // the block in hand, or nil
	check    hash.Hash
	overlong bool // the block in hand asks for a larger window
}

// maxBlocks is how many blocks all streams may have: each takes a window of its own to be made.
const maxBlocks = 64

var errDamaged = errors.New("damaged")

func newXZReader(r io.Reader) (io.Reader, error) { return &xzReader{in: r}, nil }

func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
		}
		n, err := x.block.Read(p)
		x.check.Write(p[:n])
		switch {
		case err == io.EOF:
			err = x.endBlock()
		case err != nil && x.overlong && !errors.Is(err, io.ErrUnexpectedEOF):
			err = errWindow
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// take reads exactly n bytes.
func (x *xzReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(x.in, b)
	x.offset += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// next goes on to the next block; io.EOF says that there is none and all streams are whole.
func (x *xzReader) next() error {
	for {
		if !x.begun {
			if err := x.beginStream(); err != nil {
				return err
			}
		}
		size, err := x.take(1)
		if err != nil {
			return err
		}
		if size[0] != 0 {
			return x.beginBlock(size[0])
		}
		if err := x.endStream(); err != nil {
			return err
		}
	}
}

// beginStream reads the header of a stream, and the padding that may stand before it.
func (x *xzReader) beginStream() error {
	var b []byte
	for {
		var err error
		word := make([]byte, 4)
		if _, err = io.ReadFull(x.in, word); err != nil {
			return err // io.EOF behind the last stream
		}
		x.offset += 4
		if binary.LittleEndian.Uint32(word) == 0 && x.all > 0 {
			continue
		}
		if b, err = x.take(8); err != nil {
			return err
		}
		b = append(word, b...)
		break
	}
	if !bytes.HasPrefix(b, []byte(xzMagic)) || crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) || b[6] != 0 {
		return errDamaged
	}
	switch b[7] {
	case 0:
		x.sum = func() hash.Hash { return nothing{} }
	case 1:
		x.sum = func() hash.Hash { return crc32.NewIEEE() }
	case 4:
		x.sum = func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) }
	case 10:
		x.sum = sha256.New
	default:
		return errForm
	}
	x.flags, x.begun, x.blocks = [2]byte(b[6:8]), true, 0
	return nil
}

// beginBlock reads the header of a block, of which the first byte has been read.
func (x *xzReader) beginBlock(size byte) error {
	x.blocks++
	if x.all++; x.all > maxBlocks {
		return errForm
	}
	rest, err := x.take(4*int(size) + 3)
	if err != nil {
		return err
	}
	h, sum := append([]byte{size}, rest[:len(rest)-4]...), rest[len(rest)-4:]
	if crc32.ChecksumIEEE(h) != binary.LittleEndian.Uint32(sum) {
		return errDamaged
	}
	flags, fields := h[1], h[2:]
	if flags&0x3f != 0 { // more filters than one, or what is not there yet
		return errForm
	}
	for _, present := range []byte{0x40, 0x80} { // the size packed and unpacked, which the data says itself
		if flags&present != 0 {
			_, n := binary.Uvarint(fields)
			if n <= 0 {
				return errDamaged
			}
			fields = fields[n:]
		}
	}
	if len(fields) < 3 || fields[0] != 0x21 || fields[1] != 1 || fields[2] > 40 {
		return errForm
	}
	window := int64(2|fields[2]&1) << (fields[2]/2 + 11)
	x.overlong = window > maxWindow
	x.offset = 0 // from here on to where the padding counts from
	counted := countingReader{x.in, &x.offset}
	x.block, err = lzma.Reader2Config{DictCap: int(min(window, maxWindow))}.NewReader2(counted)
	x.check = x.sum()
	return err
}

// endBlock reads what stands behind the data of a block.
func (x *xzReader) endBlock() error {
	padding := int(-x.offset & 3)
	tail, err := x.take(padding + x.check.Size())
	if err != nil {
		return err
	}
	for _, c := range tail[:padding] {
		if c != 0 {
			return errDamaged
		}
	}
	want := x.check.Sum(nil)
	if _, big := x.check.(hash.Hash32); big { // which the format has in the other order
		binary.LittleEndian.PutUint32(want, binary.BigEndian.Uint32(want))
	} else if _, big := x.check.(hash.Hash64); big {
		binary.LittleEndian.PutUint64(want, binary.BigEndian.Uint64(want))
	}
	if !bytes.Equal(want, tail[padding:]) {
		return errDamaged
	}
	x.block = nil
	return nil
}

// endStream reads the index, of which the first byte has been read, and the footer.
func (x *xzReader) endStream() error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	x.offset = 1
	index := bufferless{io.TeeReader(countingReader{x.in, &x.offset}, sum)}
	for n := uint64(0); n <= 2*x.blocks; n++ { // how many blocks there are, then two sizes of each
		v, err := binary.ReadUvarint(index)
		if err != nil {
			return cut(err)
		}
		if n == 0 && v != x.blocks {
			return errDamaged
		}
	}
	for x.offset&3 != 0 {
		if c, err := index.ReadByte(); err != nil || c != 0 {
			return errors.Join(cut(err), errDamaged)
		}
	}
	size := x.offset
	tail, err := x.take(4 + 12)
	if err != nil {
		return err
	}
	footer := tail[4:]
	if binary.LittleEndian.Uint32(tail) != sum.Sum32() || binary.LittleEndian.Uint32(footer) != crc32.ChecksumIEEE(footer[4:10]) ||
		int64(binary.LittleEndian.Uint32(footer[4:])) != size/4 || [2]byte(footer[8:10]) != x.flags || string(footer[10:]) != "YZ" {
		return errDamaged
	}
	x.begun = false
	return nil
}

// cut is an end that comes too soon.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

type countingReader struct {
	io.Reader
	n *int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	*r.n += int64(n)
	return n, err
}

// bufferless reads single bytes, and none ahead.
type bufferless struct{ io.Reader }

func (r bufferless) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Reader, b[:])
	return b[0], err
}

// nothing is the check of a stream that has none.
type nothing struct{ hash.Hash }

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Sum(b []byte) []byte         { return b }
func (nothing) Size() int                   { return 0 }
