package handoff

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// quiet is a connection to PID 1 without the signals that nobody here listens to. PID 1 sends every signal to everybody
// who is on its private socket, asked or not: some thousands while a machine boots and at each reload, and to decode them
// takes longer than all else here.
//
// Source: systemd 252, src/core/dbus.c, bus_foreach_bus; D-Bus Specification 0.42, "Message Format".
type quiet struct {
	net.Conn
	in     *bufio.Reader
	left   int  // bytes of the message at hand that are still to be read
	inLine bool // in a line of the authentication, which comes before all messages
}

const (
	fixedHeader = 16
	signalType  = 4
	// longest is what a message may be, and longestFields what its header may be to be looked at.
	longest       = 128 << 20
	longestFields = 2048
	// pause is how long we let signals gather: to wake up for each of a reload's costs more than to read it.
	pause = time.Millisecond
)

// dial connects to PID 1 as root.
func dial(ctx context.Context) (*godbus.Conn, error) {
	socket, err := (&net.Dialer{}).DialContext(ctx, "unix", "/run/systemd/private")
	if err != nil {
		return nil, err
	}
	conn, err := godbus.NewConn(newQuiet(socket), godbus.WithContext(ctx))
	if err != nil {
		socket.Close()
		return nil, err
	}
	if err := conn.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func newQuiet(c net.Conn) *quiet { return &quiet{Conn: c, in: bufio.NewReaderSize(c, 32<<10)} }

// Read implements io.Reader. It never reads past the end of a message.
func (q *quiet) Read(p []byte) (int, error) {
	for q.left == 0 {
		if err := q.next(); err != nil {
			return 0, err
		}
	}
	n, err := q.in.Read(p[:min(len(p), q.left)])
	q.left -= n
	return n, err
}

// next looks at what comes, and drops it if nobody wants it.
func (q *quiet) next() error {
	first, err := q.in.Peek(1)
	if err != nil {
		return err
	}
	if q.inLine || first[0] != 'l' && first[0] != 'B' {
		q.left, q.inLine = 1, first[0] != '\n'
		return nil
	}
	head, err := q.in.Peek(fixedHeader)
	if err != nil {
		return err
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if head[0] == 'B' {
		order = binary.BigEndian
	}
	kind, body, fields := head[1], int64(order.Uint32(head[4:])), int64(order.Uint32(head[12:]))
	size := fixedHeader + (fields+7)&^7 + body
	if size > longest {
		return errors.New("a message of systemd is too long")
	}
	if kind == signalType && fields <= longestFields {
		if head, err = q.in.Peek(fixedHeader + int(fields)); err != nil {
			return err
		}
		if !bytes.Contains(head, []byte("JobRemoved\x00")) {
			if _, err = q.in.Discard(int(size)); err == nil && q.in.Buffered() == 0 {
				time.Sleep(pause)
			}
			return err
		}
	}
	q.left = int(size)
	return nil
}
