// Package httpget is the one HTTP client of the datasources: every wait and every size in it has a bound, and a
// status is an answer, an absence or a reason to ask again.
//
// [Client.Get] is the thing to call: it asks until there is an answer. A datasource whose requests are made by
// somebody else's library gives that [Client.Do] and judges the answers by [Check].
package httpget

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/clock"
	"cloudconfig/datasources/trust"
)

// DefaultMaxBytes is the largest answer that is taken unless Options say otherwise: 16 MiB.
const DefaultMaxBytes = 16 << 20

const (
	maxHeaderBytes = 64 << 10
	maxRedirects   = 3
	maxIdle        = 8
)

// Options is what clients differ in.
type Options struct {
	// MaxBytes is the largest answer that is taken, before any unpacking; 0 means DefaultMaxBytes.
	MaxBytes int64
	// Metadata makes a client for a service of the platform's own: it uses no proxy, follows no redirect and asks
	// no name server, so that nobody in between can answer in its place. The host is an address.
	Metadata bool
	// Outside makes a client for addresses that a document names: one of this machine or its link is refused, also if
	// it is what a name resolves to. A proxy resolves names itself.
	Outside bool
	// Header is sent with every request, but not to another host after a redirect.
	Header http.Header
	// Expect is what every answer has, whatever its status; one without it is somebody else's.
	Expect http.Header
	// Trust says by what servers are trusted; nil means what env.Trust says.
	Trust *trust.Policy
}

// Client makes requests and keeps connections for the next one. It may be used by several goroutines.
type Client struct {
	env     datasources.Env
	options Options
	limits  datasources.Limits
	policy  trust.Policy
	wire    *wire
}

// New makes a client. Without env.Transport it makes connections itself: through the proxy of the environment
// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) unless the host is this machine or link-local, or the client is for
// metadata; and it takes answers as they are, without unpacking.
func New(env datasources.Env, o Options) *Client {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	o.Header = o.Header.Clone()
	c := &Client{env: env, options: o, limits: env.Limits.WithDefaults(), policy: env.Trust}
	if o.Trust != nil {
		c.policy = *o.Trust
	}
	if c.env.Clock == nil {
		c.env.Clock = &clock.Clock{System: env.Now}
	}
	c.wire = newWire(c)
	return c
}

// WithMaxBytes is the same client, connections included, with another limit for an answer.
func (c *Client) WithMaxBytes(n int64) *Client {
	other := *c
	other.options.MaxBytes = n
	return &other
}

// Overall is how long Get asks, if the context's deadline does not come sooner.
func (c *Client) Overall() time.Duration { return c.limits.Overall }

// Get asks for a URL until there is an answer, and gives its body, which may be empty. It wraps
// datasources.ErrAbsent for 404, and datasources.ErrNotReady if no answer came in time. Any other error is one
// that asking again would not change. No error holds user info or query values of the URL.
func (c *Client) Get(ctx context.Context, rawURL string) ([]byte, error) {
	var body []byte
	err := c.env.Retry(ctx, Redact(rawURL), func(ctx context.Context) (err error) {
		body, err = c.Try(ctx, rawURL)
		return err
	})
	return body, err
}

// Try is Get, asking once. It follows three redirects, but not from https to http, nor from elsewhere to this machine
// or its link; headers and passwords go to the first host alone.
func (c *Client) Try(ctx context.Context, rawURL string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, errors.New("the address is not a URL") // the library's text quotes it whole
	}
	first := req.URL
	h := hop{ours: true, outside: c.options.Outside}
	for hops := 0; ; hops++ {
		resp, err := c.do(req, h)
		if err != nil {
			return nil, err
		}
		if !isRedirect(resp) || c.options.Metadata {
			if err := Check(resp); err != nil {
				return nil, err
			}
			return io.ReadAll(resp.Body)
		}
		next, err := resp.Location()
		switch {
		case err != nil:
			return nil, fail(req, nil, "redirects to no readable address")
		case hops == maxRedirects:
			return nil, fail(req, nil, fmt.Sprintf("redirects more than %d times", maxRedirects))
		case req.URL.Scheme == "https" && next.Scheme != "https":
			return nil, fail(req, nil, "redirects from https to an address without it; let the server redirect to https")
		case isLocal(next.Hostname()) && !isLocal(req.URL.Hostname()):
			return nil, fail(req, nil, "redirects to an address of this machine or its link")
		}
		h.ours = next.Scheme == first.Scheme && next.Host == first.Host
		h.outside = h.outside || !isLocal(req.URL.Hostname())
		if req, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
			return nil, errors.New("the address redirected to is not a URL")
		}
	}
}

