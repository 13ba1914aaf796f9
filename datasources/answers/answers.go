// Package answers asks a metadata service for several things at once, and keeps what it was told until all is there: a
// service that fails now and then is asked again only for what is missing.
//
// [New] makes a [Service], and [Service.Ask] is the thing to call.
package answers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"cloudconfig/datasources"
	"cloudconfig/datasources/endpoint"
	"cloudconfig/datasources/httpget"
)

// Question is a thing to ask for.
type Question struct {
	Path     string // below the endpoint, with its query: "/metadata/v1.json"
	MaxBytes int64  // the largest answer that is taken
}

// Service is a metadata service.
type Service struct {
	// Routed says that it may be anywhere: its address is neither link-local nor this machine's.
	Routed bool
	// GoneForNow says that 410 is no answer but a reason to ask again.
	GoneForNow bool

	base   string
	client *httpget.Client

	mu      sync.Mutex
	answers map[string][]byte // nil: absent
}

// New makes the service at an address, a scheme and a host, or at the usual one if that is "". Each request has the
// header. The error says what is wrong with the address.
func New(env datasources.Env, address, usual string, header http.Header) (*Service, error) {
	if address == "" {
		address = usual
	}
	base, routed, err := endpoint.Parse(address)
	if err != nil {
		return nil, err
	}
	return &Service{
		Routed:  routed,
		base:    base,
		client:  httpget.New(env, httpget.Options{Metadata: true, Header: header}),
		answers: map[string][]byte{},
	}, nil
}

// Ask gives the answers to questions in their order, asked at the same time; one that is absent (404) is nil. The error
// wraps datasources.ErrNotReady if asking again may help; of several it is one that asking again would not change.
func (s *Service) Ask(ctx context.Context, questions ...Question) ([][]byte, error) {
	var wg sync.WaitGroup
	errs := make([]error, len(questions))
	for i, q := range questions {
		s.mu.Lock()
		_, known := s.answers[q.Path]
		s.mu.Unlock()
		if known {
			continue
		}
		wg.Go(func() {
			body, err := s.Send(ctx, http.MethodGet, q, "")
			if errors.Is(err, datasources.ErrAbsent) {
				body, err = nil, nil
			}
			if errs[i] = err; err == nil {
				s.mu.Lock()
				s.answers[q.Path] = body
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := make([][]byte, len(questions))
	for i, q := range questions {
		all[i] = s.answers[q.Path]
	}
	return all, datasources.Worst(errs)
}

// Forget makes the next Ask begin anew.
func (s *Service) Forget() { clear(s.answers) }

// Send asks once and keeps nothing; a body is sent as XML. The answer is not nil if there is one, however empty.
func (s *Service) Send(ctx context.Context, method string, q Question, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+q.Path, strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is not a URL")
	}
	if body != "" {
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	resp, err := s.client.WithMaxBytes(q.MaxBytes).Do(req)
	if err != nil {
		return nil, err
	}
	switch err := httpget.Check(resp); {
	case resp.StatusCode == http.StatusGone && s.GoneForNow:
		return nil, fmt.Errorf("%w: %w", datasources.ErrNotReady, err)
	case err != nil:
		return nil, err
	}
	return io.ReadAll(resp.Body) // never nil
}
