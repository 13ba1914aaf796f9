// Package tftp reads a file over TFTP, as machines that boot from the network do. It does not write.
//
// [Get] is the thing to call. Nothing in the protocol shows who answers: see package remote for what makes a file
// trustworthy.
//
// Format: RFC 1350 (TFTP 2), RFC 2347 (options), RFC 2348 (blksize), RFC 2349 (tsize), RFC 3617 (tftp: URLs).
package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/schema/diag"
)

const (
	// defaultMaxBytes is the largest file that is taken unless Options say otherwise.
	defaultMaxBytes = 16 << 20
	// oldBlock is the size of a block unless both sides agree on another, and blockBytes is what we ask for: with the
	// headers of IP and UDP it fits into an Ethernet frame.
	oldBlock, blockBytes = 512, 1428
	maxNameBytes         = 512
	// sends is how often a packet is sent within the limit of an answer.
	sends = 4
	// maxStrays is how many packets from others are borne.
	maxStrays = 1000
)

// The operations, RFC 1350 section 5 and RFC 2347.
const (
	opRead, opData, opAck, opError, opOptions = 1, 3, 4, 5, 6
)

// The errors that we send or look at, RFC 1350 appendix I and RFC 2347.
const (
	errUndefined, errNotFound, errFull, errUnknownID, errOption = 0, 1, 3, 5, 8
)

// Options is what transfers differ in.
type Options struct {
	// MaxBytes is the largest file that is taken; 0 is 16 MiB, which is also the most.
	MaxBytes int
	// Outside refuses addresses of this machine and its link.
	Outside bool
}

// Get reads the file of a URL such as tftp://192.0.2.1/web1.yaml, in one transfer. It wraps datasources.ErrAbsent if
// the server says that there is none, and datasources.ErrNotReady if it does not answer, says that something else is
// the matter, or stops in between: a packet is sent four times within env.Limits.Answer. A file larger than allowed,
// or a URL that is not to be asked, is an error that asking again would not change.
func Get(ctx context.Context, env datasources.Env, rawURL string, o Options) ([]byte, error) {
	if o.MaxBytes <= 0 || o.MaxBytes > defaultMaxBytes {
		o.MaxBytes = defaultMaxBytes
	}
	data, err := get(ctx, env, rawURL, o)
	answer := datasources.Answer{Method: http.MethodGet, URL: rawURL, Body: data}
	if err != nil {
		err = fmt.Errorf("get %s: %w", httpget.Redact(rawURL), err)
		answer.Err = err.Error()
	}
	env.Answer(answer)
	return data, err
}

func get(ctx context.Context, env datasources.Env, rawURL string, o Options) ([]byte, error) {
	host, name, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	if env.Transport != nil {
		return fromRecord(ctx, env.Transport, rawURL, o.MaxBytes)
	}
	limits := env.Limits.WithDefaults()
	server, err := lookUp(ctx, host, limits.Connect, o.Outside)
	if err != nil {
		return nil, err
	}
	return read(ctx, server, name, o.MaxBytes, limits.Answer)
}

// fromRecord asks what answers in place of a network, whatever the scheme.
func fromRecord(ctx context.Context, transport http.RoundTripper, rawURL string, maxBytes int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, int64(maxBytes)))
}

// parse gives the server with its port, and the name of the file, which has no leading slash unless it is written
// as two.
func parse(rawURL string) (host, name string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "tftp" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return "", "", errors.New("the address is no URL such as tftp://host/file")
	}
	name = strings.TrimPrefix(u.Path, "/")
	if file, mode, ok := strings.Cut(name, ";"); ok {
		if mode != "mode=octet" {
			return "", "", errors.New("files are read with mode=octet only")
		}
		name = file
	}
	if name == "" || len(name) > maxNameBytes || strings.ContainsRune(name, 0) {
		return "", "", errors.New("the address has no file name that can be asked for")
	}
	port := u.Port()
	if port == "" {
		port = "69"
	}
	return net.JoinHostPort(u.Hostname(), port), name, nil
}

