package sshkey

import (
	"bytes"
	"encoding/pem"
	"errors"
	"strings"
)

// Family is the type of a key as ssh-keygen(1) names it after -t: "rsa", "dsa", "ecdsa", "ed25519"; a certificate is
// of the family of its key. It is empty of a key that lies in a security token, or that is none.
func Family(keyType string) string {
	switch base := strings.TrimSuffix(keyType, certificate); {
	case base == "ssh-rsa":
		return "rsa"
	case base == "ssh-dss":
		return "dsa"
	case base == "ssh-ed25519":
		return "ed25519"
	case strings.HasPrefix(base, "ecdsa-sha2-"):
		return "ecdsa"
	}
	return ""
}

// IsCertificate says that a type is that of a certificate.
func IsCertificate(keyType string) bool { return strings.HasSuffix(keyType, certificate) }

// PrivateType reads a private key as sshd takes it for a host key: in the form of OpenSSH or in PEM, without a
// passphrase. It says of which family the key is, or nothing if only the key itself would tell (PKCS #8). The key is
// not checked any further.
//
// The error says what is wrong; nothing of the text is in it.
//
// Format: PROTOCOL.key of OpenSSH 9.2; RFC 7468 for the rest.
func PrivateType(text string) (family string, err error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		if _, err := Parse(text); err == nil {
			return "", errors.New("this is a public key")
		}
		return "", errors.New("this is no private key: it is not between BEGIN and END lines")
	}
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") || block.Type == "ENCRYPTED PRIVATE KEY" {
		return "", errPassphrase
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return "rsa", nil
	case "DSA PRIVATE KEY":
		return "dsa", nil
	case "EC PRIVATE KEY":
		return "ecdsa", nil
	case "PRIVATE KEY":
		return "", nil
	case "OPENSSH PRIVATE KEY":
		return openSSHType(block.Bytes)
	}
	return "", errors.New("this is no private key, by what its BEGIN line says")
}

var errPassphrase = errors.New("the key has a passphrase, which nobody would type at a boot")

func openSSHType(raw []byte) (family string, err error) {
	raw, ok := bytes.CutPrefix(raw, []byte("openssh-key-v1\x00"))
	var cipher, public, keyType []byte
	if ok {
		cipher, raw, ok = field(raw)
	}
	for range 2 { // the name of the key derivation, and its options
		if ok {
			_, raw, ok = field(raw)
		}
	}
	if !ok || len(raw) < 4 {
		return "", errors.New("the key is cut short")
	}
	if public, _, ok = field(raw[4:]); ok { // behind the number of keys
		keyType, _, ok = field(public)
	}
	switch family := Family(string(keyType)); {
	case !ok:
		return "", errors.New("the key is cut short")
	case string(cipher) != "none":
		return "", errPassphrase
	case family == "":
		return "", errors.New("the key is of a type that no host has")
	default:
		return family, nil
	}
}
