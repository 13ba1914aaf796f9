package tftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/tftp"
)

// server is a TFTP server of one file that does things wrong.
type server struct {
	t    *testing.T
	file []byte
	// options are those that it takes up: "blksize", "tsize"; old is not to know of any, and refuses to know that
	// it refuses requests with them.
	options      []string
	old, refuses bool
	// answer says what to send instead of a packet, by its place in the transfer from 0; nil is that packet.
	answer func(n int, packet []byte) [][]byte
	// mute is how many packets of the client's are lost.
	mute int
	// stray sends a packet from another port before each of its own but the first, which says whose port it is.
	stray bool

	requests []string
	errors   []string // that the client sent
}

// start serves on the loopback and gives the URL of the file.
func (s *server) start(name string) string {
	s.t.Helper()
	listener, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	other, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := listener.ReadFrom(buf)
			if err != nil {
				return
			}
			if s.mute > 0 {
				s.mute--
				continue
			}
			s.serve(bytes.Clone(buf[:n]), from, other)
		}
	}()
	s.t.Cleanup(func() {
		_ = listener.Close()
		_ = other.Close()
		<-done
	})
	return "tftp://" + listener.LocalAddr().String() + "/" + name
}

func number(op, n uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, op), n)
}

// serve does one transfer from a port of its own, as the protocol has it.
func (s *server) serve(request []byte, to net.Addr, other net.PacketConn) {
	words := strings.Split(strings.TrimSuffix(string(request[2:]), "\x00"), "\x00")
	s.requests = append(s.requests, strings.Join(words, " "))
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return
	}
	defer conn.Close()
	block := 512
	var packets [][]byte
	if len(words) > 2 && s.refuses {
		packets = [][]byte{append(number(5, 8), "no options\x00"...)}
	} else {
		oack := []byte{0, 6}
		for i := 2; i+1 < len(words) && !s.old; i += 2 {
			for _, known := range s.options {
				if words[i] != known {
					continue
				}
				value := words[i+1]
				if known == "tsize" {
					value = strconv.Itoa(len(s.file))
				} else {
					block, _ = strconv.Atoi(value)
				}
				oack = append(oack, strings.ToUpper(known)+"\x00"+value+"\x00"...)
			}
		}
		if len(oack) > 2 {
			packets = append(packets, oack)
		}
		for n := 0; ; n++ {
			start := min(n*block, len(s.file))
			end := min(start+block, len(s.file))
			packets = append(packets, append(number(3, uint16(n+1)), s.file[start:end]...))
			if end-start < block {
				break
			}
		}
	}
	buf := make([]byte, 2000)
	for n, packet := range packets {
		wanted := number(4, 0)
		if packet[1] == 3 {
			copy(wanted[2:], packet[2:4])
		}
		for try := 0; ; try++ {
			out := [][]byte{packet}
			if s.answer != nil && try == 0 {
				out = s.answer(n, packet)
			}
			if s.stray && n > 0 {
				_, _ = other.WriteTo(append(number(3, binary.BigEndian.Uint16(packet[2:])), "lies"...), to)
			}
			for _, p := range out {
				_, _ = conn.WriteTo(p, to)
			}
			if packet[1] == 5 || s.acknowledged(conn, buf, wanted) {
				break
			}
			if try == 5 || len(s.errors) > 0 {
				return
			}
		}
	}
}

// acknowledged waits for the acknowledgement of a packet; another is not one.
func (s *server) acknowledged(conn net.PacketConn, buf, wanted []byte) bool {
	_ = conn.SetReadDeadline(time.Now().Add(60 * time.Millisecond))
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return false
		}
		if n > 4 && buf[1] == 5 {
			s.errors = append(s.errors, fmt.Sprintf("%d %s", binary.BigEndian.Uint16(buf[2:]), bytes.TrimRight(buf[4:n], "\x00")))
			return false
		}
		if bytes.Equal(buf[:n], wanted) {
			return true
		}
	}
}

func quick() datasources.Env {
	return datasources.Env{Limits: datasources.Limits{Connect: time.Second, Answer: 400 * time.Millisecond}}
}

