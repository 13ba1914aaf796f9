package openstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/answers"
	"cloudconfig/datasources/machine"
)

// DefaultURL is where the service is on IPv4. On IPv6 it is at fe80::a9fe:a9fe of every link.
const DefaultURL = "http://169.254.169.254"

const (
	maxLinks = 16
	// grace is how long other addresses have for their answer after the first of all has failed. On every fourth
	// attempt they have as long as any: a service that is on IPv6 only may be slow, and one that comes up on
	// IPv4 is not to wait for the silence of the others.
	grace = 250 * time.Millisecond

	maxValue = 64 << 10
	maxLarge = 16 << 20
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means DefaultURL and the same
// service on IPv6. The error says what is wrong with the URL.
func New(env datasources.Env, endpoint string) (datasources.Source, error) {
	first, err := answers.New(env, endpoint, DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	return &source{env: env, all: map[string]*answers.Service{"": first}, everywhere: endpoint == ""}, nil
}

type source struct {
	env        datasources.Env
	all        map[string]*answers.Service // by the link that an address is on; "" is the first
	everywhere bool

	// What is known, until everything is.
	chosen   *answers.Service
	version  string
	attempts int
}

// Name is "openstack".
func (*source) Name() string { return "openstack" }

// What is asked for beside the files of a version, as paths.
const (
	localIPv4    = "/latest/meta-data/local-ipv4"
	publicIPv4   = "/latest/meta-data/public-ipv4"
	instanceType = "/latest/meta-data/instance-type"
)

// Fetch asks for everything, with two answers in series: the versions, of all addresses at the same time, and then
// the rest, of the first that has an answer. Only 404 means that something is not there; if there are no versions, it
// wraps datasources.ErrAbsent, since that is no OpenStack. What was answered is not asked for again after
// datasources.ErrNotReady. An answer that cannot be what it should be ends the search.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	data, err := s.fetch(ctx)
	if err != nil {
		return data, fmt.Errorf("openstack: %w", err)
	}
	s.forget()
	s.attempts = 0
	return data, nil
}

// forget makes the next Fetch begin anew.
func (s *source) forget() {
	s.chosen.Forget()
	s.chosen = nil
}

func (s *source) fetch(ctx context.Context) (datasources.Data, error) {
	if s.chosen == nil {
		if err := s.choose(ctx); err != nil {
			return datasources.Data{}, err
		}
	}
	file := func(name string, maxBytes int64) answers.Question {
		return answers.Question{Path: "/openstack/" + s.version + "/" + name, MaxBytes: maxBytes}
	}
	got, late := s.chosen.Ask(ctx,
		file("meta_data.json", maxJSON), file("user_data", maxLarge), file("network_data.json", maxJSON),
		file("vendor_data.json", maxLarge), file("vendor_data2.json", maxLarge),
		answers.Question{Path: localIPv4, MaxBytes: maxValue}, answers.Question{Path: publicIPv4, MaxBytes: maxValue}, answers.Question{Path: instanceType, MaxBytes: maxValue})
	if got[0] == nil && late != nil {
		return datasources.Data{}, late
	}
	if got[0] == nil {
		// The service has versions before it knows of the instance. What else it did not have was no answer, either.
		s.forget()
		return datasources.Data{}, fmt.Errorf("the service has no meta_data.json of this instance: %w", datasources.ErrNotReady)
	}
	data, err := Decode("openstack", Files{
		MetaData: got[0], UserData: got[1], NetworkData: got[2], VendorData: got[3], VendorData2: got[4],
		EC2: EC2{LocalIPv4: string(got[5]), PublicIPv4: string(got[6]), InstanceType: string(got[7])},
		Content: func(path string) ([]byte, error) {
			got, err := s.chosen.Ask(ctx, answers.Question{Path: "/openstack/" + path, MaxBytes: maxJSON})
			return got[0], err
		},
	})
	if err != nil {
		return data, err
	}
	data.Routed = s.chosen.Routed
	if late != nil { // the metadata is there all the same
		data.UserData = nil
	}
	return data, late
}

// services is those that may be the one, at the usual address first, then at that of each link that is up.
func (s *source) services() []*answers.Service {
	list := []*answers.Service{s.all[""]}
	if !s.everywhere {
		return list
	}
	m, err := machine.Read(s.env.Root)
	if err != nil {
		return list
	}
	for _, l := range m.Links {
		if !l.Up || l.Name == "lo" || len(list) > maxLinks {
			continue
		}
		if s.all[l.Name] == nil {
			address := url.URL{Scheme: "http", Host: "[fe80::a9fe:a9fe%" + l.Name + "]"}
			if s.all[l.Name], err = answers.New(s.env, address.String(), "", nil); err != nil {
				delete(s.all, l.Name)
				continue // a name that cannot be in an address
			}
		}
		list = append(list, s.all[l.Name])
	}
	return list
}

// choose finds the address and the version of the service. If no address has an answer, the error is the first's.
func (s *source) choose(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		n       int
		version string
		err     error
	}
	services := s.services()
	got := make(chan answer, len(services))
	for n, service := range services {
		go func() {
			version, err := versions(ctx, service)
			got <- answer{n, version, err}
		}()
	}
	s.attempts++
	var over <-chan time.Time
	var first error
	for range services {
		select {
		case a := <-got:
			if a.err == nil {
				s.chosen, s.version = services[a.n], a.version
				return nil
			}
			if a.n == 0 {
				if first = a.err; s.attempts%4 != 0 {
					over = time.After(grace)
				}
			}
		case <-over:
			return first
		}
	}
	return first
}

// versions asks for the list of versions, and gives the one to use.
func versions(ctx context.Context, service *answers.Service) (string, error) {
	list, err := service.Send(ctx, http.MethodGet, answers.Question{Path: "/openstack", MaxBytes: maxValue}, "")
	if err != nil {
		return "", err
	}
	version := Version(strings.Fields(string(list)))
	if version == "" {
		return "", errors.New("/openstack: it is not a list of versions")
	}
	return version, nil
}
