// Package hold keeps units of an image back until the machine is provisioned: agents until everything is handed off, and logins
// over a socket until the access floor stands.
//
// [Back] is the thing to call, from systemd's generator: it orders by drop-ins, and requires nothing. When units are held back,
// and until when, is package firstboot's to say.
package hold

import (
	"errors"
	"path"
	"strings"

	"cloudconfig/provisioner/fsroot"
)

// agents are those of an image that a configuration has settings for, or that are no use before it is applied.
var agents = [...]string{
	"etcd.service", "etcd2.service", "etcd-member.service", "fleet.service", "flanneld.service", "docker.service",
	"kubelet.service", "locksmithd.service",
}

// logins are the templates of what a socket starts for each connection. The sockets themselves are not held back: all of
// basic.target would be with them. A connection waits instead.
var logins = [...]string{"ssh@.service", "sshd@.service"}

// Back writes the drop-ins below dir, which is one of systemd's for generators and is empty.
func Back(root *fsroot.Root, dir string) error {
	var errs []error
	for _, unit := range agents {
		errs = append(errs, drop(root, dir, unit, "provisioner.service provisioner-handoff.service"))
	}
	for _, unit := range logins {
		errs = append(errs, drop(root, dir, unit, "provisioner-floor.service"))
	}
	return errors.Join(errs...)
}

// drop orders a unit after others, if the image has it. One without the usual dependencies may come so early that we wait for
// it, and is left alone.
func drop(root *fsroot.Root, dir, unit, after string) error {
	text, err := unitText(root, unit)
	if text == "" || err != nil || strings.Contains(text, "DefaultDependencies=no") || strings.Contains(text, "DefaultDependencies=false") {
		return err
	}
	folder := strings.TrimPrefix(path.Join(dir, unit+".d"), "/")
	info, err := root.Stat(folder)
	if err == nil && info.Kind == fsroot.Absent { // else another generator has made it
		err = root.Mkdir(folder, fsroot.Attr{Mode: 0o755})
	}
	if err != nil {
		return err
	}
	return root.Create(path.Join(folder, "05-provisioner-hold.conf"),
		[]byte("# Until the first boot has provisioned the machine.\n[Unit]\nAfter="+after+"\n"), fsroot.Attr{Mode: 0o644})
}

// unitDirs are where units of an image are, those that win first.
var unitDirs = [...]string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

// unitText is the text of a unit of the image; "" if there is none, or if it is masked. What is behind a link is not read.
func unitText(root *fsroot.Root, unit string) (string, error) {
	for _, dir := range unitDirs {
		file := path.Join(dir, unit)
		info, err := root.Stat(file)
		switch {
		case err != nil:
			return "", err
		case info.Kind == fsroot.Link && info.Target == "/dev/null":
			return "", nil
		case info.Kind == fsroot.Link:
			return "[Unit]\n", nil
		case info.Kind == fsroot.Regular:
			text, _, err := root.ReadFile(file, 1<<20)
			return string(text) + "\n", err
		}
	}
	return "", nil
}
