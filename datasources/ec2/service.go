package ec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
)

const (
	// maxValueBytes is the largest answer other than user-data that is taken.
	maxValueBytes = 64 << 10
	// maxAtOnce is how many requests are made at the same time.
	maxAtOnce = 16
)

// service asks the metadata service for paths. What was answered is kept until forget, so that a service that fails
// now and then is asked only for what is missing.
type service struct {
	sdk      *imds.Client
	wire     *wire
	policyV1 bool        // version 1 may be taken where there are no tokens
	native   bool        // version 1 is the platform's only one
	plain    atomic.Bool // version 1 is spoken

	mu      sync.Mutex
	answers map[string]string // present or, as "", absent
}

// newService sets up the SDK to leave everything to us: the waits, the asking again, the version of the
// protocol. An explicit endpoint and state keep it from reading AWS_EC2_METADATA_* in the environment.
func newService(env datasources.Env, native bool, endpoints []string) *service {
	client := httpget.New(env, httpget.Options{Metadata: true})
	s := &service{
		native: native, policyV1: env.Policy.IMDSv1, answers: map[string]string{},
		wire: &wire{large: client, small: client.WithMaxBytes(maxValueBytes), endpoints: endpoints, patience: env.Limits.WithDefaults().Answer},
	}
	s.plain.Store(native)
	s.sdk = imds.New(imds.Options{
		Endpoint:                 endpoints[0],
		ClientEnableState:        imds.ClientEnabled,
		EnableFallback:           aws.FalseTernary,
		HTTPClient:               s.wire,
		Retryer:                  aws.NopRetryer{},
		DisableDefaultMaxBackoff: true,
		DisableDefaultTimeout:    true,
	})
	return s
}

// fellBack says that version 1 is spoken where version 2 was wanted.
func (s *service) fellBack() bool { return s.plain.Load() && !s.native }

// forget makes the next ask begin anew.
func (s *service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.answers)
}

// ask gives the answers for paths, asked at the same time; one that is absent is "". Of several errors it gives
// one that asking again would not change, else the one of the first path. Calls of one round share a token state.
func (s *service) ask(ctx context.Context, token *tokenState, paths ...string) (map[string]string, error) {
	var (
		wg      sync.WaitGroup
		turns   = make(chan struct{}, maxAtOnce)
		errs    = make([]error, len(paths))
		answers = make(map[string]string, len(paths))
	)
	for i, path := range paths {
		s.mu.Lock()
		_, known := s.answers[path]
		s.mu.Unlock()
		if known {
			continue
		}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			text, err := s.askOne(ctx, token, path)
			if errs[i] = err; err == nil {
				s.mu.Lock()
				s.answers[path] = text
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range paths {
		answers[path] = s.answers[path]
	}
	return answers, datasources.Worst(errs)
}

// askOne asks for one path, and once more with a new token if the service does not accept the one we have.
func (s *service) askOne(ctx context.Context, token *tokenState, path string) (string, error) {
	if s.plain.Load() {
		return s.askPlain(ctx, path)
	}
	q := &question{token: token}
	asked := context.WithValue(ctx, questionKey{}, q)
	body, err := s.get(asked, path)
	if q.unauthorized {
		*q = question{token: token}
		body, err = s.get(asked, path)
	}
	switch {
	case q.err == nil && err != nil:
		return "", fmt.Errorf("%s: %w", path, err) // the SDK did not get as far as a request
	case errors.Is(q.err, datasources.ErrAbsent) && !q.tokenFailed:
		return "", nil
	case errors.Is(q.err, datasources.ErrAbsent) && s.policyV1:
		s.plain.Store(true)
		return s.askPlain(ctx, path)
	case errors.Is(q.err, datasources.ErrAbsent):
		return "", fmt.Errorf("no session tokens, so no IMDSv2, and the settings do not allow version 1 (imdsv1): %w", q.err)
	case q.err != nil:
		return "", q.err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	return string(text), err
}

// askPlain asks without a token.
func (s *service) askPlain(ctx context.Context, path string) (string, error) {
	u := s.wire.endpoints[s.wire.endpoint.Load()] + "/latest/" + path
	text, err := s.wire.clientFor(u).Try(ctx, u)
	if errors.Is(err, datasources.ErrAbsent) {
		return "", nil
	}
	return string(text), err
}

func (s *service) get(ctx context.Context, path string) (io.ReadCloser, error) {
	section, rest, _ := strings.Cut(path, "/")
	switch section {
	case "user-data":
		out, err := s.sdk.GetUserData(ctx, nil)
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	case "dynamic":
		out, err := s.sdk.GetDynamicData(ctx, &imds.GetDynamicDataInput{Path: rest})
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	}
	out, err := s.sdk.GetMetadata(ctx, &imds.GetMetadataInput{Path: rest})
	if err != nil {
		return nil, err
	}
	return out.Content, nil
}

// question is what becomes of one path. It travels in the context to the wire and back, because the SDK's own
// error does not lead to the cause if it was the token that could not be had.
type question struct {
	token        *tokenState
	err          error
	tokenFailed  bool
	unauthorized bool
}

type questionKey struct{}

// wire is the HTTP client below the SDK.
type wire struct {
	large, small *httpget.Client
	endpoints    []string
	endpoint     atomic.Int32 // which of them is asked: the one that gave the token
	tokens       diagnosis
	patience     time.Duration // the limit of an answer
}

// Do sends a request and notes in its question what came of it.
func (w *wire) Do(req *http.Request) (*http.Response, error) {
	q, ok := req.Context().Value(questionKey{}).(*question)
	if !ok {
		return nil, errors.New("internal error: a request without a question")
	}
	if req.Method == http.MethodPut {
		return w.fetchToken(req, q)
	}
	endpoint := w.endpoint.Load()
	resp, err := w.clientFor(req.URL.Path).Do(w.at(req, endpoint))
	if err == nil {
		q.err = httpget.Check(resp)
		q.unauthorized = resp.StatusCode == http.StatusUnauthorized
		return resp, nil // whatever its status: on 401 the SDK throws its token away
	}
	// The token may be good for an address that is not there any more; the other one knows it as well.
	w.endpoint.CompareAndSwap(endpoint, (endpoint+1)%int32(len(w.endpoints)))
	q.err = err
	return nil, err
}

func (w *wire) clientFor(path string) *httpget.Client {
	if strings.HasSuffix(path, "/"+userData) {
		return w.large
	}
	return w.small
}

// at is the request, made to another of the endpoints.
func (w *wire) at(req *http.Request, endpoint int32) *http.Request {
	if len(w.endpoints) == 1 {
		return req
	}
	u, err := url.Parse(w.endpoints[endpoint])
	if err != nil {
		panic("internal error: an endpoint that is no URL: " + err.Error())
	}
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = u.Scheme, u.Host, ""
	return req
}
