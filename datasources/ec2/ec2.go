// Package ec2 reads user-data and metadata from the instance metadata service of Amazon EC2, and from those made after
// it.
//
// It speaks IMDSv2, with a session token; the version without one only where the owner of the image allows that and the
// service has no tokens, or where that is the platform's own way.
//
// Format: Amazon EC2 User Guide, "Access instance metadata for an EC2 instance" and "Instance metadata
// categories" (2026); https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html.
package ec2

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/endpoint"
	"cloudconfig/schema"
)

// Where the service is. EC2 has it at both addresses, if the instance has both families.
const (
	DefaultURL     = "http://169.254.169.254"
	DefaultIPv6URL = "http://[fd00:ec2::254]"
)

// What is far beyond what an instance has.
const (
	maxTags       = 64
	maxInterfaces = 64
)

// What is asked for, as paths below /latest.
const (
	userData   = "user-data"
	document   = "dynamic/instance-identity/document"
	instanceID = "meta-data/instance-id"
	kind       = "meta-data/instance-type"
	zone       = "meta-data/placement/availability-zone"
	region     = "meta-data/placement/region"
	hostname   = "meta-data/hostname"
	localIPv4  = "meta-data/local-ipv4"
	publicIPv4 = "meta-data/public-ipv4"
	ipv6       = "meta-data/ipv6"
	publicKeys = "meta-data/public-keys/"
	tags       = "meta-data/tags/instance/"
	macs       = "meta-data/network/interfaces/macs/"
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means EC2's own addresses, both of
// them. The error says what is wrong with the URL.
func New(env datasources.Env, address string) (datasources.Source, error) {
	bases, routed, err := endpoints(address, DefaultURL, DefaultIPv6URL)
	if err != nil {
		return nil, err
	}
	return &source{
		name: "ec2", routed: routed, service: newService(env, false, bases),
		first: []string{document, hostname, publicIPv4, ipv6, publicKeys, tags, macs},
	}, nil
}

// NewCompatible makes the datasource of another platform's service, which has neither session tokens nor an identity
// document. The URL is as that of New; "" means EC2's address on IPv4.
func NewCompatible(env datasources.Env, name, address string) (datasources.Source, error) {
	bases, routed, err := endpoints(address, DefaultURL)
	if err != nil {
		return nil, err
	}
	return &source{
		name: name, routed: routed, service: newService(env, true, bases),
		// A service that is not well, or another's, is asked for one value and not for all.
		gate:  []string{instanceID},
		first: []string{kind, zone, hostname, localIPv4, publicIPv4, ipv6, publicKeys},
	}, nil
}

func endpoints(address string, defaults ...string) (bases []string, routed bool, err error) {
	if address == "" {
		return defaults, false, nil
	}
	base, routed, err := endpoint.Parse(address)
	return []string{base}, routed, err
}

type source struct {
	name    string
	service *service
	routed  bool     // the endpoint is another than a link-local one
	gate    []string // what is asked for before that
	first   []string // what is asked for at once, user-data aside
}

// Name is "ec2", or that of the platform.
func (s *source) Name() string { return s.name }

// Fetch asks for everything, with at most three answers in series and, on an instance with one key, one network
// interface, no tags to be seen and an identity document, at most twelve requests. Only 404 means that a value is not
// there; if there are no tokens to be had it wraps datasources.ErrAbsent, since that is no IMDSv2, as it does if a
// service without tokens has no instance id. What was answered is not asked for again after datasources.ErrNotReady. An
// answer that cannot be what it should be ends the search, as do five refusals (403) of a token in a row: the service is
// switched off.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	// At the same time, since neither depends on the other: user-data that is late keeps nobody from logging in.
	var text map[string]string
	var late error
	var token tokenState
	var wg sync.WaitGroup
	wg.Go(func() { text, late = s.service.ask(ctx, &token, userData) })
	data, err := s.metadata(ctx, &token)
	wg.Wait()
	if err != nil {
		return datasources.Data{}, fmt.Errorf("%s: %w", s.name, err)
	}
	if late != nil {
		return data, fmt.Errorf("%s: %w", s.name, late)
	}
	s.service.forget()
	if text[userData] != "" {
		data.UserData = []byte(text[userData])
	}
	return data, nil
}

