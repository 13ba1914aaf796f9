package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"cloudconfig/datasources/minisign"
	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema/yamltree"
)

const (
	// keyDir is where public keys are that may sign configurations.
	keyDir     = "etc/provisioner"
	maxKeys    = 32
	maxServers = 4
)

// setTrust takes the mapping below "trust". The files that it names are below the root.
func setTrust(p *trust.Policy, n *yamltree.Node, root fsroot.FS) error {
	if n.Kind != yamltree.Mapping {
		return errors.New("trust must be a mapping of ca, pin, digest, signature and insecure")
	}
	read := func(name string) ([]byte, error) {
		data, _, err := root.ReadFile(path.Clean(strings.TrimLeft(name, "/")), 1<<20)
		return data, err
	}
	for _, pair := range n.Pairs {
		var err error
		switch key := pair.Key.Value; key {
		case "ca", "pin":
			err = eachWord(key, pair.Value, func(value string) error { return p.Set(key, value, read) })
		case "digest":
			err = p.Set(key, pair.Value.Value, read)
		case "signature":
			err = yesOrNo(&p.Signed, key, pair.Value)
		case "insecure":
			err = yesOrNo(&p.Insecure, key, pair.Value)
		default:
			err = fmt.Errorf("unknown setting %q of trust; known are ca, digest, insecure, pin and signature", key)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", pair.Key.Value, err)
		}
	}
	return nil
}

// eachWord gives the words of a list, or the one that stands in its place.
func eachWord(key string, n *yamltree.Node, take func(string) error) error {
	items := n.Items
	if n.Kind == yamltree.Scalar {
		items = []*yamltree.Node{n}
	}
	if len(items) == 0 {
		return fmt.Errorf("%s must be a list", key)
	}
	for _, item := range items {
		if item.Kind != yamltree.Scalar || item.Value == "" {
			return fmt.Errorf("an entry of %s is one word", key)
		}
		if err := take(item.Value); err != nil {
			return err
		}
	}
	return nil
}

// setServers takes the list of time servers.
func (s *Settings) setServers(n *yamltree.Node) error {
	return eachWord("ntp", n, func(server string) error {
		if len(server) > 255 || strings.ContainsFunc(server, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("an entry of ntp is the name or the address of a time server")
		}
		if len(s.NTP) == maxServers {
			return fmt.Errorf("more than %d time servers", maxServers)
		}
		s.NTP = append(s.NTP, server)
		return nil
	})
}

// loadKeys reads the public keys that may sign configurations. One that is none is an error, since whoever put it
// there relies on it.
func loadKeys(root fsroot.FS) ([]minisign.Key, error) {
	names, err := root.ReadDir(keyDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	var keys []minisign.Key
	for _, name := range names {
		if path.Ext(name) != ".pub" {
			continue
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("/%s has more than %d keys", keyDir, maxKeys)
		}
		text, _, err := root.ReadFile(path.Join(keyDir, name), minisign.MaxBytes)
		if err != nil {
			return nil, fmt.Errorf("read the keys: %w", err)
		}
		key, err := minisign.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("/%s/%s: %w", keyDir, name, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
