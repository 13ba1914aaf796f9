package httpget

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/trust"
)

// errStalled is why a request was cut off that made no progress.
var errStalled error = stalled{}

// stalled is a net.Error: who asks about time-outs is told of one, whoever's clock it was.
type stalled struct{}

func (stalled) Error() string   { return "no answer in time" }
func (stalled) Timeout() bool   { return true }
func (stalled) Temporary() bool { return true }

// failure is a request without an answer.
type failure struct {
	request string // "get http://169.254.169.254/latest/user-data", printable
	problem string
	class   error // ErrAbsent, ErrNotReady, or nil
	cause   error // may be nil
	after   time.Duration
}

func (f *failure) Error() string { return f.request + ": " + f.problem }

// Unwrap gives what a caller may branch on.
func (f *failure) Unwrap() []error {
	var list []error
	for _, err := range []error{f.class, f.cause} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// RetryAfter is how long the server wants to be left alone; 0 if it does not say.
func (f *failure) RetryAfter() time.Duration { return f.after }

func fail(req *http.Request, class error, problem string) *failure {
	shown := Redact
	if req.Method == http.MethodPost {
		shown = Origin
	}
	return &failure{request: strings.ToLower(req.Method) + " " + shown(req.URL.String()), problem: problem, class: class}
}

// Check judges the status of an answer: nil for 200; an error that wraps datasources.ErrAbsent for 404, and
// datasources.ErrNotReady for 401, 403, 429 and 5xx, none of which says that something is not there. Any other
// status is an error that asking again would not change.
func Check(resp *http.Response) error {
	status := resp.StatusCode
	if status == http.StatusOK {
		return nil
	}
	f := fail(resp.Request, nil, strings.TrimSpace(fmt.Sprintf("status %d %s", status, http.StatusText(status))))
	switch {
	case status == http.StatusNotFound:
		f.class = datasources.ErrAbsent
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests, status >= 500:
		f.class = datasources.ErrNotReady
		f.after = retryAfter(resp.Header)
	}
	return f
}

// retryAfter reads Retry-After, which is in seconds or a date; a date counts from the answer's own, since our
// clock may be wrong. Source: RFC 9110 section 10.2.3.
func retryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(now))
}

// broken is a request that got no whole answer.
func broken(ctx context.Context, req *http.Request, err error) error {
	f := fail(req, datasources.ErrNotReady, "")
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var refused *trust.Refusal
	var dial *net.OpError
	switch {
	case errors.Is(err, ErrLocal):
		return refusedLocal(req)
	case errors.As(err, &refused):
		f.problem, f.cause, f.class = refused.Error(), refused, nil
	case context.Cause(ctx) == errStalled:
		f.problem, f.cause = errStalled.Error(), errStalled
	case ctx.Err() != nil:
		f.problem, f.cause = ctx.Err().Error(), ctx.Err()
	case errors.Is(err, datasources.ErrAbsent):
		f.problem, f.class = err.Error(), datasources.ErrAbsent // a record, which has no more to say
	case errors.As(err, &certificate):
		f.problem, f.cause, f.class = certificate.Error(), err, nil
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout():
		f.problem, f.cause = "no connection in time", err
	case errors.As(err, &timeout) && timeout.Timeout():
		f.problem, f.cause = errStalled.Error(), err
	default:
		f.problem, f.cause = reason(err), err
	}
	return f
}

// reason is the text of an error without what would repeat the URL.
func reason(err error) string {
	var operation *net.OpError
	var whole *url.Error
	switch {
	case errors.As(err, &operation) && operation.Op == "dial":
		return "no connection: " + operation.Err.Error()
	case errors.As(err, &operation):
		return operation.Err.Error()
	case errors.As(err, &whole):
		return whole.Err.Error()
	}
	return err.Error()
}

// Origin is the scheme and the host of a URL, for printing it to everybody: where something is posted to, the path may be a
// secret, as of a web hook.
func Origin(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" {
		return "(unreadable URL)"
	}
	return u.Scheme + "://" + u.Host
}

// Redact is a URL for printing: without user info and without the values of its query, which are where people
// put their tokens. What does not read as a URL is not printed at all.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" {
		return "(unreadable URL)"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	if u.RawQuery != "" {
		fields := strings.Split(u.RawQuery, "&")
		for i, field := range fields {
			key, _, pair := strings.Cut(field, "=")
			if fields[i] = "..."; pair {
				fields[i] = url.QueryEscape(key) + "=..."
			}
		}
		u.RawQuery = strings.Join(fields, "&")
	}
	return u.String()
}
