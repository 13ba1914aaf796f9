// Package remote fetches documents over networks that others can be on, by https, http and tftp, and takes only those
// that a [trust.Policy] lets it take.
//
// [New] makes a fetcher; [Fetcher.Document] is for what a machine was told to fetch, [Fetcher.Include] for what such a
// document names in turn.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/minisign"
	"cloudconfig/datasources/tftp"
	"cloudconfig/datasources/trust"
)

// Document is what was fetched, and what shows where it is from.
type Document struct {
	Body  []byte // may be empty
	Proof trust.Proof
}

// Fetcher fetches what goes with one document. It may be used by several goroutines.
type Fetcher struct {
	env    datasources.Env
	policy trust.Policy
	// inside asks the host of the document, beside the same for what the document names there, and elsewhere all
	// other hosts.
	inside, beside, elsewhere *httpget.Client

	mu    sync.Mutex
	home  string          // scheme and host of the document
	hosts map[string]bool // that were announced, of tftp
}

// New makes a fetcher. The policy is env.Trust, or what [trust.Policy.FromCommandLine] made of it.
func New(env datasources.Env, policy trust.Policy) *Fetcher {
	others := policy.Elsewhere()
	return &Fetcher{
		env: env, policy: policy, hosts: map[string]bool{},
		inside:    httpget.New(env, httpget.Options{Trust: &policy}),
		beside:    httpget.New(env, httpget.Options{Trust: &policy, Outside: true}),
		elsewhere: httpget.New(env, httpget.Options{Trust: &others, Outside: true}),
	}
}

// From says where the document is from, for who has it already.
func (f *Fetcher) From(rawURL string) {
	f.mu.Lock()
	f.home = place(rawURL)
	f.mu.Unlock()
}

// Document asks once for the document that the policy is about. It wraps datasources.ErrAbsent if the server says that
// it is not there, and datasources.ErrNotReady if it should be asked again. What the policy does not let it take is an
// error that wraps a *[trust.Refusal] and that asking again would not change; since a wrong digest may be an answer
// cut short, that is asked for twice. Over plain http and tftp nothing is even asked for if no answer could be taken.
func (f *Fetcher) Document(ctx context.Context, rawURL string) (Document, error) {
	f.From(rawURL)
	return f.fetch(ctx, order{url: rawURL, policy: f.policy, client: f.inside})
}

// Beside is Document for another file of the same place: the policy's digest is not its, and if the document is to be
// signed, it has a signature of its own beside it.
func (f *Fetcher) Beside(ctx context.Context, rawURL string) (Document, error) {
	return f.fetch(ctx, order{url: rawURL, policy: f.policy.Beside(), client: f.inside})
}

// Include asks for what a document names until there is an answer, for env.Limits.Overall. Addresses of this machine
// and its link are refused. It must be as trustworthy as the document was to be, but for the digest, which is the
// document's alone, and for the pins, which are those of the document's server.
func (f *Fetcher) Include(ctx context.Context, rawURL string) (doc Document, err error) {
	f.mu.Lock()
	home := f.home
	f.mu.Unlock()
	o := order{url: rawURL, policy: f.policy.Elsewhere(), client: f.elsewhere, outside: true}
	if place(rawURL) == home {
		o.policy, o.client = f.policy.Beside(), f.beside
	}
	err = f.env.Retry(ctx, httpget.Redact(rawURL), func(ctx context.Context) (err error) {
		doc, err = f.fetch(ctx, o)
		return err
	})
	return doc, err
}

