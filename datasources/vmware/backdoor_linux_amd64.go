package vmware

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"cloudconfig/datasources"
)

// The backdoor is an I/O port that the hypervisor answers on, also to programs without any right to ports. A message
// goes over it in pieces of four bytes. Source: open-vm-tools, lib/include/backdoor_def.h and guest_msg_def.h, and
// lib/message/message.c (12.4); what is slow there is fast enough for some kilobytes, so the way in blocks is left out.
const (
	magic       = 0x564D5868 // "VMXh"
	port        = 0x5658
	message     = 0x1E
	protocol    = 0x49435052 // "RPCI"
	withCookie  = 0x80000000
	longestSent = 64 << 10

	succeeded = 0x01 // in the status of an answer
	hasReply  = 0x02
)

// kind is that of a piece of a message.
type kind uint32

const (
	opening kind = iota
	sendSize
	sendPayload
	receiveSize
	receivePayload
	receiveStatus
	closing
)

// registers are the processor's; of each the lower half.
type registers struct{ ax, bx, cx, dx, si, di uint32 }

// in reads the port that dx names. The kernel ends a program that may not: see port.
func in(r *registers)

func cpuid(leaf uint32) (ax, bx, cx, dx uint32)

// isVMwareCPU asks the processor who its hypervisor is. Source: Linux, arch/x86/kernel/cpu/vmware.c (6.1).
func isVMwareCPU() bool {
	const hypervisor = 1 << 31
	if _, _, cx, _ := cpuid(1); cx&hypervisor == 0 {
		return false
	}
	var name []byte
	_, bx, cx, dx := cpuid(0x40000000)
	for _, v := range []uint32{bx, cx, dx} {
		name = binary.LittleEndian.AppendUint32(name, v)
	}
	return string(name) == "VMwareVMware"
}

// backdoor is an open channel. It stays on one thread, which alone may have been allowed to use the port.
type backdoor struct {
	id, cookieHigh, cookieLow uint32
	allowed                   bool
}

func openBackdoor() (channel, error) {
	if !isVMwareCPU() {
		return nil, fmt.Errorf("neither vmware-rpctool nor vmtoolsd is there, and the processor is not VMware's: %w", datasources.ErrAbsent)
	}
	return dial()
}

// dial opens the channel without looking at the processor.
func dial() (channel, error) {
	runtime.LockOSThread()
	b := &backdoor{}
	r, err := b.ask(opening, protocol|withCookie)
	if err == nil && r.cx>>16&succeeded == 0 {
		r, err = b.ask(opening, protocol)
	}
	if err == nil && r.cx>>16&succeeded == 0 {
		err = fmt.Errorf("the hypervisor opens no channel: %w", datasources.ErrNotReady)
	}
	if err != nil {
		b.leave()
		return nil, err
	}
	b.id, b.cookieHigh, b.cookieLow = r.dx>>16, r.si, r.di
	return b, nil
}

func (b *backdoor) close() {
	_, _ = b.ask(closing, 0)
	b.leave()
}

// leave gives up what dial took.
func (b *backdoor) leave() {
	if b.allowed {
		_ = unix.Iopl(0)
	}
	runtime.UnlockOSThread()
}

var errNoBackdoor = errors.New("the hypervisor does not answer on its port")

// ask sends one piece, and gives the registers as the hypervisor left them.
func (b *backdoor) ask(k kind, bx uint32) (registers, error) {
	sent := registers{ax: magic, bx: bx, cx: uint32(k)<<16 | message, dx: b.id<<16 | port, si: b.cookieHigh, di: b.cookieLow}
	r := sent
	if !try(&r) {
		// A hypervisor can be told to answer only those that have a right to ports (restrict_backdoor).
		if b.allowed || unix.Iopl(3) != nil {
			return r, errNoBackdoor
		}
		b.allowed = true
		if r = sent; !try(&r) {
			return r, errNoBackdoor
		}
	}
	return r, nil
}

// try reads the port; false if the kernel does not let us.
func try(r *registers) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	in(r)
	return true
}

// call sends a command and receives the reply to it.
func (b *backdoor) call(ctx context.Context, command string) (string, error) {
	reply, err := b.exchange(ctx, command)
	if err != nil {
		return "", fmt.Errorf("ask the hypervisor: %w", err)
	}
	return string(reply), nil
}

func (b *backdoor) exchange(ctx context.Context, command string) ([]byte, error) {
	if len(command) > longestSent {
		return nil, errors.New("internal error: a command is too long")
	}
	if _, err := b.must(ctx, sendSize, uint32(len(command))); err != nil {
		return nil, err
	}
	for rest := []byte(command); len(rest) > 0; rest = rest[min(4, len(rest)):] {
		var four [4]byte
		copy(four[:], rest)
		if _, err := b.must(ctx, sendPayload, binary.LittleEndian.Uint32(four[:])); err != nil {
			return nil, err
		}
	}
	r, err := b.must(ctx, receiveSize, 0)
	switch {
	case err != nil:
		return nil, err
	case r.cx>>16&hasReply == 0 || kind(r.dx>>16) != sendSize:
		return nil, fmt.Errorf("it has no reply: %w", datasources.ErrNotReady)
	case r.bx > maxValueBytes:
		return nil, fmt.Errorf("the value is larger than %d MiB", maxValueBytes>>20)
	}
	size := int(r.bx)
	var reply []byte
	for len(reply) < size {
		r, err := b.must(ctx, receivePayload, succeeded)
		if err != nil {
			return nil, err
		}
		if kind(r.dx>>16) != sendPayload {
			return nil, fmt.Errorf("its reply ends early: %w", datasources.ErrNotReady)
		}
		reply = binary.LittleEndian.AppendUint32(reply, r.bx)
	}
	if _, err := b.must(ctx, receiveStatus, succeeded); err != nil {
		return nil, err
	}
	return reply[:size], nil
}

// must is ask for a piece that has to succeed.
func (b *backdoor) must(ctx context.Context, k kind, bx uint32) (registers, error) {
	if err := ctx.Err(); err != nil {
		return registers{}, err
	}
	r, err := b.ask(k, bx)
	if err == nil && r.cx>>16&succeeded == 0 {
		err = fmt.Errorf("piece %d of a message failed: %w", k, datasources.ErrNotReady)
	}
	return r, err
}
