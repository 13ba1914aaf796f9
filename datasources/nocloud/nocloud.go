// Package nocloud reads user-data and metadata from a seed: a disk labelled "cidata" or "CIDATA", a directory, or a URL.
//
// Format: cloud-init, doc/rtd/reference/datasources/nocloud.rst and cloudinit/sources/DataSourceNoCloud.py (24.1).
package nocloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"sync"

	"cloudconfig/datasources"
	"cloudconfig/datasources/disk"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/trust"
)

// Labels are those of a disk with a seed.
func Labels() []string { return []string{"cidata", "CIDATA"} }

// SeedDirs are the directories below the root in which an image may have a seed.
//
// Source: cloud-init, tools/ds-identify, dscheck_NoCloud (26.2, 2026-08).
func SeedDirs() []string {
	return []string{"var/lib/cloud/seed/nocloud", "var/lib/cloud/seed/nocloud-net"}
}

// New makes the datasource of a seed: "" is the disk, and anything else a directory of the caller's, whatever env.Root
// is, or a URL of http or https, below which the files are. Behind it there may be, as on cloud-init's kernel command
// line, ";h=NAME" and ";i=ID", which count more than what the seed says; before it, "s=". In a URL or a path
// __dmi.NAME__ stands for what the firmware says: __dmi.system-serial-number__. The error says what is wrong with it.
func New(env datasources.Env, arg string) (datasources.Source, error) {
	s := &datasource{env: env}
	for n, part := range strings.Split(arg, ";") {
		key, text, isPair := strings.Cut(part, "=")
		switch {
		case isPair && (key == "s" || key == "seedfrom"):
			s.seed = text
		case isPair && (key == "h" || key == "local-hostname"):
			s.hostname = text
		case isPair && (key == "i" || key == "instance-id"):
			s.instanceID = text
		case n == 0:
			s.seed = part
		case part != "":
			return nil, errors.New("behind the seed there may be ;h=NAME and ;i=ID, and nothing else")
		}
	}
	s.seed = strings.TrimPrefix(s.seed, "file://")
	if _, err := expand(s.seed, machine.DMI{}); err != nil {
		return nil, err
	}
	if strings.Contains(s.seed, "://") {
		u, err := url.Parse(s.seed)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, errors.New("the seed is neither a directory nor a URL such as http://host/path/")
		}
	}
	return s, nil
}

type datasource struct {
	env                        datasources.Env
	seed, hostname, instanceID string
	finder                     disk.Finder

	policy  trust.Policy // of the seed at a URL
	fetcher *remote.Fetcher
	answers map[string]remote.Document // of a URL, until all are there; a Body that is nil is absent
}

// Name is "nocloud".
func (*datasource) Name() string { return "nocloud" }

// Fetch reads user-data, meta-data, vendor-data and network-config. It wraps datasources.ErrAbsent if there is no seed,
// or if the seed lacks user-data or meta-data: cloud-init skips such a seed too. It wraps datasources.ErrNotReady if the
// disk or the answer may come yet. An empty user-data is none, and that is an answer.
//
// A URL is trusted as env.Trust and the kernel command line say, and meta-data as user-data, but for a digest, which
// is that of user-data alone. Data.Routed says that there is no proof of where the metadata is from.
func (s *datasource) Fetch(ctx context.Context) (datasources.Data, error) {
	data, err := s.fetch(ctx)
	if err != nil {
		return datasources.Data{}, fmt.Errorf("nocloud: %w", err)
	}
	return data, nil
}

func (s *datasource) fetch(ctx context.Context) (data datasources.Data, err error) {
	read := func(ctx context.Context, tree *disk.Tree) (err error) {
		data, err = s.readTree(ctx, tree)
		return err
	}
	if s.seed == "" {
		err = s.finder.First(ctx, s.env, Labels(), read)
		return data, err
	}
	m, err := machine.Read(s.env.Root)
	if err != nil {
		return data, err
	}
	seed, err := expand(s.seed, m.DMI)
	if err != nil {
		return data, err
	}
	if strings.Contains(seed, "://") {
		return s.readURL(ctx, seed, m)
	}
	err = disk.Dir(ctx, s.env, seed, read)
	return data, err
}

func (s *datasource) readTree(ctx context.Context, tree *disk.Tree) (datasources.Data, error) {
	f := files{}
	for _, name := range names() {
		text, err := tree.Read(ctx, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return datasources.Data{}, err
		}
		f[name] = text
	}
	return s.decode(f)
}

// readURL asks for all files at the same time, and for those alone that it has no answer for.
func (s *datasource) readURL(ctx context.Context, seed string, m *machine.Machine) (datasources.Data, error) {
	base, err := url.Parse(seed)
	if err != nil {
		return datasources.Data{}, errors.New("the seed is not a URL")
	}
	if s.fetcher == nil {
		policy, err := s.env.Trust.FromCommandLine(m.Cmdline.Settings(), trust.ReadFile(s.env.Root))
		if err != nil {
			return datasources.Data{}, err
		}
		s.policy, s.fetcher, s.answers = policy, remote.New(s.env, policy), map[string]remote.Document{}
	}
	var wg sync.WaitGroup
	docs, errs := make([]remote.Document, len(names())), make([]error, len(names()))
	for n, name := range names() {
		if _, known := s.answers[name]; known {
			docs[n] = s.answers[name]
			continue
		}
		wg.Go(func() {
			get := s.fetcher.Beside
			if name == userData {
				get = s.fetcher.Document
			}
			docs[n], errs[n] = get(ctx, below(base, name))
			if errors.Is(errs[n], datasources.ErrAbsent) {
				docs[n], errs[n] = remote.Document{}, nil
			} else if docs[n].Body == nil {
				docs[n].Body = []byte{}
			}
		})
	}
	wg.Wait()
	for n, name := range names() {
		if errs[n] == nil {
			s.answers[name] = docs[n]
		}
	}
	if err := datasources.Worst(errs); err != nil {
		return datasources.Data{}, err
	}
	f := files{}
	for name, doc := range s.answers {
		f[name] = doc.Body
	}
	data, err := s.decode(f)
	data.Proof = s.answers[userData].Proof
	data.From, data.Trust = below(base, userData), &s.policy
	data.Routed = s.answers[metaData].Proof == trust.None && !isLocal(base.Hostname())
	s.answers = map[string]remote.Document{}
	return data, err
}

// below is the URL of a file of the seed: a query stays behind the path, and a closing slash may be left out.
func below(base *url.URL, name string) string {
	u := *base
	u.Path, u.RawPath = strings.TrimSuffix(base.Path, "/")+"/"+name, ""
	if base.RawPath != "" {
		u.RawPath = strings.TrimSuffix(base.RawPath, "/") + "/" + name
	}
	return u.String()
}
