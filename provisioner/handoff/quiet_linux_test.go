package handoff

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// message is a D-Bus message as far as quiet looks at it.
func message(order binary.ByteOrder, kind byte, fields, body string) string {
	head := make([]byte, fixedHeader)
	head[0], head[1], head[3] = 'l', kind, 1
	if order == binary.BigEndian {
		head[0] = 'B'
	}
	order.PutUint32(head[4:], uint32(len(body)))
	order.PutUint32(head[12:], uint32(len(fields)))
	return string(head) + fields + strings.Repeat("\x00", (8-len(fields)%8)%8) + body
}

func TestQuiet(t *testing.T) {
	const removed, changed = "interface\x00member\x00JobRemoved\x00", "member\x00PropertiesChanged\x00"
	little, big := binary.LittleEndian, binary.BigEndian
	answer := message(little, 2, "reply to 7", strings.Repeat("JobNew\x00", 9000))
	for _, tt := range []struct{ name, in, want string }{
		{"the lines of the authentication", "REJECTED EXTERNAL B l\r\nOK l\r\n", "REJECTED EXTERNAL B l\r\nOK l\r\n"},
		{"the signal of a job", message(little, 4, removed, "7"), message(little, 4, removed, "7")},
		{"another signal", message(little, 4, changed, "all"), ""},
		{"another signal, which holds the name in its body", message(little, 4, changed, "JobRemoved\x00"), ""},
		{"of the other byte order", message(big, 4, changed, "all") + message(big, 4, removed, ""), message(big, 4, removed, "")},
		{"an answer between signals", "OK\r\n" + message(little, 4, changed, "all") + answer + message(little, 4, changed, ""), "OK\r\n" + answer},
		{"a signal with a header too long to look at", message(little, 4, strings.Repeat("x", longestFields+1), ""), message(little, 4, strings.Repeat("x", longestFields+1), "")},
	} {
		here, there := net.Pipe()
		go func() {
			io.WriteString(there, tt.in)
			there.Close()
		}()
		if got, err := io.ReadAll(newQuiet(here)); string(got) != tt.want || err != nil {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func FuzzQuiet(f *testing.F) {
	f.Add([]byte("OK\r\n" + message(binary.LittleEndian, 4, "JobNew\x00", "x") + message(binary.BigEndian, 2, "", "y")))
	f.Fuzz(func(t *testing.T, data []byte) {
		here, there := net.Pipe()
		go func() {
			there.Write(data)
			there.Close()
		}()
		got, _ := io.ReadAll(newQuiet(here))
		here.Close()
		if len(got) > len(data) {
			t.Errorf("%d bytes of %d", len(got), len(data))
		}
	})
}
