package certificatetest_test

import (
	"testing"

	"cloudconfig/schema/certificate/certificatetest"
)

// TestSame: the same request makes the same bytes.
func TestSame(t *testing.T) {
	ca := certificatetest.Make(certificatetest.Request{Name: "ca", From: "2020-01-01", To: "2099-12-31", CA: true, Key: certificatetest.ECDSA(9)})
	for _, r := range []certificatetest.Request{
		{Name: "ECDSA", Issuer: ca},
		{Name: "Ed25519", Key: certificatetest.Ed25519(1), Issuer: ca},
		{Name: "RSA", Key: certificatetest.RSA2048(), SHA1: true},
	} {
		r.From, r.To = "2020-01-01", "2099-12-31"
		a, b := certificatetest.Make(r), certificatetest.Make(r)
		if a.PEM() != b.PEM() || a.KeyPEM() != b.KeyPEM() {
			t.Errorf("%s: two certificates", r.Name)
		}
	}
}