// Post tells a URL something, once. Any status of 200 to 299 says that it was heard, whatever the answer is; a redirect is
// not followed, since what is told is for nobody else. Errors are those of Try.
func (c *Client) Post(ctx context.Context, rawURL, contentType string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rawURL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is not a URL") // the library's text quotes it whole
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.do(req, hop{ours: true, outside: c.options.Outside, tells: true})
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case isRedirect(resp):
		return fail(req, nil, "redirects to another address, which is not told")
	}
	return Check(resp)
}

// Do sends one request and reads its whole answer, which may have any status; the body is in memory, and need
// not be closed. It follows no redirect. It fails, wrapping datasources.ErrNotReady, if the connection, the answer or
// the rest of it does not come in time; if an answer lacks what Options expect; or if status 200 comes with a page
// of HTML, which is a portal or a proxy and not the service. An answer larger than allowed is an error that asking
// again would not change, as is a host that is not to be asked, or a server that is not to be trusted, which wraps a
// *trust.Refusal.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	return c.do(req, hop{ours: true, outside: c.options.Outside})
}

// hop is one request on the way that redirects make.
type hop struct {
	ours    bool // the host is that which headers and passwords are for
	outside bool // an address of this machine or its link is refused
	tells   bool // something is told, not asked: the answer may be anything
}

func (c *Client) do(req *http.Request, h hop) (*http.Response, error) {
	if err := c.refuse(req, h); err != nil {
		return nil, err
	}
	c.announce(req)
	const handshakes = 3 // an authority may be learnt, and the clock be put right
	for n := 1; ; n++ {
		resp, err := c.send(req, h)
		var failed *tls.CertificateVerificationError
		if !errors.As(err, &failed) {
			return resp, err
		}
		again, err := c.mend(req, failed)
		if !again || n == handshakes || !rewind(req) {
			return nil, err
		}
	}
}

// refuse says that a request is not to be sent at all.
func (c *Client) refuse(req *http.Request, h hop) error {
	host := req.URL.Hostname()
	_, notAddress := netip.ParseAddr(host)
	switch {
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fail(req, nil, "the scheme is neither http nor https")
	case host == "":
		return fail(req, nil, "the address has no host")
	case c.options.Metadata && notAddress != nil:
		return fail(req, nil, "a metadata service is asked by its address, since no name server is trusted with it")
	case h.outside && isLocal(host):
		return refusedLocal(req)
	}
	return nil
}

func refusedLocal(req *http.Request) error { return fail(req, nil, ErrLocal.Error()) }

// announce says once for each host how long it is asked.
func (c *Client) announce(req *http.Request) {
	host := (&url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host}).String()
	if c.env.Waiting == nil || !c.wire.isNew(host) {
		return
	}
	overall := c.limits.Overall
	if deadline, ok := req.Context().Deadline(); ok {
		overall = min(overall, time.Until(deadline))
	}
	if overall <= 0 {
		return // there is no time left to ask in
	}
	c.env.Waiting(fmt.Sprintf("asking %s for up to %s, %s to connect and %s for an answer",
		host, overall.Round(time.Second), c.limits.Connect, c.limits.Answer))
}

// rewind makes a request ready to be sent again.
func rewind(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	req.Body = body
	return err == nil
}

