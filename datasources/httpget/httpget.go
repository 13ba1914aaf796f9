// Package httpget is the one HTTP client of the datasources: every wait and every size in it has a bound, and a
// status is an answer, an absence or a reason to ask again.
//
// [Client.Get] is the thing to call: it asks until there is an answer. A datasource whose requests are made by
// somebody else's library gives that [Client.Do] and judges the answers by [Check].
package httpget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"cloudconfig/datasources"
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
	// Metadata makes a client for a service of the platform's own: it uses no proxy and follows no redirect,
	// so that nobody in between can answer in its place.
	Metadata bool
}

// Client makes requests and keeps connections for the next one. It may be used by several goroutines.
type Client struct {
	env       datasources.Env
	options   Options
	limits    datasources.Limits
	transport http.RoundTripper
}

// New makes a client. Without env.Transport it makes connections itself: through the proxy of the environment
// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) unless the host is this machine or link-local, or the client is for
// metadata; and it takes answers as they are, without unpacking.
func New(env datasources.Env, o Options) *Client {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	c := &Client{env: env, options: o, limits: env.Limits.WithDefaults(), transport: env.Transport}
	if c.transport == nil {
		own := &http.Transport{
			DialContext:            (&net.Dialer{Timeout: c.limits.Connect}).DialContext,
			TLSHandshakeTimeout:    c.limits.Answer,
			ResponseHeaderTimeout:  c.limits.Answer,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		}
		if !o.Metadata {
			own.Proxy = proxy
		}
		c.transport = own
	}
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

// Try is Get, asking once.
func (c *Client) Try(ctx context.Context, rawURL string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, errors.New("the address is not a URL") // the library's text quotes it whole
	}
	for hops := 0; ; hops++ {
		resp, err := c.Do(req)
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
			return nil, fail(req, nil, "redirects from https to an address without it")
		case isLocal(next.Hostname()) && !isLocal(req.URL.Hostname()):
			return nil, fail(req, nil, "redirects to an address of this machine or its link")
		}
		if req, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
			return nil, errors.New("the address redirected to is not a URL")
		}
	}
}

// Do sends one request and reads its whole answer, which may have any status; the body is in memory, and need
// not be closed. It fails, wrapping datasources.ErrNotReady, if the connection, the answer or the rest of it
// does not come in time; or if status 200 comes with a page of HTML, which is a portal or a proxy and not the
// service. An answer larger than allowed is an error that asking again would not change, as is a certificate
// that does not verify.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, body, err := c.exchange(req)
	a := datasources.Answer{Method: req.Method, URL: req.URL.String(), Body: body}
	if err != nil {
		a.Err = err.Error()
	} else {
		a.Status, a.Header = resp.StatusCode, resp.Header
	}
	c.env.Answer(a)
	return resp, err
}

// exchange is Do; the body comes a second time, and is not to be changed.
func (c *Client) exchange(req *http.Request) (*http.Response, []byte, error) {
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, nil, fail(req, nil, "the scheme is neither http nor https")
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	// The transport has the same limits, but not for the body, and another transport may have none.
	stall := time.AfterFunc(c.limits.Connect+c.limits.Answer, func() { cancel(errStalled) })
	defer stall.Stop()

	sent := req.Clone(ctx)
	sent.Header.Set("User-Agent", "provisioner")
	if u := req.URL.User; u != nil && sent.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		sent.SetBasicAuth(u.Username(), password)
	}
	resp, err := c.transport.RoundTrip(sent)
	if err != nil {
		return nil, nil, broken(ctx, req, err)
	}
	defer resp.Body.Close()
	resp.Request = req
	if resp.ContentLength > c.options.MaxBytes {
		return nil, nil, c.tooLarge(req)
	}
	body, err := io.ReadAll(io.LimitReader(watched{resp.Body, stall, c.limits.Answer}, c.options.MaxBytes+1))
	switch {
	case err != nil:
		return nil, nil, broken(ctx, req, err)
	case int64(len(body)) > c.options.MaxBytes:
		return nil, nil, c.tooLarge(req)
	case resp.StatusCode == http.StatusOK && isHTML(resp.Header.Get("Content-Type"), body):
		return nil, nil, fail(req, datasources.ErrNotReady, "the answer is a page of HTML")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, body, nil
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

// isLocal says that a host is this machine, or can only be on its link.
func isLocal(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	addr = addr.Unmap()
	return err == nil && (addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified())
}

func proxy(req *http.Request) (*url.URL, error) {
	if isLocal(req.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}
