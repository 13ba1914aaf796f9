package clock

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"cloudconfig/schema/diag"
)

const (
	packetBytes   = 48
	nanosPerSec   = int64(time.Second)
	secondsPerEra = int64(1) << 32
	// unixInNTP is 1970 in seconds since 1900, from when NTP counts.
	unixInNTP = int64(2208988800)
	sendAgain = time.Second
	maxStrays = 100 // packets that are not the answer
)

// query asks a server for the time, which is that of the moment it returns. The seconds of NTP come again after 136
// years: near is a time that is less than half of that away.
//
// Format: RFC 4330 sections 4 and 5, and RFC 5905 section 7.3. What we send as our own time is random: it is only to
// be sent back, and nobody needs to know what our clock shows.
func query(ctx context.Context, server string, near time.Time) (time.Time, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", withPort(server))
	if err != nil {
		return time.Time{}, errors.New(short(err))
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	request := make([]byte, packetBytes)
	request[0] = 4<<3 | 3 // version 4, mode client
	_, _ = rand.Read(request[40:])

	began := time.Now()
	again := time.AfterFunc(sendAgain, func() { _, _ = conn.Write(request) })
	defer again.Stop()
	if _, err := conn.Write(request); err != nil {
		return time.Time{}, errors.New(short(err))
	}
	answer := make([]byte, packetBytes+1024)
	for range maxStrays {
		n, err := conn.Read(answer)
		if err != nil {
			return time.Time{}, errors.New(short(err))
		}
		// Anybody can send us packets, but only who saw the request knows what to send back.
		if n < packetBytes || !bytes.Equal(answer[24:32], request[40:]) {
			continue
		}
		sent, held, err := parse(answer[:packetBytes], near)
		if err != nil {
			return time.Time{}, err
		}
		return sent.Add(max(0, time.Since(began)-held) / 2), nil
	}
	return time.Time{}, errors.New("it sends packets that are no answer")
}

// parse reads an answer: when it was sent, and for how long the server had held the request.
func parse(p []byte, near time.Time) (sent time.Time, held time.Duration, err error) {
	leap, version, mode, stratum := p[0]>>6, p[0]>>3&7, p[0]&7, p[1]
	received, transmitted := binary.BigEndian.Uint64(p[32:]), binary.BigEndian.Uint64(p[40:])
	switch {
	case mode != 4 || version < 1 || version > 4:
		err = errors.New("its answer is not that of a server")
	case stratum == 0:
		err = fmt.Errorf("it wants not to be asked (kiss of death %s)", diag.Printable(strings.ToValidUTF8(string(p[12:16]), "?")))
	case stratum > 15 || leap == 3:
		err = errors.New("it does not know the time itself")
	case transmitted == 0 || received == 0:
		err = errors.New("its answer has no time")
	}
	if err != nil {
		return time.Time{}, 0, err
	}
	sent = fromNTP(transmitted, near)
	held = sent.Sub(fromNTP(received, near))
	if held < 0 || held > time.Minute {
		return time.Time{}, 0, errors.New("it sends before it receives")
	}
	return sent, held, nil
}

// fromNTP is a timestamp of NTP, 32 bits of seconds and 32 of their fraction, in the era that is nearest.
func fromNTP(stamp uint64, near time.Time) time.Time {
	seconds, fraction := int64(stamp>>32)-unixInNTP, int64(stamp&0xffffffff)
	for near.Unix()-seconds > secondsPerEra/2 {
		seconds += secondsPerEra
	}
	return time.Unix(seconds, fraction*nanosPerSec>>32)
}

// short is the cause of a network error, without our own address.
func short(err error) string {
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}
