// Package certificatetest makes certificates and keys for tests. The same request makes the same bytes, so that
// what is kept in testdata can be made again: keys come from a number, and signatures need no chance.
//
// Nothing of it protects anything.
package certificatetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"time"
)

// Request says what certificate to make.
type Request struct {
	Name string // the common name
	// Hosts are the subject alternative names: DNS names and addresses.
	Hosts []string
	// From and To are the first and the last day: "2020-01-01", "2049-12-31".
	From, To string
	// Key is the subject's; ECDSA(1) where there is none.
	Key crypto.Signer
	// Issuer is who signs; nil for the certificate itself.
	Issuer *Issued
	CA     bool
	Client bool // good for clients only
	SHA1   bool // signed with SHA-1, by an RSA key
}

// Issued is a certificate with its key.
type Issued struct {
	Certificate *x509.Certificate
	Signer      crypto.Signer
}

// Make makes a certificate. A request that cannot be met is a mistake in the test, and panics.
func Make(r Request) *Issued {
	if r.Key == nil {
		r.Key = ECDSA(1)
	}
	digest := sha256.Sum256(fmt.Append(nil, r.Name, r.Hosts, r.From, r.To))
	id := sha256.Sum256(must(x509.MarshalPKIXPublicKey(r.Key.Public())))
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(digest[:8]),
		Subject:      pkix.Name{CommonName: r.Name},
		NotBefore:    must(time.Parse(time.DateOnly, r.From)),
		NotAfter:     must(time.Parse(time.DateOnly, r.To)),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		SubjectKeyId: id[:20], BasicConstraintsValid: true,
	}
	if r.CA {
		t.IsCA, t.KeyUsage, t.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
	}
	if r.Client {
		t.ExtKeyUsage = t.ExtKeyUsage[1:]
	}
	if r.SHA1 {
		t.SignatureAlgorithm = x509.SHA1WithRSA
	}
	for _, h := range r.Hosts {
		if a, err := netip.ParseAddr(h); err == nil {
			t.IPAddresses = append(t.IPAddresses, a.AsSlice())
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	parent, signer := t, r.Key
	if r.Issuer != nil {
		parent, signer = r.Issuer.Certificate, r.Issuer.Signer
	}
	der := must(x509.CreateCertificate(nil, t, parent, r.Key.Public(), signer))
	return &Issued{must(x509.ParseCertificate(der)), r.Key}
}

// PEM is the certificate.
func (i *Issued) PEM() string { return Block("CERTIFICATE", i.Certificate.Raw) }

// KeyPEM is the private key, in PKCS #8.
func (i *Issued) KeyPEM() string { return KeyPEM(i.Signer) }

// KeyPEM is a private key, in PKCS #8.
func KeyPEM(k crypto.Signer) string {
	return Block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k)))
}

// Block is a PEM block.
func Block(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// ECDSA is the P-256 key of a number from 1.
func ECDSA(n byte) crypto.Signer {
	scalar := sha256.Sum256([]byte{'k', n})
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:]))
}

// Ed25519 is the key of a number.
func Ed25519(n byte) crypto.Signer {
	seed := sha256.Sum256([]byte{'e', n})
	return ed25519.NewKeyFromSeed(seed[:])
}

// RSA1024 is always the same key, since one of RSA cannot be made from a number.
func RSA1024() crypto.Signer { return parseRSA(rsa1024) }

// RSA2048 is always the same key.
func RSA2048() crypto.Signer { return parseRSA(rsa2048) }

func parseRSA(text string) *rsa.PrivateKey {
	block, _ := pem.Decode([]byte(text))
	return must(x509.ParsePKCS1PrivateKey(block.Bytes))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("internal error: %v", err))
	}
	return v
}

const rsa1024 = `-----BEGIN RSA PRIVATE KEY-----
MIICXgIBAAKBgQDWfTlKP4ccs1BuD27Kyqo6WBCy1CZKwLm8DV7y54pEmtSBFhUX
UNAAWioV0jnWVPYPHJp7HYB6o+BCk9Xtr1up5QYYteZVS4i+4MxqEfG/jAcRUeEf
9qNt2Bj7kRXnGfxXNrKxPPf6/xqTnyv5ZMXNFvEvwEfrPcvWsCIQ8rmI2wIDAQAB
AoGAI+Y3pYa2fYZBqvooSAbdsQA2Y0gA1LgnHiN6xdsdGFh1wtlIVGuxNK3ip15V
UdtMh8D41ixc6anuChamUq7r/1gdy2Pm8/8K3O9XOs3+Tw0e20VP5w4QUSnB60FC
Ru1gmwlg+BtE/ntGbzP/CbhkwGoOFg1UsBandGNz/I4akHkCQQDxJKHZh57muadN
3tpRSjGQfq0aisEOItyL+ieOlQ2bv2+cy8lpvr7H3mMjcddI5CD7pcF7n4zdoMB0
kEka5MK/AkEA47Qy+eiTSvQDnWE5Rzi+DMI9DNt2LW96fm+yHj2JeTUrhD5j6Qrv
/GaVk10E7PvE64JSBNU9Ijca7QbSsYGs5QJBAMlogU5A+jVXhyeBJPOUdoVraIWs
ssZt06uOSo/Kas1VPZHGm/mYeZxSYJdwNBILiIjmzw3EG1HZPCWfhY/S1d0CQQCZ
2CtE7B1wW9OBZqnjc/P7/NRwtmpvIk251U+b3OngKctgCyNH1er1Nn5C1Ws5jpWq
pR8zQruOPXsEwEJkSf/9AkEA7ubsOyOv64vkGvazOQOXPx2zRc4g8WIP9iN2+6kK
1+z42VAnnlJx19k+oRiUn1WGfk+LCywqYtDhVrRNWeXfaQ==
-----END RSA PRIVATE KEY-----
`

