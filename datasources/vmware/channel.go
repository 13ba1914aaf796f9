package vmware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"cloudconfig/datasources"
)

// channel is the way to the hypervisor, by its protocol RPCI: a command is answered by "1 " and a value, or by "0 " and
// a reason. An error is a command that was not answered, and wraps datasources.ErrNotReady if it may be another time.
type channel interface {
	call(ctx context.Context, command string) (reply string, err error)
	close()
}

// openChannel finds a way: a program of VMware's tools, which knows best, or else our own.
func openChannel(root string) (channel, error) {
	if !isGuest(root) {
		return nil, fmt.Errorf("the machine is no guest of VMware's: %w", datasources.ErrAbsent)
	}
	if path, err := exec.LookPath("vmware-rpctool"); err == nil {
		return tool{path}, nil
	}
	if path, err := exec.LookPath("vmtoolsd"); err == nil {
		return tool{path, "--cmd"}, nil
	}
	return openBackdoor()
}

// isGuest says that the processor or, where that says nothing, the firmware is of VMware's making.
func isGuest(root string) bool {
	if isVMwareCPU() {
		return true
	}
	vendor, err := os.ReadFile(filepath.Join("/", root, "sys/class/dmi/id/sys_vendor"))
	return err == nil && bytes.HasPrefix(vendor, []byte("VMware"))
}

// noValue is the reason for a variable that is not set.
const noValue = "No value found"

// getInfo is the value of a variable, "" if it is not set.
func getInfo(ctx context.Context, c channel, key string) (string, error) {
	reply, err := c.call(ctx, "info-get guestinfo."+key)
	if err != nil {
		return "", fmt.Errorf("get %s: %w", key, err)
	}
	status, text, _ := strings.Cut(reply, " ")
	switch {
	case status == "1":
		return strings.TrimRight(text, "\x00"), nil
	case status == "0" && strings.HasPrefix(text, noValue):
		return "", nil
	}
	return "", fmt.Errorf("get %s: %s: %w", key, reason(reply), datasources.ErrNotReady)
}

// reason is a refusal in the hypervisor's words. Another reply may be a value, and secret.
func reason(reply string) string {
	if text, ok := strings.CutPrefix(reply, "0 "); ok {
		return fmt.Sprintf("the hypervisor says %+.60q", text)
	}
	return "the hypervisor's reply is of another form"
}

func setInfo(ctx context.Context, c channel, key, text string) error {
	reply, err := c.call(ctx, "info-set guestinfo."+key+" "+text)
	if err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	if !strings.HasPrefix(reply, "1") {
		return fmt.Errorf("set %s: %s", key, reason(reply))
	}
	return nil
}

// tool is a program, with what comes before the command.
type tool []string

func (tool) close() {}

// patience is how long the program may take for one command.
const patience = 10 * time.Second

// call runs the program. Its arguments never hold a secret: others can see them.
func (t tool) call(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := append(append([]string{}, t[1:]...), command)
	cmd := exec.CommandContext(ctx, t[0], args...)
	var out, problem capped
	cmd.Stdout, cmd.Stderr = &out, &problem
	cmd.WaitDelay = time.Second // for what it started and left behind
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case out.cut:
		return "", fmt.Errorf("the value is larger than %d MiB", maxValueBytes>>20)
	case err == nil:
		return "1 " + strings.TrimSuffix(out.String(), "\n"), nil // the line end is the program's
	case errors.As(err, &ended) && ended.Exited():
		return "0 " + strings.TrimSpace(problem.String()), nil
	}
	return "", fmt.Errorf("run %s: %w: %w", filepath.Base(t[0]), err, datasources.ErrNotReady)
}

// capped keeps as much as a value may have.
type capped struct {
	bytes.Buffer
	cut bool
}

func (c *capped) Write(p []byte) (int, error) {
	if room := maxValueBytes - c.Len(); room < len(p) {
		c.cut = true
		c.Buffer.Write(p[:room])
		return len(p), nil
	}
	return c.Buffer.Write(p)
}
