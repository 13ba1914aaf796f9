package ec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
)

// maxValueBytes is the largest answer other than user-data that is taken.
const maxValueBytes = 64 << 10

// service asks IMDSv2 for paths. What was answered is kept until forget, so that a service that fails now and
// then is asked only for what is missing.
type service struct {
	sdk     *imds.Client
	mu      sync.Mutex
	answers map[string]string // present or, as "", absent
}

// newService sets up the SDK to leave everything to us: the waits, the asking again, the version of the
// protocol. An explicit endpoint and state keep it from reading AWS_EC2_METADATA_* in the environment.
func newService(env datasources.Env, endpoint string) *service {
	client := httpget.New(env, httpget.Options{Metadata: true})
	return &service{
		answers: map[string]string{},
		sdk: imds.New(imds.Options{
			Endpoint:                 endpoint,
			ClientEnableState:        imds.ClientEnabled,
			EnableFallback:           aws.FalseTernary,
			HTTPClient:               &wire{large: client, small: client.WithMaxBytes(maxValueBytes)},
			Retryer:                  aws.NopRetryer{},
			DisableDefaultMaxBackoff: true,
			DisableDefaultTimeout:    true,
		}),
	}
}

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
		wg.Go(func() {
			text, err := s.askOne(ctx, token, path)
			if errs[i] = err; err == nil {
				s.mu.Lock()
				s.answers[path] = text
				s.mu.Unlock()
			}
		})
	}
	wg.Wait()
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || errors.Is(first, datasources.ErrNotReady) && !errors.Is(err, datasources.ErrNotReady)) {
			first = err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range paths {
		answers[path] = s.answers[path]
	}
	return answers, first
}

// askOne asks for one path, and once more with a new token if the service does not accept the one we have.
func (s *service) askOne(ctx context.Context, token *tokenState, path string) (string, error) {
	q := &question{token: token}
	ctx = context.WithValue(ctx, questionKey{}, q)
	body, err := s.get(ctx, path)
	if q.unauthorized {
		*q = question{token: token}
		body, err = s.get(ctx, path)
	}
	switch {
	case q.err == nil && err != nil:
		return "", fmt.Errorf("%s: %w", path, err) // the SDK did not get as far as a request
	case errors.Is(q.err, datasources.ErrAbsent) && !q.tokenFailed:
		return "", nil
	case errors.Is(q.err, datasources.ErrAbsent):
		return "", fmt.Errorf("no session tokens, so no IMDSv2: %w", q.err)
	case q.err != nil:
		return "", q.err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
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

// tokenState is shared by the questions asked at one time: the SDK lets them ask for a token one after another,
// and each would wait in vain for as long as the first.
type tokenState struct {
	mu  sync.Mutex
	err error
}

// wire is the HTTP client below the SDK.
type wire struct{ large, small *httpget.Client }

// Do sends a request and notes in its question what came of it.
func (w *wire) Do(req *http.Request) (*http.Response, error) {
	q, ok := req.Context().Value(questionKey{}).(*question)
	if !ok {
		return nil, errors.New("internal error: a request without a question")
	}
	if req.Method == http.MethodPut {
		return w.fetchToken(req, q)
	}
	client := w.small
	if strings.HasSuffix(req.URL.Path, "/"+userData) {
		client = w.large
	}
	resp, err := client.Do(req)
	if err == nil {
		q.err = httpget.Check(resp)
		q.unauthorized = resp.StatusCode == http.StatusUnauthorized
		return resp, nil // whatever its status: on 401 the SDK throws its token away
	}
	q.err = err
	return nil, err
}

func (w *wire) fetchToken(req *http.Request, q *question) (*http.Response, error) {
	q.token.mu.Lock()
	defer q.token.mu.Unlock()
	if q.token.err != nil {
		q.err, q.tokenFailed = q.token.err, true
		return nil, q.err
	}
	resp, err := w.small.Do(req)
	if err == nil {
		err = checkToken(resp)
	}
	if err != nil {
		q.token.err, q.err, q.tokenFailed = err, err, true
		return nil, err
	}
	return resp, nil
}

const maxTokenBytes = 1 << 10

// checkToken says whether an answer is a token that the SDK can read and send.
func checkToken(resp *http.Response) error {
	if err := httpget.Check(resp); err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(strings.NewReader(string(text)))
	_, err = strconv.ParseInt(resp.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"), 10, 32)
	if err != nil || !isWord(string(text), maxTokenBytes) {
		return fmt.Errorf("put %s: the answer is no token: %w", httpget.Redact(resp.Request.URL.String()), datasources.ErrNotReady)
	}
	return nil
}
