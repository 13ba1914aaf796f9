package ec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/httpget"
)

const (
	maxTokenBytes = 1 << 10
	// grace is how long the second endpoint has for a token once the first has answered with something else.
	grace = 250 * time.Millisecond
	// maxForbidden is how many refusals in a row mean that the service is switched off.
	maxForbidden = 5
	// maxUnheard is how many tokens in a row that do not come, though the service is there, are told to be the hop limit's.
	maxUnheard = 2
	// maxProbe is how long the question takes whether the service is there.
	maxProbe = time.Second
)

// tokenState is shared by the questions asked at one time: the SDK lets them ask for a token one after another,
// and each would wait in vain for as long as the first.
type tokenState struct {
	mu  sync.Mutex
	err error
}

// diagnosis counts, from round to round, what makes a token impossible to be had.
type diagnosis struct{ forbidden, unheard int }

// fetchToken asks all endpoints for a token and takes the first: they are the same service.
func (w *wire) fetchToken(req *http.Request, q *question) (*http.Response, error) {
	q.token.mu.Lock()
	defer q.token.mu.Unlock()
	if q.token.err != nil {
		q.err, q.tokenFailed = q.token.err, true
		return nil, q.err
	}
	a := w.raceForToken(req)
	if a.status != 0 {
		w.endpoint.Store(a.endpoint)
	}
	if a.err = w.diagnose(req.Context(), a); a.err != nil {
		q.token.err, q.err, q.tokenFailed = a.err, a.err, true
		return nil, a.err
	}
	return a.resp, nil
}

// answer is what an endpoint said to the question for a token.
type answer struct {
	endpoint int32
	resp     *http.Response
	status   int // 0 if it said nothing
	err      error
}

func (w *wire) askForToken(ctx context.Context, req *http.Request, endpoint int32) answer {
	a := answer{endpoint: endpoint}
	if a.resp, a.err = w.small.Do(w.at(req.WithContext(ctx), endpoint)); a.err == nil {
		a.status = a.resp.StatusCode
		a.err = checkToken(a.resp)
	}
	return a
}

// raceForToken gives the first token. Else it is what the first endpoint said that counts, if it said anything: EC2 has
// the second one only where that was asked for, and nobody knows what it says elsewhere.
func (w *wire) raceForToken(req *http.Request) answer {
	if len(w.endpoints) == 1 {
		return w.askForToken(req.Context(), req, 0)
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	came := make(chan answer, len(w.endpoints))
	for i := range w.endpoints {
		go func() { came <- w.askForToken(ctx, req, int32(i)) }()
	}
	var all [2]answer
	var enough <-chan time.Time
	for range w.endpoints {
		select {
		case a := <-came:
			if a.err == nil {
				return a
			}
			all[a.endpoint] = a
			if a.endpoint == 0 && a.status != 0 {
				enough = time.After(grace)
			}
		case <-enough:
		}
	}
	first, second := all[0], all[1]
	if first.status != 0 {
		return first
	}
	if isTimeout(second.err) && !isTimeout(first.err) {
		first.endpoint = second.endpoint
	}
	if errors.Is(second.err, datasources.ErrNotReady) {
		first.err = fmt.Errorf("%w; %w", first.err, second.err) // it may say when to ask again
	} else {
		first.err = fmt.Errorf("%w; %v", first.err, second.err)
	}
	return first
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// diagnose says more of a token that could not be had, if that was so before.
func (w *wire) diagnose(ctx context.Context, a answer) error {
	switch {
	case a.status == http.StatusForbidden:
		w.tokens.unheard = 0
		if w.tokens.forbidden++; w.tokens.forbidden >= maxForbidden {
			return fmt.Errorf("the metadata service is switched off in the instance's metadata options (http-endpoint): %v", a.err)
		}
		return a.err
	case isTimeout(a.err) && w.wantsToken(ctx, a.endpoint):
		w.tokens.forbidden = 0
		if w.tokens.unheard++; w.tokens.unheard >= maxUnheard {
			return fmt.Errorf("the hop limit of the instance's metadata options is too low (http-put-response-hop-limit): %w", a.err)
		}
		return a.err
	}
	w.tokens = diagnosis{}
	return a.err
}

// wantsToken says that the service answers at once, and only that it wants a token: so it is there, and it is its token
// that does not reach us.
func (w *wire) wantsToken(ctx context.Context, endpoint int32) bool {
	ctx, cancel := context.WithTimeout(ctx, min(maxProbe, w.patience))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.endpoints[endpoint]+"/latest/meta-data/", nil)
	if err != nil {
		return false
	}
	resp, err := w.small.Do(req)
	return err == nil && resp.StatusCode == http.StatusUnauthorized
}

// checkToken says whether an answer is a token that the SDK can read and send. That there are none to be had, 404 or
// 405, is an absence.
func checkToken(resp *http.Response) error {
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return fmt.Errorf("put %s: status 405 Method Not Allowed: %w", httpget.Redact(resp.Request.URL.String()), datasources.ErrAbsent)
	}
	if err := httpget.Check(resp); err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(strings.NewReader(string(text)))
	_, err = strconv.ParseInt(resp.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"), 10, 32)
	if err != nil || !claims.IsWord(string(text), maxTokenBytes) {
		return fmt.Errorf("put %s: the answer is no token: %w", httpget.Redact(resp.Request.URL.String()), datasources.ErrNotReady)
	}
	return nil
}