// send makes one attempt, which is told for the record.
func (c *Client) send(req *http.Request, h hop) (*http.Response, error) {
	resp, body, err := c.exchange(req, h)
	a := datasources.Answer{Method: req.Method, URL: req.URL.String(), Body: body}
	if err != nil {
		a.Err = err.Error()
	} else {
		a.Status, a.Header = resp.StatusCode, resp.Header
	}
	c.env.Answer(a)
	return resp, err
}

// exchange is send; the body comes a second time, and is not to be changed.
func (c *Client) exchange(req *http.Request, h hop) (*http.Response, []byte, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	answer := c.wire.answerLimit(c.limits)
	began := time.Now()
	stall := time.AfterFunc(c.limits.Connect+answer, func() { cancel(errStalled) })
	defer stall.Stop()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		connected.Store(true)
		stall.Reset(answer)
	}})
	broken := func(err error) error {
		if connected.Load() && context.Cause(ctx) == errStalled {
			c.wire.timedOut(began)
		}
		return broken(ctx, req, err)
	}

	resp, err := c.wire.roundTrip(c.dress(req.Clone(traced), h), h)
	if err != nil {
		return nil, nil, broken(err)
	}
	defer resp.Body.Close()
	resp.Request = req
	if resp.ContentLength > c.options.MaxBytes {
		return nil, nil, c.tooLarge(req)
	}
	body, err := io.ReadAll(io.LimitReader(watched{resp.Body, stall, answer}, c.options.MaxBytes+1))
	switch {
	case err != nil:
		return nil, nil, broken(err)
	case int64(len(body)) > c.options.MaxBytes:
		return nil, nil, c.tooLarge(req)
	case resp.StatusCode == http.StatusOK && !h.tells && isHTML(resp.Header.Get("Content-Type"), body):
		return nil, nil, fail(req, datasources.ErrNotReady, "the answer is a page of HTML")
	}
	for name := range c.options.Expect {
		if want := c.options.Expect.Get(name); resp.Header.Get(name) != want {
			return nil, nil, fail(req, datasources.ErrNotReady, fmt.Sprintf("the answer is somebody else's: it lacks %s: %s", name, want))
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, body, nil
}

// dress gives a request the headers that go with it.
func (c *Client) dress(req *http.Request, h hop) *http.Request {
	req.Header.Set("User-Agent", "provisioner")
	if h.ours {
		for name, values := range c.options.Header {
			if req.Header.Get(name) == "" {
				req.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
	}
	if u := req.URL.User; u != nil && h.ours && req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	return req
}

// mend says what is wrong with the certificates of a server, and whether to shake hands again: because the policy
// names an authority that the server sent, or because the clock was put right.
func (c *Client) mend(req *http.Request, failed *tls.CertificateVerificationError) (again bool, err error) {
	if c.env.Transport == nil {
		if authority := c.policy.Learn(failed); authority != nil && c.wire.learn(authority) {
			return true, nil
		}
	}
	refused := func() *failure {
		why := c.policy.Explain(failed, req.URL.Hostname(), c.env.Clock, c.wire.known()...)
		f := fail(req, nil, why.Error())
		f.cause, again = why, !why.Early
		return f
	}
	f := refused()
	if again {
		return false, f
	}
	wrong := c.env.Clock.Correct(req.Context())
	if f = refused(); !again && wrong != nil {
		f.problem += "; " + wrong.Error()
		if errors.Is(wrong, clock.ErrNoAnswer) {
			f.class = datasources.ErrNotReady
		}
	}
	return again, f
}

func (c *Client) tooLarge(req *http.Request) error {
	return fail(req, nil, fmt.Sprintf("the answer is larger than %s", size(c.options.MaxBytes)))
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// watched puts off the end of a stall timer with each piece that is read.
type watched struct {
	io.Reader
	stall *time.Timer
	limit time.Duration
}

func (w watched) Read(p []byte) (int, error) {
	w.stall.Reset(w.limit)
	return w.Reader.Read(p)
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func isHTML(contentType string, body []byte) bool {
	media, _, _ := strings.Cut(contentType, ";")
	if strings.EqualFold(strings.TrimSpace(media), "text/html") && len(body) > 0 {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], "\xef\xbb\xbf \t\r\n"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}