func TestGet(t *testing.T) {
	content := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * 7)
		}
		return b
	}
	both := []string{"blksize", "tsize"}
	at := func(place int, change func(packet []byte) [][]byte) func(int, []byte) [][]byte {
		return func(n int, packet []byte) [][]byte {
			if n != place {
				return [][]byte{packet}
			}
			return change(packet)
		}
	}
	lost := func([]byte) [][]byte { return nil }
	says := func(code uint16, text string) func([]byte) [][]byte {
		return func([]byte) [][]byte { return [][]byte{append(number(5, code), text+"\x00"...)} }
	}
	for _, tt := range []struct {
		name   string
		size   int
		server server
		max    int
		class  error
		want   string // of the error
	}{
		{name: "one block", size: 100, server: server{options: both}},
		{name: "nothing", server: server{options: both}},
		{name: "whole blocks, so an empty one at the end", size: 2 * 1428, server: server{options: both}},
		{name: "many blocks", size: 100_000, server: server{options: both}},
		{name: "the size alone", size: 5000, server: server{options: both[1:]}},
		{name: "the block alone", size: 5000, server: server{options: both[:1]}},
		{name: "a server from before options", size: 5000, server: server{old: true}},
		{name: "a server that refuses options", size: 5000, server: server{refuses: true}},
		{name: "our request is lost", size: 100, server: server{options: both, mute: 2}},
		{name: "the options are lost", size: 5000, server: server{options: both, answer: at(0, lost)}},
		{name: "the first block is lost", size: 5000, server: server{old: true, answer: at(0, lost)}},
		{name: "a block is lost", size: 5000, server: server{options: both, answer: at(2, lost)}},
		{name: "the last block is lost", size: 1500, server: server{options: both, answer: at(2, lost)}},
		{name: "every packet comes twice", size: 20_000, server: server{options: both, answer: func(_ int, p []byte) [][]byte { return [][]byte{p, p} }}},
		{name: "a block of before comes late", size: 20_000, server: server{options: both, answer: at(4, func(p []byte) [][]byte {
			return [][]byte{append(number(3, 2), "old"...), p}
		})}},
		{name: "a block of later comes early", size: 20_000, server: server{options: both, answer: at(2, func(p []byte) [][]byte {
			return [][]byte{append(number(3, 9), "new"...), p}
		})}},
		{name: "packets from another port", size: 20_000, server: server{options: both, stray: true}},
		{name: "a packet of one byte, and one of none", size: 5000, server: server{options: both, answer: at(1, func(p []byte) [][]byte { return [][]byte{{0}, {}, {0, 3}, p} })}},
		{name: "a block larger than agreed", size: 5000, server: server{old: true, answer: at(1, func(p []byte) [][]byte { return [][]byte{append(bytes.Clone(p), "more"...), p} })}},
		{name: "no such file", server: server{answer: at(0, says(1, "File not found"))}, class: datasources.ErrAbsent, want: "the server says error 1: File not found"},
		{name: "no access", server: server{answer: at(0, says(2, "Access violation"))}, class: datasources.ErrNotReady, want: "error 2: Access violation"},
		{name: "trouble that moves a terminal", server: server{answer: at(0, says(0, "\x1b[31m\xff"))}, class: datasources.ErrNotReady, want: `error 0: \u{1b}[31m?`},
		{name: "trouble in between", size: 5000, server: server{options: both, answer: at(2, says(3, "Disk full"))}, class: datasources.ErrNotReady, want: "error 3: Disk full"},
		{name: "trouble without a word", server: server{answer: at(0, func([]byte) [][]byte { return [][]byte{{0, 5, 0}} })}, class: datasources.ErrNotReady, want: "error 0: (nothing)"},
		{name: "nobody", server: server{mute: 1000}, class: datasources.ErrNotReady, want: "no answer in time"},
		{name: "silence in between", size: 5000, server: server{options: both, answer: at(2, func([]byte) [][]byte { time.Sleep(600 * time.Millisecond); return nil })}, class: datasources.ErrNotReady, want: "no answer in time"},
		{name: "as large as allowed", size: 2000, server: server{options: both}, max: 2000},
		{name: "larger, as announced", size: 2001, server: server{options: both}, max: 2000, want: "the file is larger than 1 KiB"},
		{name: "larger, as it turns out", size: 2001, server: server{old: true}, max: 2000, want: "the file is larger than 1 KiB"},
		{name: "an option that nobody asked for", size: 10, server: server{options: both, answer: at(0, func([]byte) [][]byte { return [][]byte{append([]byte{0, 6}, "windowsize\x0064\x00"...)} })}, class: datasources.ErrNotReady, want: "an option that was not asked for"},
		{name: "blocks larger than asked for", size: 10, server: server{options: both, answer: at(0, func([]byte) [][]byte { return [][]byte{append([]byte{0, 6}, "blksize\x009000\x00"...)} })}, class: datasources.ErrNotReady, want: "an option that was not asked for"},
		{name: "blocks of a byte", size: 10, server: server{options: both, answer: at(0, func([]byte) [][]byte { return [][]byte{append([]byte{0, 6}, "blksize\x008\x00"...)} })}, class: datasources.ErrNotReady, want: "an option that was not asked for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.server
			s.t, s.file = t, content(tt.size)
			url := s.start("conf/web1.yaml")
			env := quick()
			if tt.want != "no answer in time" {
				env.Limits.Answer = 2 * time.Second // on a busy machine as well
			}
			got, err := tftp.Get(t.Context(), env, url, tftp.Options{MaxBytes: tt.max})
			if tt.want == "" {
				if err != nil || !bytes.Equal(got, s.file) {
					t.Errorf("%d bytes of %d, error %v", len(got), len(s.file), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "get tftp://") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			for _, class := range []error{datasources.ErrAbsent, datasources.ErrNotReady} {
				if errors.Is(err, class) != (class == tt.class) {
					t.Errorf("error %v: is %q = %v", err, class, errors.Is(err, class))
				}
			}
		})
	}
}

