package sshkey_test

import (
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"strings"
	"testing"

	"cloudconfig/schema/sshkey"
)

// private is a private key in the form of OpenSSH, with nothing of a key in it but its type.
func private(keyType, cipher string) string {
	var b bytes.Buffer
	field := func(text string) {
		binary.Write(&b, binary.BigEndian, uint32(len(text)))
		b.WriteString(text)
	}
	field(keyType)
	public := b.String()
	b.Reset()
	b.WriteString("openssh-key-v1\x00")
	field(cipher)
	field("none")
	field("")
	binary.Write(&b, binary.BigEndian, uint32(1))
	field(public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: b.Bytes()}))
}

func TestPrivateType(t *testing.T) {
	empty := func(label string) string { return string(pem.EncodeToMemory(&pem.Block{Type: label})) }
	for _, test := range []struct{ name, text, family, problem string }{
		{"of OpenSSH", private("ssh-ed25519", "none"), "ed25519", ""},
		{"without a line end after it", strings.TrimSpace(private("ecdsa-sha2-nistp256", "none")), "ecdsa", ""},
		{"RSA in PEM", empty("RSA PRIVATE KEY"), "rsa", ""},
		{"ECDSA in PEM", empty("EC PRIVATE KEY"), "ecdsa", ""},
		{"DSA in PEM", empty("DSA PRIVATE KEY"), "dsa", ""},
		{"PKCS #8, which only the key itself tells", empty("PRIVATE KEY"), "", ""},
		{"with a passphrase", private("ssh-rsa", "aes256-ctr"), "", "passphrase"},
		{"PKCS #8 with a passphrase", empty("ENCRYPTED PRIVATE KEY"), "", "passphrase"},
		{"PEM with a passphrase", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "", "passphrase"},
		{"in a security token", private("sk-ssh-ed25519@openssh.com", "none"), "", "no host has"},
		{"cut short", string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1\x00\x00")})), "", "cut short"},
		{"a certificate", empty("CERTIFICATE"), "", "BEGIN line"},
		{"a public key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", "", "public key"},
		{"nothing", "", "", "BEGIN and END"},
	} {
		t.Run(test.name, func(t *testing.T) {
			family, err := sshkey.PrivateType(test.text)
			if family != test.family {
				t.Errorf("of type %q, not %q", family, test.family)
			}
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("error %v, not %q", err, test.problem)
			}
		})
	}
}

func FuzzPrivateType(f *testing.F) {
	f.Add(private("ssh-rsa", "none"))
	f.Add("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if family, err := sshkey.PrivateType(text); err != nil && family != "" {
			t.Errorf("of type %q, and %v", family, err)
		}
	})
}
