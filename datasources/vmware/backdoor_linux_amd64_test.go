package vmware_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/vmware"
)

// asking is the name of the environment variable that makes this program ask the hypervisor, once for each line of it.
const asking = "TEST_BACKDOOR"

// asGuest opens a channel and prints each reply to a command, or what is the matter.
func asGuest(commands string) int {
	call, done, err := vmware.Dial()
	if err != nil {
		fmt.Println(err)
		return 0
	}
	defer done()
	for command := range strings.SplitSeq(commands, "\n") {
		reply, err := call(context.Background(), command)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%d %q\n", len(reply), reply)
	}
	return 0
}

// hypervisor is VMware's end of the port. Source: open-vm-tools, lib/include/backdoor_def.h, guest_msg_def.h and
// lib/message/message.c (12.4).
type hypervisor struct {
	guestinfo *metadatatest.Guestinfo

	noCookies bool // as hypervisors before them
	full      bool // every channel is taken
	restrict  int  // how many times the guest is not let to the port
	breakAt   int  // the piece, counted from 1, that fails
	silent    bool // there is never a reply
	huge      bool // of 2 GiB

	pieces  int
	open    bool
	size    int
	command []byte
	reply   []byte
	left    int
}

const (
	cookieHigh, cookieLow = 0xDEADBEEF, 0xCAFEF00D
	channelID             = 5
)

// in is what the guest's instruction does to its registers. A message that is not of the protocol fails.
func (h *hypervisor) in(r *syscall.PtraceRegs) {
	kind, id := uint32(r.Rcx)>>16, uint32(r.Rdx)>>16
	bx := uint32(r.Rbx)
	h.pieces++
	answer := func(status, dx, bx uint32) {
		r.Rcx, r.Rdx, r.Rbx = uint64(status<<16|uint32(r.Rcx)&0xFFFF), uint64(dx<<16|0x5658), uint64(bx)
	}
	fail := func() { answer(0, id, bx) }
	if uint32(r.Rax) != 0x564D5868 || uint32(r.Rcx)&0xFFFF != 0x1E || h.pieces == h.breakAt {
		fail()
		return
	}
	if kind == 0 {
		cookie := bx&0x80000000 != 0
		if h.full || h.open || bx&^0x80000000 != 0x49435052 || cookie && h.noCookies {
			fail()
			return
		}
		h.open = true
		if cookie {
			r.Rsi, r.Rdi = cookieHigh, cookieLow
		} else {
			r.Rsi, r.Rdi = 0, 0
		}
		answer(1, channelID, bx)
		return
	}
	wrongCookie := !h.noCookies && (uint32(r.Rsi) != cookieHigh || uint32(r.Rdi) != cookieLow)
	if !h.open || id != channelID || wrongCookie {
		fail()
		return
	}
	switch kind {
	case 1:
		h.size, h.command = int(bx), nil
		answer(0x81, id, bx) // it could be sent in one block, too
	case 2:
		if len(h.command) >= h.size {
			fail()
			return
		}
		h.command = binary.LittleEndian.AppendUint32(h.command, bx)
		if len(h.command) >= h.size {
			h.reply = []byte(h.guestinfo.RPCI(string(h.command[:h.size])))
			h.left = len(h.reply)
		}
		answer(1, id, bx)
	case 3:
		switch {
		case h.silent:
			answer(1, id, 0)
		case h.huge:
			answer(0x83, 1, 1<<31)
		default:
			answer(0x83, 1, uint32(h.left))
		}
	case 4:
		var four [4]byte
		copy(four[:], h.reply[len(h.reply)-h.left:])
		h.left = max(0, h.left-4)
		answer(1, 2, binary.LittleEndian.Uint32(four[:]))
	case 5:
		answer(1, id, bx)
	case 6:
		h.open = false
		answer(1, id, bx)
	default:
		fail()
	}
}

