package rules

import "cloudconfig/schema/diag"

// Findings about certificates and their keys.
var (
	CertificateName = &diag.Rule{ID: "certificate-name", Severity: diag.Error, Title: "not a name for a certificate",
		Help:    "The name of an entry of certificates is letters, digits, dots, hyphens and underscores, 64 at most, and begins with a letter or digit.",
		Example: "certificates:\n  - name: etcd peer", Instead: "certificates:\n  - name: etcd-peer"}
	CertificateIncomplete = &diag.Rule{ID: "certificate-incomplete", Severity: diag.Error, Title: "a key, certificate or CA lacks its text or its place",
		Help:    "What is given inline needs a path to go to, and a path needs something to put there. It is a warning where the text is empty.",
		Example: "certificates:\n  - name: web\n    certificate_path: /etc/ssl/web.pem", Instead: "certificates:\n  - name: web\n    certificate_path: /etc/ssl/web.pem\n    certificate: |\n      -----BEGIN CERTIFICATE-----\n      MIIB..."}
	CertificateSource = &diag.Rule{ID: "certificate-source", Severity: diag.Error, Title: "the value is not what its source takes",
		Help:    "With source: inline, key, certificate, chain and ca are PEM texts. With source: file they are paths of files that the machine has.",
		Example: "certificates:\n  - name: web\n    certificate_path: /etc/ssl/web.pem\n    certificate: /media/web.pem", Instead: "certificates:\n  - name: web\n    source: file\n    certificate_path: /etc/ssl/web.pem\n    certificate: /media/web.pem"}
	PrivateKeyMode = &diag.Rule{ID: "private-key-mode", Severity: diag.Error, Title: "others may read a private key",
		Help:    "A private key is its owner's: 0600, or 0640 where a group must read it. Give the group with owner.",
		Example: "key_mode: \"0644\"", Instead: "owner: root:ssl-cert\nkey_mode: \"0640\""}

	PEMSyntax = &diag.Rule{ID: "pem-syntax", Severity: diag.Error, Title: "not PEM that can be read",
		Help:    "A PEM block is a line -----BEGIN LABEL-----, base64, and a line -----END LABEL----- with the same label, each on a line of its own. In YAML, | before the text keeps the lines as they are.",
		Example: "certificate: >\n  -----BEGIN CERTIFICATE-----\n  MIIB...\n  -----END CERTIFICATE-----", Instead: "certificate: |\n  -----BEGIN CERTIFICATE-----\n  MIIB...\n  -----END CERTIFICATE-----"}
	PEMContent = &diag.Rule{ID: "pem-content", Severity: diag.Error, Title: "the inside of a PEM block is damaged or of another kind",
		Help: "The base64 is whole, but what it decodes to is not what the block is called: bytes are missing, too many or changed. Copy the file again. It is a warning where the form is right and Go, which etcd, Docker and Kubernetes are written in, refuses it all the same."}
	CertificateKind = &diag.Rule{ID: "certificate-kind", Severity: diag.Error, Title: "something else than what belongs here",
		Help: "certificate takes the certificate, and after it those of its chain if they go into the same file; chain and ca take certificates; key takes one private key. A request (CSR) is what a CA makes a certificate from, and a public key is only part of one."}
	PrivateKeyMisplaced = &diag.Rule{ID: "private-key-misplaced", Severity: diag.Error, Title: "a private key where a certificate belongs",
		Help: "What goes into the file of a certificate is readable by everybody, and is sent to whoever asks. Put the key under key."}
	PrivateKeyEncrypted = &diag.Rule{ID: "private-key-encrypted", Severity: diag.Error, Title: "a private key with a passphrase",
		Help: "Nobody is there to type the passphrase when a machine boots. Take it off, openssl pkey -in key.pem -out plain.pem does, and protect the configuration instead."}
	PrivateKeyType = &diag.Rule{ID: "private-key-type", Severity: diag.Error, Title: "a private key that TLS has no use for",
		Help: "A key is RSA of 8,192 bits at most, ECDSA on P-256, P-384 or P-521, or Ed25519, in the form of PKCS #8, PKCS #1 or SEC 1. A key in OpenSSH's form is for SSH, and DSA is gone from TLS."}
	CertificateKeyMismatch = &diag.Rule{ID: "certificate-key-mismatch", Severity: diag.Error, Title: "the key is not the certificate's",
		Help: "The certificate has another public key than the private key beside it, so no handshake with the two can succeed. It is a warning in write_files, where the two are taken for a pair by their names."}
	CertificateChain = &diag.Rule{ID: "certificate-chain", Severity: diag.Error, Title: "the certificates do not lead from one to the next",
		Help: "Each certificate of a chain is issued by the one that follows it, and the last by one of ca. Put the issuer of the certificate first, then the issuer of that; a CA that is there to check others goes into an entry of its own. It is a warning where only the order is wrong, or one too many is there."}
	CertificateCA = &diag.Rule{ID: "certificate-ca", Severity: diag.Error, Title: "a certificate that is no CA and issues others, or is one and serves",
		Help: "What issues certificates says CA:TRUE in its basic constraints, else nobody believes what it has issued; what a server shows says CA:FALSE, else some clients refuse it."}
	CertificateExpired = &diag.Rule{ID: "certificate-expired", Severity: diag.Error, Title: "the certificate has expired",
		Help: "Nobody accepts it any more. Have a new one issued. It is a warning in write_files, in ca_certs, and of one CA among several."}
	CertificateNotYetValid = &diag.Rule{ID: "certificate-not-yet-valid", Severity: diag.Error, Title: "the certificate is not valid yet",
		Help: "Its time begins later; most often the clock of the machine that issued it was wrong. It is a warning if it begins within a day. A machine whose clock is certainly wrong does not look at dates."}
	CertificateExpiresSoon = &diag.Rule{ID: "certificate-expires-soon", Severity: diag.Warning, Title: "the certificate expires soon",
		Help: "Less than 30 days of it are left, and less than a third of its whole time. Have it renewed before machines boot with it."}
	CertificateNames = &diag.Rule{ID: "certificate-names", Severity: diag.Warning, Title: "the certificate covers none of the machine's names",
		Help: "A client that connects to the machine by its name or address would refuse it. The names are hostname and fqdn, the addresses those that the configuration and --metadata give this machine. It is an information where the certificate has only full DNS names, which may be a service's."}
	CertificateNoNames = &diag.Rule{ID: "certificate-no-names", Severity: diag.Warning, Title: "a server's certificate without subject alternative names",
		Help: "Go, browsers and everything else written since 2017 pass over the common name and refuse the certificate. Have one issued with its names as subjectAltName."}
	CertificateWeak = &diag.Rule{ID: "certificate-weak", Severity: diag.Warning, Title: "a weak key or signature",
		Help: "RSA keys of less than 2,048 bits and signatures with MD5 or SHA-1 can be forged, and are refused by OpenSSL as Debian and Fedora set it up, and by Go."}
	CertificateFile = &diag.Rule{ID: "certificate-file", Severity: diag.Error, Machine: true, Title: "a file that certificates names cannot be used",
		Help: "With source: file, the files are on the machine or its image before anything is applied, or are written by this configuration; they are checked as the texts of source: inline are."}
	CertificateReload = &diag.Rule{ID: "certificate-reload", Severity: diag.Warning, Machine: true, Title: "a unit to reload does not exist",
		Help: "The unit is neither in this configuration nor on the machine, so nothing takes up a new certificate."}
)

func certificateRules() []*diag.Rule {
	return []*diag.Rule{
		CertificateName, CertificateIncomplete, CertificateSource, PrivateKeyMode,
		PEMSyntax, PEMContent, CertificateKind, PrivateKeyMisplaced, PrivateKeyEncrypted, PrivateKeyType,
		CertificateKeyMismatch, CertificateChain, CertificateCA, CertificateExpired, CertificateNotYetValid, CertificateExpiresSoon,
		CertificateNames, CertificateNoNames, CertificateWeak, CertificateFile, CertificateReload,
	}
}
