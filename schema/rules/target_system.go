package rules

import "cloudconfig/schema/diag"

// Findings about the settings of the whole system that depend on the machine.
var (
	TimezoneMissing = &diag.Rule{ID: "timezone-missing", Severity: diag.Error, Machine: true, Title: "the machine does not know the time zone",
		Help: "A time zone is a file below /usr/share/zoneinfo, and its name is the path from there: Europe/Berlin. Correct the name, or install the package tzdata in the image."}
	LocaleMissing = &diag.Rule{ID: "locale-missing", Severity: diag.Warning, Machine: true, Title: "the machine does not have the locale",
		Help: "The locale is set, and programs fall back to C until it is there. Nothing is compiled here: have the image's locale-gen or localedef make it, install the language pack, or choose C.UTF-8, which is everywhere."}
	TimeServiceMissing = &diag.Rule{ID: "time-service-missing", Severity: diag.Warning, Machine: true, Title: "systemd-timesyncd does not keep the time here",
		Help: "ntp is applied to systemd-timesyncd alone, and is left out where that is not installed, is masked, or gives way to another service. Write the servers into the other service's own file with write_files, or install systemd-timesyncd in the image."}
	ResolverMissing = &diag.Rule{ID: "resolver-missing", Severity: diag.Warning, Machine: true, Title: "systemd-resolved does not resolve names here",
		Help: "resolv_conf, and the name servers of the network, are systemd-resolved's to use, and have no effect where that is not installed or is masked. Write /etc/resolv.conf with write_files if nothing else manages it."}

	SSHSettingHidden = &diag.Rule{ID: "ssh-setting-hidden", Severity: diag.Warning, Machine: true, Title: "an earlier setting of sshd wins",
		Help: "sshd takes the first value that it finds, and reads its files in the order of their names. Remove the setting from the file that comes before, or replace that file with write_files."}
	HostKeyPublic = &diag.Rule{ID: "host-key-public", Severity: diag.Warning, Machine: true, Title: "the public host key cannot be made from the private one",
		Help: "The private key is written as it is, and no .pub file beside it. sshd needs a private key without a passphrase, in the form of OpenSSH or PEM; make one with ssh-keygen -N '', and give the public key as well if its kind is rare."}
	HostKeysKept = &diag.Rule{ID: "host-keys-kept", Severity: diag.Warning, Machine: true, Title: "the image's host keys stay",
		Help: "They are removed only below another root, and only where a unit of that system makes new ones, so that no sshd is left without a key. Give the machine its keys with ssh_keys, or remove those of the image when it is built."}

	PasswordUser = &diag.Rule{ID: "password-user", Severity: diag.Error, Machine: true, Title: "a password for a user who does not exist",
		Help: "Neither the machine nor this configuration has the user. Name it in users, or correct the name."}
	PasswordLong = &diag.Rule{ID: "password-long", Severity: diag.Error, Machine: true, Title: "the password is too long",
		Help: "crypt(3) takes 511 bytes at most. Give a shorter password, or better its hash, which mkpasswd makes."}

	TrustStoreMissing = &diag.Rule{ID: "trust-store-missing", Severity: diag.Warning, Machine: true, Title: "the machine has no trust store that is known here",
		Help: "Certificates of authorities are kept by a package of the distribution, mostly ca-certificates, which is not installed here. Install it in the image, or write the certificate where your program reads it."}
	TrustDefaultsKept = &diag.Rule{ID: "trust-defaults-kept", Severity: diag.Warning, Machine: true, Title: "the distribution's authorities stay trusted",
		Help: "They can be deselected one by one in /etc/ca-certificates.conf only, which this machine does not have. Remove the package that brings them from the image."}
	TrustRefresh = &diag.Rule{ID: "trust-refresh", Severity: diag.Info, Machine: true, Title: "the trust store has to be made anew",
		Help: "Nothing is run below another root: run the program there, in a chroot or when the image is built, before anything relies on the certificates."}
)

func systemTargetRules() []*diag.Rule {
	return []*diag.Rule{
		TimezoneMissing, LocaleMissing, TimeServiceMissing, ResolverMissing,
		SSHSettingHidden, HostKeyPublic, HostKeysKept,
		PasswordUser, PasswordLong,
		TrustStoreMissing, TrustDefaultsKept, TrustRefresh,
	}
}
