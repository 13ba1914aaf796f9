// Package ec2 reads user-data and metadata from the instance metadata service of Amazon EC2.
//
// It speaks IMDSv2, with a session token, and never falls back to the version without one.
//
// Format: Amazon EC2 User Guide, "Access instance metadata for an EC2 instance" and "Instance metadata
// categories" (2026); https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html.
package ec2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cloudconfig/datasources"
	"cloudconfig/schema"
)

// DefaultURL is where the service is, on IPv4.
const DefaultURL = "http://169.254.169.254"

// maxKeys is far beyond the one key that EC2 has, for services made after it.
const maxKeys = 64

const maxWordBytes = 128

// What is asked for, as paths below /latest.
const (
	userData   = "user-data"
	document   = "dynamic/instance-identity/document"
	instanceID = "meta-data/instance-id"
	kind       = "meta-data/instance-type"
	zone       = "meta-data/placement/availability-zone"
	hostname   = "meta-data/hostname"
	localIPv4  = "meta-data/local-ipv4"
	publicIPv4 = "meta-data/public-ipv4"
	ipv6       = "meta-data/ipv6"
	publicKeys = "meta-data/public-keys/"
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means DefaultURL. The error
// says what is wrong with the URL.
func New(env datasources.Env, endpoint string) (datasources.Source, error) {
	if endpoint == "" {
		endpoint = DefaultURL
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the address is no URL such as " + DefaultURL)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("the address has more than a scheme and a host")
	}
	return &source{service: newService(env, u.Scheme+"://"+u.Host), routed: isRouted(u.Hostname())}, nil
}

type source struct {
	service *service
	routed  bool // the endpoint is another than a link-local one
}

// Name is "ec2".
func (*source) Name() string { return "ec2" }

// Fetch asks for everything, with at most three answers in series and, on an instance with one key, at most
// twelve requests. Only 404 means that a value is not there; if there are no tokens to be had it wraps
// datasources.ErrAbsent, since that is no IMDSv2. What was answered is not asked for again after
// datasources.ErrNotReady. An answer that cannot be what it should be ends the search.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	// At the same time, since neither depends on the other: user-data that is late keeps nobody from logging in.
	var text map[string]string
	var late error
	var token tokenState
	var wg sync.WaitGroup
	wg.Go(func() { text, late = s.service.ask(ctx, &token, userData) })
	meta, err := s.metadata(ctx, &token)
	wg.Wait()
	if err != nil {
		return datasources.Data{}, fmt.Errorf("ec2: %w", err)
	}
	data := datasources.Data{Name: "user-data", Meta: meta, Routed: s.routed}
	if late != nil {
		return data, fmt.Errorf("ec2: %w", late)
	}
	s.service.forget()
	if text[userData] != "" {
		data.UserData = []byte(text[userData])
	}
	return data, nil
}

