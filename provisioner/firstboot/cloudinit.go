package firstboot

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"cloudconfig/provisioner/cloudinit"
	"cloudconfig/provisioner/commit"
	"cloudconfig/provisioner/facts"
	"cloudconfig/provisioner/plan"
	"cloudconfig/provisioner/report"
	"cloudconfig/provisioner/settings"
)

// tellWaiting leaves what cloud-init leaves when it has ended, for scripts that wait for that, if the settings say so. That it
// cannot is told and changes nothing else.
func (r *run) tellWaiting(ctx context.Context) {
	if !r.Live || r.shutOut {
		return
	}
	// The last stage of a boot has not read them, and wrong ones were told by another.
	s, err := settings.Load(r.Root)
	if err != nil || !s.CloudInitCompat {
		return
	}
	if other, err := cloudinit.IsOther(r.Root); err != nil || other {
		r.say("report", "cloud-init is or was here: nothing is left in its place")
		return
	}
	ctx = context.WithoutCancel(ctx)
	seconds, _ := strconv.ParseFloat(r.uptime(), 64) // 0 if it does not say
	up := time.Duration(seconds * float64(time.Second))
	files, err := cloudinit.Of(r.Public(), false).Files("provisioner "+r.Versions.Provisioner, up)
	if err == nil {
		err = r.linkForCloudInit(ctx)
	}
	if err == nil {
		err = r.write(ctx, files)
	}
	if err != nil {
		r.say("report", "%v", err)
	}
}

// linkForCloudInit makes what has to be on the disk, once for all boots.
func (r *run) linkForCloudInit(ctx context.Context) error {
	missing, err := facts.Missing(r.Root, &plan.Facts{}, cloudinit.Link())
	if err != nil || len(missing) == 0 {
		return err
	}
	if st := r.underLock(ctx, func() report.State {
		if _, err := commit.Apply(ctx, r.Root, plan.Plan{Changes: missing}); err != nil {
			return r.failed(err)
		}
		return report.Done
	}); st != report.Done {
		return fmt.Errorf("/%s could not be made", cloudinit.InstanceLink)
	}
	return nil
}
