package rules

import "cloudconfig/schema/diag"

// Findings about the place where a change would go.
var (
	TargetUntrusted = &diag.Rule{ID: "target-untrusted", Severity: diag.Error, Machine: true, Title: "the path leads through a place that others control",
		Help: "From the first directory on that somebody other than root can write to, no symbolic link is followed, and a file that is there must be regular and have one name: otherwise its owner could lead us to write anywhere. Remove the link, or name the real path."}
	TargetReadOnly = &diag.Rule{ID: "target-read-only", Severity: diag.Error, Machine: true, Title: "the path is on a read-only file system",
		Help: "Nothing can be written there. Choose a path on a writable file system, such as /etc, /var or /opt."}
	TargetKernel = &diag.Rule{ID: "target-kernel", Severity: diag.Error, Machine: true, Title: "the path is on a file system of the kernel's",
		Help: "proc, sysfs, cgroup and efivarfs are settings of the running kernel, not files. For a kernel parameter write a file in /etc/sysctl.d, for the rest a unit."}
	TargetKind = &diag.Rule{ID: "target-kind", Severity: diag.Error, Machine: true, Title: "something else is at the path",
		Help: "A directory, device, socket or FIFO is never replaced by a file, nor a file by a directory. Choose another path or remove what is there."}
	PathReserved = &diag.Rule{ID: "path-reserved", Severity: diag.Error, Title: "the path belongs to the provisioner",
		Help: "/etc/provisioner holds the image owner's policies, and /var/lib/provisioner and /run/provisioner its state; no configuration may write there."}
)

func targetRules() []*diag.Rule {
	return []*diag.Rule{TargetUntrusted, TargetReadOnly, TargetKernel, TargetKind, PathReserved}
}