// watch runs this program as a guest: each time that it reads the port, which the kernel does not let it, the
// hypervisor does what the instruction would have done.
func (h *hypervisor) watch(t *testing.T, commands string) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if h.restrict > 0 && os.Getuid() == 0 {
		// What this thread starts is not let to the port, root or not.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_RAWIO, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asking+"="+commands, "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Skipf("needs to trace a process of its own: %v", err)
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	const exitKill, all = 0x100000, 0x40000000
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		t.Fatalf("the guest does not start: %v", err)
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACECLONE|exitKill); err != nil {
		t.Fatal(err)
	}
	thread, signal := pid, syscall.Signal(0)
	for {
		_ = syscall.PtraceCont(thread, int(signal)) // a thread may be gone
		thread, err = syscall.Wait4(-1, &status, all, nil)
		signal = 0
		switch {
		case err != nil:
			t.Fatal(err)
		case thread == pid && (status.Exited() || status.Signaled()):
			_ = cmd.Process.Release()
			text, _ := os.ReadFile(out.Name())
			if !status.Exited() || status.ExitStatus() != 0 {
				t.Fatalf("the guest ended with %v: %s", status, text)
			}
			return string(text)
		case status.Stopped() && status.StopSignal() == syscall.SIGSEGV:
			if !h.serve(t, thread) {
				signal = syscall.SIGSEGV
			}
		case status.Stopped() && status.StopSignal() != syscall.SIGTRAP && status.StopSignal() != syscall.SIGSTOP:
			signal = status.StopSignal()
		}
	}
}

// serve answers a thread that was stopped at the port; false if it was for another reason, or is not to be let.
func (h *hypervisor) serve(t *testing.T, thread int) bool {
	t.Helper()
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &r); err != nil {
		t.Fatal(err)
	}
	var code [1]byte
	if _, err := syscall.PtracePeekText(thread, uintptr(r.Rip), code[:]); err != nil || code[0] != 0xED || uint16(r.Rdx) != 0x5658 {
		return false
	}
	if h.restrict > 0 {
		h.restrict--
		return false
	}
	h.in(&r)
	r.Rip++
	if err := syscall.PtraceSetRegs(thread, &r); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestBackdoor lets the instruction itself run, in a process of its own whose port is answered as VMware's hypervisor
// answers. No hypervisor of VMware's was there to see it.
func TestBackdoor(t *testing.T) {
	long := strings.Repeat("0123456789", 10000)
	for _, tt := range []struct {
		name     string
		h        hypervisor
		commands string
		want     string
	}{
		{name: "values of every length", commands: "info-get guestinfo.a\ninfo-get guestinfo.ab\ninfo-get guestinfo.abc\ninfo-get guestinfo.abcd\ninfo-get guestinfo.empty",
			want: "3 \"1 x\"\n4 \"1 xy\"\n5 \"1 xyz\"\n7 \"1 \\xff\\x00\\n\\x1b\\x7f\"\n2 \"1 \"\n"},
		{name: "a long value", commands: "info-get guestinfo.long", want: fmt.Sprintf("%d %q\n", len(long)+2, "1 "+long)},
		{name: "a value that is set", commands: "info-set guestinfo.a ---\ninfo-get guestinfo.a", want: "2 \"1 \"\n5 \"1 ---\"\n"},
		{name: "none", commands: "info-get guestinfo.none", want: "16 \"0 No value found\"\n"},
		{name: "a hypervisor without cookies", h: hypervisor{noCookies: true}, commands: "info-get guestinfo.a", want: "3 \"1 x\"\n"},
		{name: "every channel is taken", h: hypervisor{full: true}, commands: "x", want: "the hypervisor opens no channel: not ready\n"},
		{name: "a channel that breaks", h: hypervisor{breakAt: 3}, commands: "info-get guestinfo.a", want: "ask the hypervisor: piece 2 of a message failed: not ready\n"},
		{name: "no reply", h: hypervisor{silent: true}, commands: "info-get guestinfo.a", want: "ask the hypervisor: it has no reply: not ready\n"},
		{name: "a reply without end", h: hypervisor{huge: true}, commands: "info-get guestinfo.a", want: "ask the hypervisor: the value is larger than 16 MiB\n"},
		{name: "the port is not for everybody", h: hypervisor{restrict: 99}, commands: "x", want: "the hypervisor does not answer on its port\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.h.guestinfo = metadatatest.NewGuestinfo(values{"a": "x", "ab": "xy", "abc": "xyz", "abcd": "\xff\x00\n\x1b\x7f", "empty": "", "long": long})
			if got := tt.h.watch(t, tt.commands); got != tt.want {
				t.Errorf("%.300s\nwant %.300s", got, tt.want)
			}
			if tt.h.open {
				t.Error("the channel stays open")
			}
		})
	}
}

// Where there is no such hypervisor nothing happens: the program is not ended by the kernel.
func TestNoBackdoor(t *testing.T) {
	if vmware.IsVMwareCPU() {
		t.Skip("missing: a machine that is not VMware's, whose hypervisor would answer")
	}
	_, done, err := vmware.Dial()
	if err == nil {
		done()
		t.Fatal("it answers")
	}
	if !errors.Is(err, vmware.ErrNoBackdoor) && !strings.Contains(err.Error(), "opens no channel") {
		t.Error(err)
	}
}
