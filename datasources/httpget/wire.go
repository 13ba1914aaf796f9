package httpget

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"cloudconfig/datasources"
)

const (
	// slowFrom is how many answers that did not come in time make a service a slow one.
	slowFrom = 3
	// maxAnnounced is how many hosts are announced.
	maxAnnounced = 100
)

// wire is what the copies of a client share: the connections, and what was seen of the services.
type wire struct {
	remake func(learnt []*x509.Certificate) transports
	proxy  func(*http.Request) (*url.URL, error) // nil is none

	mu        sync.Mutex
	current   transports
	learnt    []*x509.Certificate
	announced map[string]bool
	timeouts  int
	last      time.Time
}

// transports are kept apart, since a connection is used again without being looked at.
type transports struct{ direct, outside, proxied http.RoundTripper }

func newWire(c *Client) *wire {
	w := &wire{announced: map[string]bool{}}
	if t := c.env.Transport; t != nil {
		w.current = transports{t, t, t}
		return w
	}
	if !c.options.Metadata {
		w.proxy = proxy
	}
	w.remake = func(learnt []*x509.Certificate) transports {
		config := c.policy.Config(c.env.Clock, learnt...)
		with := func(d net.Dialer, via func(*http.Request) (*url.URL, error)) http.RoundTripper {
			d.Timeout = c.limits.Connect
			return &http.Transport{
				DialContext:            d.DialContext,
				Proxy:                  via,
				TLSClientConfig:        config,
				TLSHandshakeTimeout:    c.limits.Slow, // an attempt has a closer limit of its own, as for the answer
				MaxResponseHeaderBytes: maxHeaderBytes,
				MaxIdleConnsPerHost:    maxIdle,
				IdleConnTimeout:        30 * time.Second,
				DisableCompression:     true,
			}
		}
		return transports{
			direct:  with(net.Dialer{}, nil),
			outside: with(net.Dialer{Control: refuseLocal}, nil),
			proxied: with(net.Dialer{}, w.proxy),
		}
	}
	w.current = w.remake(nil)
	return w
}

// roundTrip sends a request on the way that it may take.
func (w *wire) roundTrip(req *http.Request, h hop) (*http.Response, error) {
	w.mu.Lock()
	t := w.current
	w.mu.Unlock()
	if w.proxy != nil {
		via, err := w.proxy(req)
		if err != nil {
			return nil, err
		}
		if via != nil {
			return t.proxied.RoundTrip(req)
		}
	}
	if h.outside {
		return t.outside.RoundTrip(req)
	}
	return t.direct.RoundTrip(req)
}

// learn adds an authority, and says whether it is a new one. Connections are made anew then.
func (w *wire) learn(authority *x509.Certificate) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.learnt {
		if c.Equal(authority) {
			return false
		}
	}
	w.learnt = append(w.learnt[:len(w.learnt):len(w.learnt)], authority)
	w.current = w.remake(w.learnt)
	return true
}

func (w *wire) known() []*x509.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.learnt
}

func (w *wire) isNew(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.announced[host] || len(w.announced) == maxAnnounced {
		return false
	}
	w.announced[host] = true
	return true
}

// timedOut counts an answer that did not come in time. Those asked for at the same time count once.
func (w *wire) timedOut(began time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if began.After(w.last) {
		w.timeouts++
		w.last = time.Now()
	}
}

func (w *wire) answerLimit(l datasources.Limits) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timeouts >= slowFrom {
		return l.Slow
	}
	return l.Answer
}