func TestRequest(t *testing.T) {
	s := server{t: t, refuses: true}
	t.Cleanup(func() { // once the server has ended
		if want := "/a b octet blksize 1428 tsize 0,/a b octet"; strings.Join(s.requests, ",") != want {
			t.Errorf("asked for %q, want %q", s.requests, want)
		}
	})
	if _, err := tftp.Get(t.Context(), quick(), s.start("/a%20b;mode=octet"), tftp.Options{}); err != nil {
		t.Error(err)
	}
}

// A server that is not to go on is told so.
func TestErrorsThatAreSent(t *testing.T) {
	s := server{t: t, file: make([]byte, 3000), options: []string{"tsize"}}
	t.Cleanup(func() { // once the server has ended
		if want := "3 too large"; strings.Join(s.errors, ",") != want {
			t.Errorf("sent %q, want %q", s.errors, want)
		}
	})
	if _, err := tftp.Get(t.Context(), quick(), s.start("x"), tftp.Options{MaxBytes: 2000}); err == nil {
		t.Error("it was taken")
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"tftp:///x", "no URL such as tftp://host/file"},
		{"http://192.0.2.1/x", "no URL such as tftp://host/file"},
		{"tftp://me:s3cret@192.0.2.1/x", "no URL such as tftp://host/file"},
		{"tftp://192.0.2.1/", "no file name"},
		{"tftp://192.0.2.1/a%00b", "no file name"},
		{"tftp://192.0.2.1/" + strings.Repeat("a", 513), "no file name"},
		{"tftp://192.0.2.1/x;mode=netascii", "mode=octet only"},
		{"tftp://192.0.2.1:0/x", "no port"},
		{"tftp://192.0.2.1:70000/x", "no port"},
		{"tftp://127.0.0.1/x", "of this machine or its link"},
		{"tftp://[fe80::1%25eth0]/x", "of this machine or its link"},
	} {
		_, err := tftp.Get(t.Context(), quick(), tt.url, tftp.Options{Outside: true})
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, datasources.ErrNotReady) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v, want %q", tt.url, err, tt.want)
		}
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	s := server{t: t, mute: 1000}
	url := s.start("x")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	env := quick()
	env.Limits.Answer = time.Minute
	if _, err := tftp.Get(ctx, env, url, tftp.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// Whatever a server sends, the client ends, within its bounds and without a panic.
func FuzzGet(f *testing.F) {
	f.Add([]byte("\x00\x06blksize\x001428\x00tsize\x0010\x00"), []byte("\x00\x03\x00\x01data"))
	f.Add([]byte("\x00\x03\x00\x01data"), []byte("\x00\x05\x00\x01no\x00"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			buf := make([]byte, 600)
			for {
				_, from, err := conn.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				for _, p := range [][]byte{first, second} {
					_, _ = conn.WriteToUDPAddrPort(p, from)
				}
			}
		}()
		env := quick()
		env.Limits.Answer = 5 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, _ := tftp.Get(ctx, env, "tftp://"+conn.LocalAddr().String()+"/x", tftp.Options{MaxBytes: 2000})
		if len(got) > 2000 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
