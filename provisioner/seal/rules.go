package seal

import (
	"cloudconfig/provisioner/networkd"
	"cloudconfig/provisioner/state"
)

// rule names paths of one kind. "*" in a pattern stands for any part of one name.
type rule struct {
	pattern, kind string
	// tree says that a directory goes too, with all that is in it; within that the regular files below a directory go, and
	// the directories stay: a program that has one does not always make it again.
	tree, within bool
	// same says that a path counts only if it is on the file system of the root: /run of a running system may be mounted below
	// the root of an image that is worked on.
	same bool
	// says is a text that a file has to have in it.
	says string
	// reason says why something is shown, and kept.
	reason string
}

// ofUsers says that a rule is of what users own, and may have made a link of.
func (r rule) ofUsers() bool { return r.reason != "" || r.kind == "history" }

// provisioned is the kind of what says that the machine is provisioned.
const provisioned = "state"

// rules are what goes, in the order of the work, the machine-id file apart, and then what is only shown.
//
// Sources: systemd, "Safely Building Images" (v252); machine-id(5), systemd-creds(1), random-seed; dhclient(8),
// dhcpcd(8), NetworkManager.conf(5); cloud-init, cmd/clean.py (23.1).
func rules(o Options) []rule {
	all := []rule{
		{pattern: state.Current, kind: provisioned},
		{pattern: state.Top + "/*", kind: provisioned, tree: true},
		{pattern: "var/lib/cloud/*", kind: "cloud-init", tree: true},
		// They are written for the cards of this machine.
		{pattern: "etc/systemd/network/" + networkd.Prefix + "*", kind: "network", tree: true},
		{pattern: "etc/udev/rules.d/70-persistent-net.rules", kind: "network"},

		{pattern: "etc/ssh/ssh_host_*_key", kind: "host-key"},
		{pattern: "etc/ssh/ssh_host_*_key.pub", kind: "host-key"},
		{pattern: "etc/ssh/ssh_host_*_key-cert.pub", kind: "host-key"},
		{pattern: "etc/dropbear/dropbear_*_host_key*", kind: "host-key"},

		{pattern: "var/lib/dhcp/*", kind: "lease"},
		{pattern: "var/lib/dhclient/*", kind: "lease"},
		{pattern: "var/lib/dhcpcd*/*", kind: "lease", tree: true},
		{pattern: "etc/dhcpcd.duid", kind: "lease"},
		{pattern: "etc/dhcpcd.secret", kind: "lease"},
		{pattern: "var/lib/NetworkManager/*.lease", kind: "lease"},
		{pattern: "var/lib/NetworkManager/internal-*", kind: "lease"},
		{pattern: "var/lib/NetworkManager/timestamps", kind: "lease"},
		{pattern: "var/lib/NetworkManager/seen-bssids", kind: "lease"},
		{pattern: "var/lib/systemd/network/*", kind: "lease", tree: true},
		{pattern: "var/lib/wicked/*.xml", kind: "lease"},

		{pattern: "var/lib/systemd/random-seed", kind: "random-seed"},
		{pattern: "var/lib/random-seed", kind: "random-seed"},
		{pattern: "var/lib/urandom/random-seed", kind: "random-seed"},
		{pattern: "boot/loader/random-seed", kind: "random-seed"},
		{pattern: "boot/efi/loader/random-seed", kind: "random-seed"},
		{pattern: "efi/loader/random-seed", kind: "random-seed"},

		{pattern: "var/lib/systemd/credential.secret", kind: "secret"},
		{pattern: "var/lib/systemd/tpm2-srk-public-key*", kind: "secret"},
		{pattern: "var/lib/NetworkManager/secret_key", kind: "secret"},

		{pattern: "var/log/journal/*", kind: "log", tree: true}, // named by the machine-id
		{pattern: "var/log", kind: "log", within: true},
		{pattern: "var/lib/systemd/coredump/*", kind: "log"},
		{pattern: "var/crash/*", kind: "log"},
	}
	if !o.Live {
		all = append(all, rule{pattern: "run/*", kind: "runtime", tree: true, same: true})
	}
	if o.History {
		for _, home := range []string{"root", "home/*"} {
			for _, name := range []string{".*_history", ".lesshst", ".viminfo", ".wget-hsts"} {
				all = append(all, rule{pattern: home + "/" + name, kind: "history"})
			}
		}
	}
	return append(all,
		rule{pattern: "var/lib/dbus/machine-id", kind: "machine-id"},

		rule{pattern: "root/.ssh/authorized_keys", kind: "authorized-keys", reason: letsIn},
		rule{pattern: "home/*/.ssh/authorized_keys", kind: "authorized-keys", reason: letsIn},
		rule{pattern: "etc/netplan/50-cloud-init.yaml", kind: "network", reason: "cloud-init wrote it for the cards of this machine"},
		rule{pattern: "etc/wireguard/*.conf", kind: "secret", says: "PrivateKey", reason: "every clone has this key"},
		rule{pattern: "etc/krb5.keytab", kind: "secret", reason: "every clone has these keys"},
		rule{pattern: "etc/iscsi/initiatorname.iscsi", kind: "identity", says: "InitiatorName=iqn", reason: "every clone is the same initiator"},
		rule{pattern: "etc/nvme/host*", kind: "identity", reason: "every clone is the same NVMe host"},
	)
}

const letsIn = "whoever has one of these keys can log in to every clone"
