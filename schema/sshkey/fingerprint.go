package sshkey

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Fingerprint is the digest of a key as ssh-keygen -l prints it: "SHA256:" and base64 without its padding.
func (k Key) Fingerprint() string {
	sum := sha256.Sum256(k.inside())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Bits is the length of a key as ssh-keygen -l prints it; 0 of one whose length its type does not say.
func (k Key) Bits() int {
	switch curve, _ := strings.CutPrefix(strings.TrimPrefix(k.Type, "sk-"), "ecdsa-sha2-nistp"); {
	case k.Type == "ssh-rsa":
		return k.rsaBits()
	case strings.HasPrefix(k.Type, "ssh-dss"):
		return 1024
	case strings.Contains(k.Type, "ed25519"), strings.HasPrefix(curve, "256"):
		return 256
	case strings.HasPrefix(curve, "384"):
		return 384
	case strings.HasPrefix(curve, "521"):
		return 521
	}
	return 0
}

// inside is the key itself, in bytes.
func (k Key) inside() []byte {
	b, _ := base64.StdEncoding.DecodeString(k.Blob)
	return b
}