// lookUp resolves the name of a server.
func lookUp(ctx context.Context, host string, limit time.Duration, outside bool) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, port, _ := net.SplitHostPort(host)
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netip.AddrPort{}, errors.New("the address has no port that can be asked")
	}
	addrs, err := new(net.Resolver).LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: %w", datasources.ErrNotReady, err)
	}
	if outside && httpget.IsLocal(addrs[0]) {
		return netip.AddrPort{}, httpget.ErrLocal
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)), nil
}

// transfer is one file on its way.
type transfer struct {
	ctx    context.Context
	conn   *net.UDPConn
	server netip.AddrPort // where the request goes
	peer   netip.AddrPort // where the answers come from, once the first has come
	patience,
	again time.Duration
	max    int
	block  int // bytes in a whole block
	data   bytes.Buffer
	next   uint16 // the number of the block that is waited for
	sent   []byte // the last packet, for when it is lost
	strays int
}

func read(ctx context.Context, server netip.AddrPort, name string, limit int, patience time.Duration) ([]byte, error) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", datasources.ErrNotReady, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	t := &transfer{ctx: ctx, conn: conn, server: server, patience: patience, again: patience / sends, max: limit, block: oldBlock, next: 1}
	return t.run(name)
}

func (t *transfer) run(name string) ([]byte, error) {
	done, err := t.request(name, true)
	var refused *serverError
	if errors.As(err, &refused) && refused.code == errOption {
		t.peer = netip.AddrPort{} // a server from before options
		done, err = t.request(name, false)
	}
	for err == nil && !done {
		done, err = t.step()
	}
	if err != nil {
		return nil, err
	}
	return t.data.Bytes(), nil
}

// request asks for the file, and takes the first answer.
func (t *transfer) request(name string, options bool) (done bool, err error) {
	words := []string{name, "octet"}
	if options {
		words = append(words, "blksize", strconv.Itoa(blockBytes), "tsize", "0")
	}
	packet := []byte{0, opRead}
	for _, word := range words {
		packet = append(append(packet, word...), 0)
	}
	if err := t.send(packet); err != nil {
		return false, err
	}
	return t.step()
}

// step waits for the packet that goes on with the transfer, and answers it.
func (t *transfer) step() (done bool, err error) {
	// Nothing is larger than a block with its header; a byte more shows what is.
	buf := make([]byte, 4+blockBytes+1)
	deadline := time.Now().Add(t.patience)
	for {
		n, err := t.receive(buf, deadline)
		if err != nil {
			return false, err
		}
		p := buf[:n]
		switch op := binary.BigEndian.Uint16(p); {
		case op == opError:
			return false, t.failed(p)
		case op == opOptions && t.next == 1 && t.data.Len() == 0:
			if err := t.agree(p[2:]); err != nil {
				return false, err
			}
			return false, t.acknowledge(0)
		case op == opData && n >= 4 && n <= 4+t.block:
			number := binary.BigEndian.Uint16(p[2:])
			if number == t.next {
				return t.take(p[4:])
			}
			if number == t.next-1 && number > 0 {
				// Our answer was lost, or the packet came twice.
				if err := t.acknowledge(number); err != nil {
					return false, err
				}
			}
		}
		// Anything else is late or nonsense, and does not put off the end.
	}
}

// take adds a block. A short one is the last.
func (t *transfer) take(block []byte) (done bool, err error) {
	if t.data.Len()+len(block) > t.max {
		t.refuse(errFull, "too large")
		return false, t.tooLarge()
	}
	t.data.Write(block)
	number := t.next
	t.next++
	if err := t.acknowledge(number); err != nil {
		return false, err
	}
	if len(block) < t.block {
		return true, nil
	}
	if t.next == 0 {
		t.refuse(errUndefined, "too many blocks")
		return false, t.tooLarge()
	}
	return false, nil
}

func (t *transfer) tooLarge() error { return fmt.Errorf("the file is larger than %d KiB", t.max>>10) }

