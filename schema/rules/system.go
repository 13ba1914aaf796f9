package rules

import "cloudconfig/schema/diag"

// Findings about the settings of the whole system.
var (
	Timezone = &diag.Rule{ID: "timezone", Severity: diag.Error, Title: "not a time zone",
		Help:    "A time zone is named as the files below /usr/share/zoneinfo: a region, a slash and a city, or UTC. Capitals count, and blanks are underscores.",
		Example: "timezone: Berlin", Instead: "timezone: Europe/Berlin"}
	Locale = &diag.Rule{ID: "locale", Severity: diag.Error, Title: "not a locale",
		Help:    "A locale is a language, a country and an encoding (de_DE.UTF-8), or C.UTF-8.",
		Example: "locale: German", Instead: "locale: de_DE.UTF-8"}
	Keyboard = &diag.Rule{ID: "keyboard", Severity: diag.Error, Title: "not a keyboard setting",
		Help:    "The value goes into a line of /etc/default/keyboard: names of layouts and options, with commas between, without quotes or blanks.",
		Example: "keyboard:\n  layout: \"'de'\"", Instead: "keyboard:\n  layout: de"}
	HostOrAddress = &diag.Rule{ID: "host-or-address", Severity: diag.Error, Title: "neither a host name nor an address",
		Help:    "A server is given by its name or its IP address alone: no scheme, no port, no options.",
		Example: "ntp:\n  servers: [ntp://ntp.example.com]", Instead: "ntp:\n  servers: [ntp.example.com]"}
	Nameserver = &diag.Rule{ID: "nameserver", Severity: diag.Error, Title: "not the address of a name server",
		Help:    "A name server is given by its IP address: to look up a name, one is needed already.",
		Example: "resolv_conf:\n  nameservers: [dns.example.com]", Instead: "resolv_conf:\n  nameservers: [192.0.2.53]"}
	DomainName = &diag.Rule{ID: "domain-name", Severity: diag.Error, Title: "not a domain name",
		Help:    "A domain is made of labels of letters, digits, hyphens and underscores with dots between.",
		Example: "resolv_conf:\n  searchdomains: [\"example.com, example.org\"]", Instead: "resolv_conf:\n  searchdomains: [example.com, example.org]"}
	ResolverIdle = &diag.Rule{ID: "resolv-conf-unmanaged", Severity: diag.Warning, Title: "resolv_conf has no effect",
		Help:    "resolv_conf counts only where manage_resolv_conf is true.",
		Example: "resolv_conf:\n  nameservers: [192.0.2.53]", Instead: "manage_resolv_conf: true\nresolv_conf:\n  nameservers: [192.0.2.53]"}
	HostKey = &diag.Rule{ID: "ssh-host-key", Severity: diag.Warning, Title: "not a host key of the type that its name says",
		Help: "The key is left out. sshd takes a private key in the form of OpenSSH or in PEM, without a passphrase; a public key or certificate is one line. What ssh_keys calls rsa must be an RSA key, and so on."}
	HostKeyMismatch = &diag.Rule{ID: "host-key-mismatch", Severity: diag.Error, Title: "the public host key is not that of the private one",
		Help: "sshd would present a key that it cannot prove to have. Leave the public key out, since it is made from the private one, or give both of one pair."}
	PasswordPlaintext = &diag.Rule{ID: "password-plaintext", Severity: diag.Warning, Title: "a password that everybody can read who sees the configuration",
		Help:    "Configurations are kept in repositories and metadata services, and on many platforms every process of the machine can read them. Give a hash, which mkpasswd --method=yescrypt makes, or SSH keys alone.",
		Example: "users:\n  - name: anna\n    plain_text_passwd: ...", Instead: "users:\n  - name: anna\n    passwd: $y$j9T$..."}
	PasswordLine = &diag.Rule{ID: "password-line", Severity: diag.Warning, Title: "a line of chpasswd that sets no password",
		Help: "A line is a user's name, a colon and a password or its hash. This one is left out."}
	PostURL = &diag.Rule{ID: "post-url", Severity: diag.Error, Title: "not a URL that something can be posted to",
		Help:    "The URL has a scheme, http or https, and a host.",
		Example: "#cloud-config\nphone_home:\n  url: example.com/up", Instead: "#cloud-config\nphone_home:\n  url: https://example.com/up"}
	AccountExpiry = &diag.Rule{ID: "account-expiry", Severity: diag.Error, Title: "not a day",
		Help:    "The day from which the account is disabled is written as a year, a month and a day: 2032-09-01.",
		Example: "users:\n  - name: anna\n    expiredate: 1.9.2032", Instead: "users:\n  - name: anna\n    expiredate: \"2032-09-01\""}
)

func systemRules() []*diag.Rule {
	return []*diag.Rule{
		Timezone, Locale, Keyboard, HostOrAddress, Nameserver, DomainName, ResolverIdle, HostKey, HostKeyMismatch, PasswordPlaintext, PasswordLine, PostURL, AccountExpiry,
	}
}
