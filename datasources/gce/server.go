package gce

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"cloud.google.com/go/compute/metadata"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
)

// maxAnswerBytes is the largest answer that is taken. Attributes may be 512 KiB in all.
const maxAnswerBytes = 4 << 20

// server asks the metadata server for paths. What was answered is kept until forget, so that a server that fails now and
// then is asked only for what is missing.
type server struct {
	google  *metadata.Client
	answers map[string]string // present or, as "", absent
}

func newServer(env datasources.Env, base string) *server {
	u, err := url.Parse(base)
	if err != nil {
		panic("internal error: an address that is no URL: " + err.Error())
	}
	w := &wire{client: httpget.New(env, httpget.Options{
		Metadata: true, MaxBytes: maxAnswerBytes, Expect: http.Header{"Metadata-Flavor": {"Google"}},
	}), base: u}
	return &server{
		answers: map[string]string{},
		google:  metadata.NewWithOptions(&metadata.Options{Client: &http.Client{Transport: w}}),
	}
}

// forget makes the next ask begin anew.
func (s *server) forget() { clear(s.answers) }

// ask gives the answers for paths, asked at the same time; one that is absent is "".
func (s *server) ask(ctx context.Context, paths ...string) (map[string]string, error) {
	var wg sync.WaitGroup
	texts, errs := make([]string, len(paths)), make([]error, len(paths))
	for i, path := range paths {
		if _, known := s.answers[path]; known {
			continue
		}
		wg.Go(func() { texts[i], errs[i] = s.askOne(ctx, path) })
	}
	wg.Wait()
	for i, path := range paths {
		if _, known := s.answers[path]; !known && errs[i] == nil {
			s.answers[path] = texts[i]
		}
	}
	return s.answers, datasources.Worst(errs)
}

func (s *server) askOne(ctx context.Context, path string) (string, error) {
	var outcome error
	text, err := s.google.GetWithContext(context.WithValue(ctx, outcomeKey{}, &outcome), path)
	switch {
	case errors.Is(outcome, datasources.ErrAbsent):
		return "", nil
	case outcome != nil:
		return "", outcome
	}
	return text, err
}

// outcomeKey is where the context of a request has the *error that says what came of it: the library's own does not say
// enough.
type outcomeKey struct{}

// errNone is all that the library learns of a request without a good answer: it must not ask again by itself, nor wait.
var errNone = errors.New("no answer that counts")

// wire is the transport below the library. It sends every request to one server, whatever GCE_METADATA_HOST says.
type wire struct {
	client *httpget.Client
	base   *url.URL
}

// RoundTrip gives answers of status 200, and so no redirect.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	outcome, ok := req.Context().Value(outcomeKey{}).(*error)
	if !ok {
		return nil, errors.New("internal error: a request that nobody waits for")
	}
	sent := req.Clone(req.Context())
	sent.URL.Scheme, sent.URL.Host, sent.Host = w.base.Scheme, w.base.Host, ""
	resp, err := w.client.Do(sent)
	if err == nil {
		err = httpget.Check(resp)
	}
	if err != nil {
		*outcome = err
		return nil, errNone
	}
	return resp, nil
}