// place is the scheme and the host of a URL, to be compared.
func place(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// order is what is to be fetched, and on what terms.
type order struct {
	url     string
	policy  trust.Policy
	client  *httpget.Client
	outside bool
}

func (f *Fetcher) fetch(ctx context.Context, o order) (Document, error) {
	u, err := url.Parse(o.url)
	if err != nil {
		return Document{}, errors.New("the address is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tftp" {
		return Document{}, errors.New("the address begins with none of http://, https:// and tftp://")
	}
	overTLS := u.Scheme == "https"
	signed := o.policy.NeedsSignature(overTLS)
	proof := proofOf(o.policy, overTLS, signed)
	if proof == trust.None && !o.policy.Insecure {
		return Document{}, refused(o.url, o.policy.Unauthenticated())
	}
	const answers = 2 // one may be cut short, or be of another time than its signature
	for n := 1; ; n++ {
		body, err := f.get(ctx, o, o.url, httpget.DefaultMaxBytes)
		if err != nil {
			return Document{}, err
		}
		err = o.policy.CheckDigest(body)
		if err == nil && signed {
			var signature []byte
			if signature, err = f.signature(ctx, o, u); err != nil {
				return Document{}, err
			}
			err = o.policy.CheckSignature(body, signature)
		}
		if err == nil {
			return Document{Body: body, Proof: proof}, nil
		}
		if n == answers {
			return Document{}, refused(o.url, err)
		}
	}
}

// proofOf is what shows where a document is from once it is taken.
func proofOf(p trust.Policy, overTLS, signed bool) trust.Proof {
	switch {
	case signed:
		return trust.Signature
	case p.Digest.Name != "":
		return trust.Digest
	case overTLS && len(p.Pins) > 0:
		return trust.Pin
	case overTLS:
		return trust.TLS
	}
	return trust.None
}

func refused(rawURL string, err error) error {
	return fmt.Errorf("get %s: %w", httpget.Redact(rawURL), err)
}

// signature fetches that of a document. It is not secret and proves itself, so how it comes does not matter.
func (f *Fetcher) signature(ctx context.Context, o order, document *url.URL) ([]byte, error) {
	at, err := signatureURL(o.policy, document)
	if err != nil {
		return nil, err
	}
	if place(at) != place(o.url) { // the pins are not those of another server
		others := o.policy.Elsewhere()
		o.client = httpget.New(f.env, httpget.Options{Trust: &others, Outside: o.outside})
	}
	text, err := f.get(ctx, o, at, minisign.MaxBytes)
	if errors.Is(err, datasources.ErrAbsent) {
		// The document is there, so this is no absence of a datasource.
		return nil, refused(o.url, &trust.Refusal{
			Problem: "there is no signature at " + httpget.Redact(at),
			Cure:    "sign the document (minisign -S -m FILE) and put the signature there, or say where it is (cloud-config-sig=)",
		})
	}
	return text, err
}

func signatureURL(p trust.Policy, document *url.URL) (string, error) {
	if p.SignatureURL == "" {
		beside := *document
		beside.Path += ".minisig"
		if beside.RawPath != "" {
			beside.RawPath += ".minisig"
		}
		return beside.String(), nil
	}
	u, err := document.Parse(p.SignatureURL)
	if err != nil {
		return "", errors.New("the address of the signature is not a URL")
	}
	return u.String(), nil
}

// get asks once, whatever the scheme.
func (f *Fetcher) get(ctx context.Context, o order, rawURL string, limit int) ([]byte, error) {
	if !strings.HasPrefix(strings.ToLower(rawURL), "tftp:") {
		return o.client.WithMaxBytes(int64(limit)).Try(ctx, rawURL)
	}
	f.announce(ctx, place(rawURL))
	return tftp.Get(ctx, f.env, rawURL, tftp.Options{MaxBytes: limit, Outside: o.outside})
}

// announce says once how long a host is asked over tftp, as httpget does for its own.
func (f *Fetcher) announce(ctx context.Context, host string) {
	f.mu.Lock()
	told := f.hosts[host] || len(f.hosts) == 100
	if !told {
		f.hosts[host] = true
	}
	f.mu.Unlock()
	if told || f.env.Waiting == nil {
		return
	}
	limits := f.env.Limits.WithDefaults()
	overall := limits.Overall
	if deadline, ok := ctx.Deadline(); ok {
		overall = min(overall, time.Until(deadline))
	}
	if overall <= 0 {
		return // there is no time left to ask in
	}
	f.env.Waiting(fmt.Sprintf("asking %s for up to %s, %s for an answer", httpget.Redact(host), overall.Round(time.Second), limits.Answer))
}
