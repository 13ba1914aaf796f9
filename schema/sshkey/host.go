package sshkey

import "strings"

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
