package sshkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"math/big"
)

// Public is the public key of a private one, as it stands in a .pub file, without a comment. The private key is
// one that sshd can use: in the form of OpenSSH, PKCS #1, SEC 1 or PKCS #8, all of them PEM, and without a
// passphrase.
//
// The error says what is wrong; nothing of the key is in it.
//
// Format: PROTOCOL.key of OpenSSH 9.2, whose public part is never encrypted; RFC 4253 section 6.6, RFC 5656
// section 3.1 and RFC 8709 section 4 for what is in the answer.
func Public(private []byte) (Key, error) {
	if len(private) > maxLine {
		return Key{}, errors.New("the private key is longer than any key is")
	}
	block, _ := pem.Decode(private)
	if block == nil {
		if _, err := Parse(string(private)); err == nil {
			return Key{}, errors.New("this is a public key")
		}
		return Key{}, errors.New("the private key is not PEM, or is cut short")
	}
	if block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY" {
		return Key{}, errPassphrase
	}
	var key any
	var err error
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return opensshPublic(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return Key{}, errors.New("the private key is of a kind that is not known here")
	}
	if err != nil {
		return Key{}, errors.New("the private key is damaged or cut short")
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return keyOf("ssh-rsa", number(big.NewInt(int64(k.E))), number(k.N))
	case *ecdsa.PrivateKey:
		// "P-256" is nistp256 to SSH.
		curve := "nistp" + k.Curve.Params().Name[2:]
		public, err := k.PublicKey.ECDH()
		if err != nil {
			break
		}
		return keyOf("ecdsa-sha2-"+curve, []byte(curve), public.Bytes())
	case ed25519.PrivateKey:
		return keyOf("ssh-ed25519", k.Public().(ed25519.PublicKey))
	}
	return Key{}, errors.New("the private key is of a kind that is not known here")
}

var errPassphrase = errors.New("the private key has a passphrase, which nobody is there to give to sshd")

// opensshPublic reads the public key that stands before the private one.
func opensshPublic(b []byte) (Key, error) {
	damaged := errors.New("the private key is damaged or cut short")
	b, ok := bytes.CutPrefix(b, []byte("openssh-key-v1\x00"))
	if !ok {
		return Key{}, damaged
	}
	cipher, b, ok := field(b)
	if !ok {
		return Key{}, damaged
	}
	if string(cipher) != "none" {
		return Key{}, errPassphrase
	}
	for range 2 { // the function that makes a key of a passphrase, and its options
		if _, b, ok = field(b); !ok {
			return Key{}, damaged
		}
	}
	if len(b) < 4 || binary.BigEndian.Uint32(b) != 1 {
		return Key{}, damaged
	}
	public, b, ok := field(b[4:])
	if !ok {
		return Key{}, damaged
	}
	if _, _, ok = field(b); !ok { // the private part
		return Key{}, damaged
	}
	kind, _, ok := field(public)
	k := Key{Type: string(kind), Blob: base64.StdEncoding.EncodeToString(public)}
	if !ok || !known(k.Type) || checkBlob(k.Type, k.Blob) != nil {
		return Key{}, damaged
	}
	return k, nil
}

// keyOf is a public key of its fields.
func keyOf(kind string, fields ...[]byte) (Key, error) {
	var b []byte
	for _, f := range append([][]byte{[]byte(kind)}, fields...) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	if !known(kind) { // a curve that SSH has no name for
		return Key{}, errors.New("the private key is of a kind that sshd does not know")
	}
	return Key{Type: kind, Blob: base64.StdEncoding.EncodeToString(b)}, nil
}

// number is a positive number as SSH writes it: without zeros in front, but for one that keeps it positive.
func number(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}
