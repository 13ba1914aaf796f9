package firstboot

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
)

// restorecon sets SELinux labels from the policy of the machine (restorecon(8), policycoreutils 3.5).
const restorecon = "/usr/sbin/restorecon"

// labelTime bounds the labelling of everything that one run has written.
const labelTime = time.Minute

// label gives what was written the SELinux labels that the machine's policy has for it, once, before anything is
// started that may want to read it. Where SELinux is off there is nothing to do.
func (r *run) label(ctx context.Context, changes []plan.Change) error {
	info, err := r.Root.Stat("sys/fs/selinux/enforce")
	if err != nil || info.Kind == fsroot.Absent || !r.Live {
		return err
	}
	var paths strings.Builder
	for _, c := range changes {
		if c.Kind != plan.Remove {
			paths.WriteString("/" + c.Path + "\x00")
		}
	}
	if paths.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, labelTime)
	defer cancel()
	program := r.Restorecon
	if program == "" {
		program = restorecon
	}
	cmd := exec.CommandContext(ctx, program, "-F", "-i", "-0", "-f", "-")
	cmd.Stdin = strings.NewReader(paths.String())
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("set SELinux labels: %s: %w", program, err)
	}
	return nil
}
