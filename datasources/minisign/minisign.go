// Package minisign checks detached signatures as the program minisign makes them.
//
// [Verify] is the thing to call, with keys from [ParseKey]. It makes no signatures.
//
// Format: https://jedisct1.github.io/minisign/, "Signature format" and "Public key format" (read 2026-11-28): both
// "Ed", which signs the document itself, and "ED", which signs its BLAKE2b-512, as minisign has done since 0.10.
package minisign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// MaxBytes is the largest signature or key file that is looked at.
const MaxBytes = 8 << 10

const (
	idBytes   = 8
	untrusted = "untrusted comment:"
	trusted   = "trusted comment: "
)

var (
	// ErrUnknownKey is wrapped by Verify if none of the keys has the id of the signature's.
	ErrUnknownKey = errors.New("none of our keys made it")
	// ErrMismatch is wrapped by Verify if the signature is that of another document, or of another comment.
	ErrMismatch = errors.New("it does not fit the document")
)

// Key is a public key.
type Key struct {
	ID     [idBytes]byte
	Public ed25519.PublicKey
}

// String is the id as minisign prints it: "33DA153ED8CB5782".
func (k Key) String() string { return printID(k.ID) }

func printID(id [idBytes]byte) string { return fmt.Sprintf("%016X", binary.LittleEndian.Uint64(id[:])) }

// ParseKey reads a public key: the two lines of a .pub file, or its second alone.
func ParseKey(text []byte) (Key, error) {
	var k Key
	list := lines(text)
	if len(list) == 2 && strings.HasPrefix(list[0], untrusted) {
		list = list[1:]
	}
	if len(text) > MaxBytes || len(list) != 1 {
		return k, errors.New("it is no minisign public key of one or two lines")
	}
	raw, err := base64.StdEncoding.DecodeString(list[0])
	if err != nil || len(raw) != 2+idBytes+ed25519.PublicKeySize || string(raw[:2]) != "Ed" {
		return k, errors.New("it is no minisign public key")
	}
	copy(k.ID[:], raw[2:])
	k.Public = raw[2+idBytes:]
	return k, nil
}

// Verify says that a document was signed by one of the keys, and gives that key and the trusted comment, which is
// signed too. The error wraps [ErrUnknownKey] or [ErrMismatch] if that is the matter, or says what is wrong with the
// signature's form. Signatures of a document cut short or grown do not fit it.
func Verify(keys []Key, document, signature []byte) (by Key, comment string, err error) {
	s, err := parse(signature)
	if err != nil {
		return Key{}, "", err
	}
	var ours []string
	for _, k := range keys {
		if k.ID != s.id {
			ours = append(ours, k.String())
			continue
		}
		message := document
		if s.hashed {
			sum := blake2b(document)
			message = sum[:]
		}
		if !ed25519.Verify(k.Public, message, s.signature) {
			return k, "", fmt.Errorf("the signature by key %s: %w", k, ErrMismatch)
		}
		if !ed25519.Verify(k.Public, append(bytes.Clone(s.signature), s.comment...), s.global) {
			return k, "", fmt.Errorf("the trusted comment of the signature by key %s: %w", k, ErrMismatch)
		}
		return k, s.comment, nil
	}
	if len(ours) == 0 {
		ours = []string{"there are none"}
	}
	return Key{}, "", fmt.Errorf("the signature is by key %s: %w (ours: %s)", printID(s.id), ErrUnknownKey, strings.Join(ours, ", "))
}

// signed is a signature file.
type signed struct {
	hashed    bool
	id        [idBytes]byte
	signature []byte
	comment   string
	global    []byte // of signature and comment
}

func parse(text []byte) (s signed, err error) {
	list := lines(text)
	if len(text) > MaxBytes || len(list) != 4 || !strings.HasPrefix(list[0], untrusted) || !strings.HasPrefix(list[2], trusted) {
		return s, errors.New("it is no minisign signature of four lines")
	}
	raw, err1 := base64.StdEncoding.DecodeString(list[1])
	global, err2 := base64.StdEncoding.DecodeString(list[3])
	if err1 != nil || err2 != nil || len(raw) != 2+idBytes+ed25519.SignatureSize || len(global) != ed25519.SignatureSize {
		return s, errors.New("it is no minisign signature: a line of it is not the base64 of one")
	}
	switch string(raw[:2]) {
	case "Ed":
	case "ED":
		s.hashed = true
	default:
		return s, errors.New("it is a minisign signature of an unknown kind, neither Ed nor ED")
	}
	copy(s.id[:], raw[2:])
	s.signature, s.comment, s.global = raw[2+idBytes:], strings.TrimPrefix(list[2], trusted), global
	return s, nil
}

// lines are those of a text, without their ends and what is empty at its end.
func lines(text []byte) []string {
	list := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	for i := range list {
		list[i] = strings.TrimSuffix(list[i], "\r")
	}
	return list
}