const rsa2048 = `-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEA4K1Kvt5Gsek7fLKqyDxxfF6Wnk5hahxB5eMwjnghwa+TciKM
sjyJqPOPoytFFS7MXEvtE04qRkk2RNJMaLKvIZaqU5V4b/oGr3FziGT+J/apafeX
AEMLqVVgByGNsK4X8+BRD2Wy6tCpKbHa4rchbATKCIpWGeHs0IX+1Mpv0xGyifYU
3lO0Pq2Cla2ZSKnq5DTfBNBPc2LRQRWIlZn19roFy+ubVhMR3GMDEYDUyqUiDIgn
inee3XzXFEfSF2MeGLVt4M7M17vlNUnF8SyZjeNhjDPyiII3sFbDA7JobkvWKEQa
DTOjifQkcum3PweziDKeUMoUAqjgMcR+sjF+YwIDAQABAoIBAAvzUtWw1otaeKAb
BaZBI3Qrf9D9WvcdIsWDqRJMrNb63a76k0CVhxOe8ABhuEH2hEcZZBnOcRrBhJkd
MZRcES6mvXob/03brT3M1gnKNksDb5unbn5g9h6birO2ZmYuob2Ggbd91TTFxLt1
WSCbjiWnfquLLXs9ZiA/EFYh2YLWIc2eXmzfjVqEvIdyApeVEhFt2a5niBruGI2U
TATd8hv8D6rlVcsgTQ7az9m5uHiswd51V8SanxmQL1ZeiRdJaU6Cx8D6lA6o1xSj
iUAfM+0XoLBf2o23Rw2g0OoBzLDPOLVU+2tU/ixjZjnI3CSMqrIcpNUpWRVcv0Vl
I1YRRdkCgYEA4SdaaZBBGihPCC6e1pnlJFePzJq/MiH47bmQgA7kvIWTgtOsrLOd
NhYpEBT58Kj27Gklx68qyQts6Spd++6K1lmRkIjG1ltCIhA4Ti4pUFB2Ihwo1p8i
yiayOtzDK+M8ZO+ZG3+qefqvhpUx25x+SNV6I/Ol0jVh0OYefguCOjcCgYEA/3U3
X3DqwcFrBkhBW27YLD3wyZwFt/JPzpUTeixU5hHF+zNZAFcfFLgHkTU4fBSRLXI4
xFM0mxamTH659AV98pRZ+D1+yM5Z7NjwsIXFsy65B0PPQva6ANKDC27gctGd+1wz
1mhcmtspboqk8MWGJrGPu0o8/OvMwPM/MxjDlzUCgYA0F8HQaMLXRXo7n2W6qzKb
/PJVWXxhIgERJ3zqVAfSImmlvEnYT1pRWEE56lCFwOIYgp9uGvYgO9d//wBtuJxA
ycpnEW5HzCd58BzG4eFHJsaeT7uXJIyNDvTvr4Islk+z3sei2B/eRwTzc3Nsp0GE
one297lm8FjoV0W4zfrccwKBgQDFgO2fx6Bozs6dG84UD93oTrdUWGF/d0NGl7Fo
WtAE1Kb58RgVkEYCccm/9aLHI+uedFn5R887PMa0C6JfTMO0gggRShI01H1oBc4I
3FQelbgOKtoajsD+E8OnWkED5Ja9GOsnEKbQPzOIOH8Pe9edINjcV6hRb0ltwGMT
cUj/JQKBgFogygV3xQ/Lg92TbFz1QYrbx9ujLwa4BkxfvJYNv8z/uRPcu2A0+207
0SXaXkc5xHDv0NXkJDZ+9MhDdfnpIRsRZJpbvmWSdDWT815AdUvC6Fhvd6Z6jyxk
cdemQhrnfvUmg/a7glqZOla0SDjTKuSVPOWXO1EqFJkMWL4L4hCu
-----END RSA PRIVATE KEY-----
`