// metadata asks for everything but the user-data.
func (s *source) metadata(ctx context.Context, token *tokenState) (datasources.Data, error) {
	var none datasources.Data
	known, err := s.service.ask(ctx, token, s.gate...)
	if err != nil {
		return none, err
	}
	if len(s.gate) > 0 && known[instanceID] == "" {
		return none, errNoInstance
	}
	all, err := s.service.ask(ctx, token, s.first...)
	if err != nil {
		return none, err
	}
	maps.Copy(all, known)
	id, err := parseIdentity(all[document])
	if err != nil {
		return none, err
	}
	keys, err := keyPaths(all[publicKeys])
	if err != nil {
		return none, err
	}
	labels, err := tagPaths(all[tags])
	if err != nil {
		return none, err
	}
	nics, err := interfacePaths(all[macs])
	if err != nil {
		return none, err
	}
	if len(nics) == 1 && all[document] == "" { // which has more to be asked for already
		nics = nil
	}
	// The document has these on EC2 itself; services made after it have no document.
	more := slices.Concat(keys, labels, nics)
	for _, v := range []struct{ path, known string }{
		{instanceID, id.InstanceID}, {localIPv4, id.PrivateIP}, {zone, id.Zone}, {kind, id.Type},
	} {
		if v.known == "" && !slices.Contains(s.first, v.path) && !slices.Contains(s.gate, v.path) {
			more = append(more, v.path)
		}
		all[v.path] = or(v.known, all[v.path])
	}
	rest, err := s.service.ask(ctx, token, more...)
	if err != nil {
		return none, err
	}
	maps.Copy(all, rest)
	all[region] = id.Region

	data := datasources.Data{Name: "user-data", Routed: s.routed}
	if s.service.fellBack() {
		data.Notes = append(data.Notes, "version 1 of the service was taken, as the settings allow: it has no session tokens")
	}
	if data.Meta, err = s.instance(all, keys, labels); err != nil {
		return none, err
	}
	for _, path := range nics {
		if !isLines(all[path]) {
			return none, claims.Wrong(path, all[path], "a list of words")
		}
	}
	if describesNetwork(all, nics) {
		data.Network = []datasources.Document{networkDocument(all, nics)}
	}
	data.Tree = tree(all)
	return data, nil
}

var errNoInstance = fmt.Errorf("the service has no instance id, so it is none of this kind: %w", datasources.ErrAbsent)

// instance checks what the service says.
func (s *source) instance(all map[string]string, keys, labels []string) (schema.Metadata, error) {
	var check claims.Checker
	meta := schema.Metadata{
		Version:      1,
		Datasource:   s.name,
		InstanceID:   check.Word(instanceID, all[instanceID]),
		Hostname:     check.FirstHostname(hostname, all[hostname]),
		PublicIPv4:   check.IPv4(publicIPv4, all[publicIPv4]),
		PrivateIPv4:  check.IPv4(localIPv4, all[localIPv4]),
		Region:       check.Word("region", all[region]),
		Zone:         check.Word(zone, all[zone]),
		InstanceType: check.Word(kind, all[kind]),
	}
	if addr := check.IPv6(ipv6, all[ipv6]); addr.IsPrivate() {
		meta.PrivateIPv6 = addr.String()
	} else if addr.IsValid() {
		meta.PublicIPv6 = addr.String()
	}
	var texts []string
	for _, path := range keys {
		texts = append(texts, all[path])
	}
	meta.SSHKeys = check.Keys(publicKeys, texts)
	for _, path := range labels {
		if meta.Tags == nil {
			meta.Tags = map[string]string{}
		}
		meta.Tags[strings.TrimPrefix(path, tags)] = checkTag(&check, path, all[path])
	}
	if check.Err() != nil {
		return schema.Metadata{}, check.Err()
	}
	if meta.InstanceID == "" && s.service.plain.Load() {
		return schema.Metadata{}, errNoInstance
	}
	if meta.InstanceID == "" {
		return schema.Metadata{}, fmt.Errorf("the service knows of no instance id: %w", datasources.ErrNotReady)
	}
	return meta, nil
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// identity is what we read of the instance identity document.
type identity struct {
	InstanceID string `json:"instanceId"`
	Region     string `json:"region"`
	Zone       string `json:"availabilityZone"`
	Type       string `json:"instanceType"`
	PrivateIP  string `json:"privateIp"`
}

func parseIdentity(text string) (identity, error) {
	var id identity
	if text == "" {
		return id, nil
	}
	if err := json.Unmarshal([]byte(text), &id); err != nil {
		return id, claims.Wrong(document, text, "the JSON of an identity document")
	}
	return id, nil
}
