package cli

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestForget: what was typed before a question is no answer to it.
func TestForget(t *testing.T) {
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here")
	}
	defer user.Close()
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	fmt.Fprint(user, "early\n")
	for range 100 { // until it has come
		if n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCINQ); err != nil || n > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	forget(terminal)
	fmt.Fprint(user, "late\n")
	buf := make([]byte, 64)
	if n, err := terminal.Read(buf); err != nil || string(buf[:n]) != "late\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
