package hostkeys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
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

// generate makes a private key in a form that every sshd reads: PEM of PKCS #1 and SEC 1 as before OpenSSH 7.8, and for
// ed25519, which has no such form, OpenSSH's own.
func generate(kind string) ([]byte, error) {
	block := &pem.Block{}
	switch kind {
	case "rsa":
		const bits = 3072 // as ssh-keygen since 8.0
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		block.Type, block.Bytes = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)
	case "ecdsa":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		if block.Bytes, err = x509.MarshalECPrivateKey(k); err != nil {
			return nil, err
		}
		block.Type = "EC PRIVATE KEY"
	case "ed25519":
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block.Type, block.Bytes = "OPENSSH PRIVATE KEY", openssh(public, private)
	}
	return pem.EncodeToMemory(block), nil
}

// openssh is an ed25519 key in the form of OpenSSH, without a passphrase.
//
// Format: PROTOCOL.key of OpenSSH 9.2. The two numbers at the front of the private part are there to find out a wrong
// passphrase, and have only to be equal.
func openssh(public ed25519.PublicKey, private ed25519.PrivateKey) []byte {
	const kind = "ssh-ed25519"
	inside := fields([]byte(kind), public)
	secret := append(make([]byte, 8), fields([]byte(kind), public, private, nil)...)
	for i := byte(1); len(secret)%8 != 0; i++ {
		secret = append(secret, i)
	}
	b := append([]byte("openssh-key-v1\x00"), fields([]byte("none"), []byte("none"), nil)...)
	b = binary.BigEndian.AppendUint32(b, 1)
	return append(b, fields(inside, secret)...)
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
