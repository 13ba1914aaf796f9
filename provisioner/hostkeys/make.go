package hostkeys

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"path"
	"slices"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema/sshkey"
)

// kinds are those of which a machine gets a key, as ssh-keygen -A makes them (OpenSSH 9.2).
func kinds() []string { return []string{"rsa", "ecdsa", "ed25519"} }

func isKind(kind string) bool { return slices.Contains(kinds(), kind) }

const origin = "host keys"

// pairOf gives the changes that write a new pair of keys.
func pairOf(root fsroot.FS, kind string, attr fsroot.Attr) ([]plan.Change, error) {
	private, err := generate(kind)
	if err != nil {
		return nil, fmt.Errorf("make %s host key: %w", kind, err)
	}
	public, err := sshkey.Public(private)
	if err != nil {
		return nil, fmt.Errorf("internal error: the %s host key that was made: %w", kind, err)
	}
	public.Comment = "root@" + hostname(root)
	file := path.Join(dir, prefix+kind+suffix)
	return []plan.Change{
		{Kind: plan.WriteFile, Path: file, Attr: attr, Data: private, Secret: true, Origin: origin},
		{Kind: plan.WriteFile, Path: file + ".pub", Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(public.String() + "\n"), Origin: origin},
	}, nil
}

// hostname is the name for the comments of keys.
func hostname(root fsroot.FS) string {
	text, _, err := root.ReadFile("etc/hostname", 256)
	if err == nil {
		var name []byte
		for _, b := range text {
			if b <= ' ' || b >= 0x7f || b == '#' {
				break
			}
			name = append(name, b)
		}
		if len(name) > 0 {
			return string(name)
		}
	}
	return "localhost"
}

// generate makes a private key in the form of OpenSSH, without a passphrase.
//
// Format: PROTOCOL.key of OpenSSH 9.2, and sshkey_private_serialize for what stands in it. The two numbers at the front
// of the private part are there to find out a wrong passphrase, and have only to be equal.
func generate(kind string) ([]byte, error) {
	public, private, err := numbers(kind)
	if err != nil {
		return nil, err
	}
	secret := append(make([]byte, 8), fields(append(private, nil)...)...)
	for i := byte(1); len(secret)%8 != 0; i++ {
		secret = append(secret, i)
	}
	b := append([]byte("openssh-key-v1\x00"), fields([]byte("none"), []byte("none"), nil)...)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(b, fields(fields(public...), secret)...)
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: b}), nil
}

// numbers makes a key: the fields of its public and of its private part, the type being the first of both.
func numbers(kind string) (public, private [][]byte, err error) {
	switch kind {
	case "rsa":
		const bits = 3072 // as ssh-keygen since 8.0
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, nil, err
		}
		name, e, n := []byte("ssh-rsa"), number(big.NewInt(int64(k.E))), number(k.N)
		return [][]byte{name, e, n}, [][]byte{name, n, e, number(k.D), number(k.Precomputed.Qinv), number(k.Primes[0]), number(k.Primes[1])}, nil
	case "ecdsa":
		k, err := ecdh.P256().GenerateKey(rand.Reader) // the curve is the same; crypto/ecdsa would bring all of them
		if err != nil {
			return nil, nil, err
		}
		public = [][]byte{[]byte("ecdsa-sha2-nistp256"), []byte("nistp256"), k.PublicKey().Bytes()}
		return public, append(public[:3:3], number(new(big.Int).SetBytes(k.Bytes()))), nil
	}
	key, secret, err := ed25519.GenerateKey(rand.Reader)
	public = [][]byte{[]byte("ssh-ed25519"), key}
	return public, append(public[:2:2], secret), err
}

// number is a positive number as SSH writes it: with a zero in front where it would be taken for a negative one.
func number(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}

// fields are texts with their lengths in front.
func fields(all ...[]byte) []byte {
	var b []byte
	for _, f := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}