// agree reads the options that the server takes up: pairs of words, each with a zero byte at its end.
func (t *transfer) agree(text []byte) error {
	words := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	for i := 0; i+1 < len(words); i += 2 {
		n, err := strconv.ParseUint(words[i+1], 10, 63)
		switch option := strings.ToLower(words[i]); {
		case option == "blksize" && err == nil && n >= oldBlock && n <= blockBytes:
			t.block = int(n)
		case option == "tsize" && err == nil && n > uint64(t.max):
			t.refuse(errFull, "too large")
			return t.tooLarge()
		case option == "tsize" && err == nil:
		default:
			t.refuse(errOption, "not what was asked for")
			return fmt.Errorf("the server answers with an option that was not asked for: %w", datasources.ErrNotReady)
		}
	}
	return nil
}

// receive waits for a packet of the server, and sends our last one again while none comes.
func (t *transfer) receive(buf []byte, deadline time.Time) (int, error) {
	resend := time.Now().Add(t.again)
	for {
		until := resend
		if deadline.Before(until) {
			until = deadline
		}
		_ = t.conn.SetReadDeadline(until)
		if err := t.ctx.Err(); err != nil {
			return 0, err // it may have ended before the deadline was set
		}
		n, from, err := t.conn.ReadFromUDPAddrPort(buf)
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		var timeout net.Error
		switch {
		case err == nil && n >= 2 && t.isPeer(from):
			return n, nil
		case err == nil:
			if t.strays++; t.strays > maxStrays {
				return 0, fmt.Errorf("too many packets of others: %w", datasources.ErrNotReady)
			}
		case t.ctx.Err() != nil:
			return 0, t.ctx.Err()
		case errors.As(err, &timeout) && timeout.Timeout():
			now := time.Now()
			if !now.Before(deadline) {
				return 0, fmt.Errorf("no answer in time: %w", datasources.ErrNotReady)
			}
			resend = now.Add(t.again)
			if err := t.send(t.sent); err != nil {
				return 0, err
			}
		default:
			return 0, fmt.Errorf("%w: %w", datasources.ErrNotReady, err)
		}
	}
}

// isPeer says that a packet is the server's. The first answer decides its port for the transfer; who sends from
// another is told so, and nothing else comes of it.
func (t *transfer) isPeer(from netip.AddrPort) bool {
	switch {
	case from.Addr().WithZone("") != t.server.Addr().WithZone(""):
		return false
	case !t.peer.IsValid():
		t.peer = from
		return true
	case from != t.peer:
		_, _ = t.conn.WriteToUDPAddrPort(errorPacket(errUnknownID, "unknown transfer"), from)
		return false
	}
	return true
}

func (t *transfer) send(packet []byte) error {
	t.sent = packet
	to := t.peer
	if !to.IsValid() {
		to = t.server
	}
	if _, err := t.conn.WriteToUDPAddrPort(packet, to); err != nil {
		if t.ctx.Err() != nil {
			return t.ctx.Err()
		}
		return fmt.Errorf("%w: %w", datasources.ErrNotReady, cause(err))
	}
	return nil
}

// cause is a network error without addresses.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func (t *transfer) acknowledge(number uint16) error {
	return t.send(binary.BigEndian.AppendUint16([]byte{0, opAck}, number))
}

// refuse ends the transfer at the server's side, if the packet arrives.
func (t *transfer) refuse(code uint16, text string) {
	_, _ = t.conn.WriteToUDPAddrPort(errorPacket(code, text), t.peer)
}

func errorPacket(code uint16, text string) []byte {
	return append(append(binary.BigEndian.AppendUint16([]byte{0, opError}, code), text...), 0)
}

// serverError is what a server says that is the matter.
type serverError struct {
	code uint16
	text string
}

func (e *serverError) Error() string {
	return fmt.Sprintf("the server says error %d: %s", e.code, e.text)
}

// Unwrap says what a caller may do about it. Only one of the codes says that there is no such file.
func (e *serverError) Unwrap() error {
	if e.code == errNotFound {
		return datasources.ErrAbsent
	}
	return datasources.ErrNotReady
}

func (t *transfer) failed(p []byte) error {
	if len(p) < 4 {
		return &serverError{errUndefined, "(nothing)"}
	}
	text, _, _ := bytes.Cut(p[4:], []byte{0})
	const shown = 100
	return &serverError{binary.BigEndian.Uint16(p[2:]), diag.Printable(strings.ToValidUTF8(string(text[:min(len(text), shown)]), "?"))}
}
