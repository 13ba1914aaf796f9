package seal

import "strings"

// rule names paths of one kind. "*" in a pattern stands for any part of one name.
type rule struct {
	kind, pattern string
	// tree says that a directory goes too, with all that is in it; within that the regular files below a directory go, and
	// the directories stay: a program that has one does not always make it again.
	tree, within bool
	// same says that a path counts only if it is on the file system of the root: /run of a running system may be mounted below
	// the root of an image that is worked on.
	same bool
	// reason says why something is shown, and kept.
	reason string
}

// provisioned is the kind of what says that the machine is provisioned.
const provisioned = "state"

// table is what goes, in the order of the work, the machine-id file apart: kind, what holds of it (see rule), pattern.
// network is what is written for the cards of this machine. The journal's directories are named by the machine-id.
//
// Sources: systemd, "Safely Building Images" (v252); machine-id(5), systemd-creds(1), random-seed; dhclient(8),
// dhcpcd(8), NetworkManager.conf(5); cloud-init, cmd/clean.py (23.1).
const table = `
state       file   var/lib/provisioner/instance
state       tree   var/lib/provisioner/*
cloud-init  tree   var/lib/cloud/*
network     tree   etc/systemd/network/05-provisioner-*
network     file   etc/udev/rules.d/70-persistent-net.rules

host-key    file   etc/ssh/ssh_host_*_key
host-key    file   etc/ssh/ssh_host_*_key.pub
host-key    file   etc/ssh/ssh_host_*_key-cert.pub
host-key    file   etc/dropbear/dropbear_*_host_key*

lease       file   var/lib/dhcp/*
lease       file   var/lib/dhclient/*
lease       tree   var/lib/dhcpcd*/*
lease       file   etc/dhcpcd.duid
lease       file   etc/dhcpcd.secret
lease       file   var/lib/NetworkManager/*.lease
lease       file   var/lib/NetworkManager/internal-*
lease       file   var/lib/NetworkManager/timestamps
lease       file   var/lib/NetworkManager/seen-bssids
lease       tree   var/lib/systemd/network/*
lease       file   var/lib/wicked/*.xml

random-seed file   var/lib/systemd/random-seed
random-seed file   var/lib/random-seed
random-seed file   var/lib/urandom/random-seed
random-seed file   boot/loader/random-seed
random-seed file   boot/efi/loader/random-seed
random-seed file   efi/loader/random-seed

secret      file   var/lib/systemd/credential.secret
secret      file   var/lib/systemd/tpm2-srk-public-key*
secret      file   var/lib/NetworkManager/secret_key

log         tree   var/log/journal/*
log         within var/log
log         tree   var/lib/systemd/coredump/*
log         tree   var/crash/*

machine-id  file   var/lib/dbus/machine-id
`

// below is what goes too where the root is not the running system's, whose /run goes by itself. A system mounts its own
// over what is there, so that nobody needs the rest of it to be gone.
const below = `
state       same   run/provisioner/*.json
log         same   run/log/journal/*
`

// typed is what users have typed, which goes if that is asked for.
const typed = `
history     file   root/.*_history
history     file   root/.lesshst
history     file   root/.viminfo
history     file   home/*/.*_history
history     file   home/*/.lesshst
history     file   home/*/.viminfo
`

// kept is what is only shown, with the reason.
const kept = `
authorized-keys file root/.ssh/authorized_keys      whoever has one of these keys can log in to every clone
authorized-keys file home/*/.ssh/authorized_keys    whoever has one of these keys can log in to every clone
network         file etc/netplan/50-cloud-init.yaml cloud-init wrote it for the cards of this machine
secret          file etc/wireguard/*                every clone has the same keys
secret          file etc/krb5.keytab                every clone has the same keys
identity        file etc/iscsi/initiatorname.iscsi  every clone is the same initiator, unless the file asks for a new name
identity        file etc/nvme/host*                 every clone is the same NVMe host
`

// rules are those of a seal: first what goes, then what is kept.
func rules(o Options) []rule {
	text := table
	if !o.Live {
		text += below
	}
	if o.History {
		text += typed
	}
	var all []rule
	for line := range strings.Lines(text + kept) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		r := rule{kind: f[0], pattern: f[2], reason: strings.Join(f[3:], " ")}
		r.same = f[1] == "same"
		r.tree, r.within = f[1] == "tree" || r.same, f[1] == "within"
		all = append(all, r)
	}
	return all
}