// metadata asks for everything but the user-data.
func (s *source) metadata(ctx context.Context, token *tokenState) (schema.Metadata, error) {
	var none schema.Metadata
	all, err := s.service.ask(ctx, token, document, hostname, publicIPv4, ipv6, publicKeys)
	if err != nil {
		return none, err
	}
	id, err := parseIdentity(all[document])
	if err != nil {
		return none, err
	}
	keys, err := keyPaths(all[publicKeys])
	if err != nil {
		return none, err
	}
	// The document has these on EC2 itself; services made after it have no document.
	more := slices.Clone(keys)
	for _, v := range []struct{ path, known string }{
		{instanceID, id.InstanceID}, {localIPv4, id.PrivateIP}, {zone, id.Zone}, {kind, id.Type},
	} {
		if v.known == "" {
			more = append(more, v.path)
		}
	}
	rest, err := s.service.ask(ctx, token, more...)
	if err != nil {
		return none, err
	}

	check := checker{}
	meta := schema.Metadata{
		Version:      1,
		Datasource:   "ec2",
		InstanceID:   check.word(instanceID, or(id.InstanceID, rest[instanceID])),
		Hostname:     check.hostname(all[hostname]),
		PublicIPv4:   check.ipv4(publicIPv4, all[publicIPv4]),
		PrivateIPv4:  check.ipv4(localIPv4, or(id.PrivateIP, rest[localIPv4])),
		Region:       check.word("region", id.Region),
		Zone:         check.word(zone, or(id.Zone, rest[zone])),
		InstanceType: check.word(kind, or(id.Type, rest[kind])),
	}
	if addr := check.ipv6(all[ipv6]); addr.IsPrivate() {
		meta.PrivateIPv6 = addr.String()
	} else if addr.IsValid() {
		meta.PublicIPv6 = addr.String()
	}
	for _, path := range keys {
		for line := range strings.Lines(rest[path]) {
			if line = strings.TrimSpace(line); line != "" {
				meta.SSHKeys = append(meta.SSHKeys, line)
			}
		}
	}
	if check.err != nil {
		return none, check.err
	}
	if meta.InstanceID == "" {
		return none, fmt.Errorf("the service knows of no instance id: %w", datasources.ErrNotReady)
	}
	return meta, nil
}

// isRouted says that a host may be anywhere: it is neither link-local nor this machine. fd00:ec2::254 is EC2's own
// address of the service on IPv6, and is not routed there.
func isRouted(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.IsLinkLocalUnicast() && !addr.IsLoopback() && addr != netip.MustParseAddr("fd00:ec2::254")
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
		return id, lying(document, text, "the JSON of an identity document")
	}
	return id, nil
}

var keyIndex = regexp.MustCompile(`^[0-9]{1,4}$`)

// keyPaths turns the list of keys, a line "0=name" for each, into what to ask for.
func keyPaths(list string) ([]string, error) {
	var paths []string
	for line := range strings.Lines(list) {
		index, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case index == "":
		case !keyIndex.MatchString(index):
			return nil, lying(publicKeys, line, "a key's number and name")
		case len(paths) == maxKeys:
			return nil, fmt.Errorf("%s: more than %d keys", publicKeys, maxKeys)
		default:
			paths = append(paths, publicKeys+index+"/openssh-key")
		}
	}
	return paths, nil
}

// checker keeps the first answer that cannot be what it should be.
type checker struct{ err error }

func (c *checker) lying(path, text, want string) {
	if c.err == nil {
		c.err = lying(path, text, want)
	}
}

func lying(path, text, want string) error {
	const shown = 40
	if len(text) > shown {
		text = text[:shown] + "..."
	}
	return fmt.Errorf("%s: %+q is not %s", path, text, want)
}

func (c *checker) ipv4(path, text string) string {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() || !usable(addr) {
		c.lying(path, text, "the IPv4 address of a machine")
	}
	return addr.String()
}

func (c *checker) ipv6(text string) netip.Addr {
	if text = strings.TrimSpace(text); text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || !usable(addr) {
		c.lying(ipv6, text, "the IPv6 address of a machine")
	}
	return addr
}

// usable says that an address can be that of a machine on its network.
func usable(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() // private addresses are, too
}

// isWord says that a text is of visible ASCII characters, from one to maxBytes of them.
func isWord(text string, maxBytes int) bool {
	return text != "" && len(text) <= maxBytes && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (c *checker) word(path, text string) string {
	if text = strings.TrimSpace(text); text != "" && !isWord(text, maxWordBytes) {
		c.lying(path, text, "one word")
	}
	return text
}

var host = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$`)
})

// hostname takes the first of several: a service with more than one network interface may give one for each.
func (c *checker) hostname(text string) string {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return ""
	}
	if len(fields[0]) > 253 || !host().MatchString(fields[0]) {
		c.lying(hostname, fields[0], "a hostname")
	}
	return strings.TrimSuffix(fields[0], ".")
}
