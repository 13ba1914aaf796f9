package minisign_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/go-crypt/x/blake2b"

	"cloudconfig/datasources/minisign"
)

func TestBLAKE2b(t *testing.T) {
	sum := minisign.BLAKE2b([]byte("abc"))
	if got, want := hex.EncodeToString(sum[:]), "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"+
		"7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"; got != want {
		t.Errorf("%s, and RFC 7693 appendix A has %s", got, want)
	}
	text := bytes.Repeat([]byte("0123456789\x00\xff abcdefg"), 60)
	for n := range len(text) {
		if got, want := minisign.BLAKE2b(text[:n]), blake2b.Sum512(text[:n]); got != want {
			t.Fatalf("of %d bytes: %x, want %x", n, got, want)
		}
	}
}
