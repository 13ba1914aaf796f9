// Package imports fetches the public SSH keys that a configuration names by URL.
package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"cloudconfig/datasources/httpget"
)

const (
	maxURLs     = 100
	maxKeys     = 1000 // of one URL
	maxBytes    = 1 << 20
	maxKeyBytes = 16 << 10
	atOnce      = 4
)

// Options loosens what Keys accepts.
type Options struct {
	// Loopback takes http as well, if the host is a loopback address.
	Loopback bool
}

// Keys fetches the keys behind URLs, which are https, and gives those of each URL as the server has them: one line
// each, not otherwise checked. Each is asked until there is an answer, and all of them for client.Overall. On error
// the map has the URLs that were answered, and the error names every other one; it wraps
// datasources.ErrAbsent where there is nothing at a URL.
//
// Format: GitHub REST API 2022-11-28, "List public keys for a user": [{"id": 1, "key": "ssh-ed25519 AAAA..."}].
func Keys(ctx context.Context, client *httpget.Client, urls []string, o Options) (map[string][]string, error) {
	wanted := map[string]bool{}
	for _, u := range urls {
		wanted[u] = true
	}
	if len(wanted) > maxURLs {
		return nil, fmt.Errorf("keys are wanted from %d addresses, which is more than %d", len(wanted), maxURLs)
	}
	client = client.WithMaxBytes(maxBytes)
	ctx, cancel := context.WithTimeout(ctx, client.Overall())
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		keys = map[string][]string{}
		errs = map[string]error{}
		turn = make(chan struct{}, atOnce)
	)
	for u := range wanted {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			found, err := fetch(ctx, client, u, o)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[u] = fmt.Errorf("import keys: %w", err)
				return
			}
			keys[u] = found
		})
	}
	wg.Wait()
	var all []error
	for _, u := range urls {
		if errs[u] != nil {
			all = append(all, errs[u])
			delete(errs, u)
		}
	}
	return keys, errors.Join(all...)
}

func fetch(ctx context.Context, client *httpget.Client, address string, o Options) ([]string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address is not a URL")
	}
	if u.Scheme != "https" && !(o.Loopback && u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("%s: keys are taken by https only", httpget.Redact(address))
	}
	body, err := client.Get(ctx, address)
	if err != nil {
		return nil, err
	}
	keys, err := parse(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", httpget.Redact(address), err)
	}
	return keys, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func parse(body []byte) ([]string, error) {
	var list []struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, errors.New(`the answer is not a JSON list of {"key": "..."}`)
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("the answer has more than %d keys", maxKeys)
	}
	keys := make([]string, 0, len(list))
	for i, item := range list {
		key := strings.TrimSpace(item.Key)
		if key == "" || len(key) > maxKeyBytes || strings.ContainsFunc(key, isControl) {
			return nil, fmt.Errorf("key %d of the answer is not one line of text", i)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
