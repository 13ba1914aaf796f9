package firstboot

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// namesTime bounds the wait for names, and lookUpTime one question: a resolver that is just starting answers late or not.
const (
	namesTime  = 30 * time.Second
	lookUpTime = 4 * time.Second
	namesPause = 250 * time.Millisecond
)

// LookUp asks the resolver that the machine has for a name.
func LookUp(ctx context.Context, name string) error {
	_, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	return err
}

// awaitNames waits until the names can be looked up that the agents need which are to start: one that starts while there is no
// resolver yet ends, and nobody starts it again. That a name does not exist is an answer as well. After the bound they are
// started all the same.
func (r *run) awaitNames(ctx context.Context) {
	if r.LookUp == nil || len(r.request.Hosts) == 0 {
		return
	}
	bound, cancel := context.WithTimeout(ctx, namesTime)
	defer cancel()
	told := false
	defer r.waiting("names of hosts: " + strings.Join(r.request.Hosts, ", "))()
	for left := r.request.Hosts; ; {
		var unknown []string
		for _, name := range left {
			one, cancel := context.WithTimeout(bound, lookUpTime)
			err := r.LookUp(one, name)
			cancel()
			var answer *net.DNSError
			if err != nil && !(errors.As(err, &answer) && answer.IsNotFound) {
				unknown = append(unknown, name)
			}
		}
		if left = unknown; len(left) == 0 {
			return
		}
		if !told {
			told = true
			r.say("hand off", "waiting up to %s until names can be looked up: %s", namesTime, strings.Join(left, ", "))
		}
		select {
		case <-bound.Done():
			r.say("hand off", "no answer for %s; going on without", strings.Join(left, ", "))
			return
		case <-time.After(namesPause):
		}
	}
}
