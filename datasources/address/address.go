// Package address reads user-data from a URL. There is no metadata at a URL.
package address

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

// New makes the datasource of a URL of the scheme http, https or tftp, with variables of the machine in it, as Fetch
// has them. The error says what is wrong with the URL.
func New(env datasources.Env, rawURL string) (datasources.Source, error) {
	if err := Check(rawURL); err != nil {
		return nil, err
	}
	return &source{env, rawURL, remote.New(env, env.Trust)}, nil
}

// Check says what is wrong with a URL, whatever machine it is for.
func Check(rawURL string) error {
	var filled strings.Builder
	err := walk(rawURL, func(text string) { filled.WriteString(text) }, func(name, _ string, _ bool) error {
		filled.WriteString("x")
		return known(name)
	})
	if err != nil {
		return err
	}
	u, err := url.Parse(filled.String())
	switch {
	case err != nil || u.Host == "":
		return errors.New("the address is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tftp":
		return errors.New("the address begins with http://, https:// or tftp://")
	}
	return nil
}

type source struct {
	env  datasources.Env
	url  string
	from *remote.Fetcher
}

// Name is "url".
func (*source) Name() string { return "url" }

// Fetch is the function Fetch for its URL.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	data, err := Fetch(ctx, s.env, s.from, s.url)
	if err != nil {
		return datasources.Data{}, fmt.Errorf("url: %w", err)
	}
	data.Meta.Datasource = "url"
	return data, nil
}

// Fetch asks once for the document at a URL, by the trust that env has. From is a fetcher of this trust, and the same at
// each attempt: it knows the hosts that were announced, and that a server is slow. In the URL ${uuid}, ${serial}, ${asset-tag},
// ${hostname}, ${arch}, ${ip}, ${mac} (52:54:00:12:34:56), ${mac:hexhyp} (with hyphens) and ${mac:hexraw} stand for
// what this machine has; the hardware address is that of BOOTIF= on the kernel command line, else of the card that the
// request leaves from. What vendors leave in DMI where nothing was filled in counts as nothing. The metadata is
// empty.
//
// It wraps datasources.ErrAbsent if nothing is at the URL, and datasources.ErrNotReady if there is no answer, or no
// network yet.
func Fetch(ctx context.Context, env datasources.Env, from *remote.Fetcher, rawURL string) (datasources.Data, error) {
	m, err := machine.Read(env.Root)
	if err != nil {
		return datasources.Data{}, err
	}
	x := &expander{machine: m, network: route, live: env.Root == "/"}
	address, err := x.expand(ctx, rawURL)
	if err != nil {
		return datasources.Data{}, err
	}
	doc, err := from.Document(ctx, address)
	if err != nil {
		return datasources.Data{}, err
	}
	data := datasources.Data{
		Name: "user-data", Meta: schema.Metadata{Version: 1},
		Proof: doc.Proof, Routed: doc.Proof == trust.None, From: address, Trust: &env.Trust,
	}
	if len(doc.Body) > 0 {
		data.UserData = doc.Body
	}
	return data, nil
}
