// Package digitalocean reads user-data and metadata from the metadata service of a DigitalOcean Droplet.
//
// Format: DigitalOcean, "Metadata API" (2026), https://docs.digitalocean.com/reference/api/metadata-api/; the two
// answers that coreos-cloudinit asked for.
package digitalocean

import (
	"context"
	"encoding/json"
	"fmt"

	"cloudconfig/datasources"
	"cloudconfig/datasources/answers"
	"cloudconfig/datasources/claims"
	"cloudconfig/schema"
)

// DefaultURL is where the service is.
const DefaultURL = "http://169.254.169.254"

// What is asked for. The whole of the metadata has the user-data, at most 64 KiB, and the vendor's in it.
const (
	everything       = "/metadata/v1.json"
	userData         = "/metadata/v1/user-data"
	maxMetadataBytes = 2 << 20
	maxUserDataBytes = 16 << 20
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means DefaultURL. The error says
// what is wrong with the URL.
func New(env datasources.Env, endpoint string) (datasources.Source, error) {
	s, err := answers.New(env, endpoint, DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	return &source{s}, nil
}

type source struct{ service *answers.Service }

// Name is "digitalocean".
func (*source) Name() string { return "digitalocean" }

// Fetch asks for everything by two requests at the same time. It wraps datasources.ErrAbsent if the service has no
// metadata of this form, and datasources.ErrNotReady if it should be asked again: only for what it did not answer. An
// answer that cannot be what it should be ends the search.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	all, late := s.service.Ask(ctx, answers.Question{Path: everything, MaxBytes: maxMetadataBytes},
		answers.Question{Path: userData, MaxBytes: maxUserDataBytes})
	switch {
	case all[0] == nil && late != nil:
		return datasources.Data{}, fmt.Errorf("digitalocean: %w", late)
	case all[0] == nil:
		return datasources.Data{}, fmt.Errorf("digitalocean: %s: %w", everything, datasources.ErrAbsent)
	}
	data, err := decode(all[0])
	if err != nil {
		return datasources.Data{}, fmt.Errorf("digitalocean: %w", err)
	}
	data.Routed = s.service.Routed
	if late != nil { // the metadata is there all the same
		data.UserData = nil
		return data, fmt.Errorf("digitalocean: %w", late)
	}
	s.service.Forget()
	if len(all[1]) > 0 {
		data.UserData = all[1]
	}
	return data, nil
}

// droplet is what we read of v1.json. Other things in it are secret, such as auth_key, and go nowhere.
type droplet struct {
	ID         json.Number     `json:"droplet_id"`
	Hostname   string          `json:"hostname"`
	Region     string          `json:"region"`
	PublicKeys []string        `json:"public_keys"`
	Tags       []string        `json:"tags"`
	Interfaces json.RawMessage `json:"interfaces"`
	DNS        json.RawMessage `json:"dns"`
	VendorData string          `json:"vendor_data"`
	UserData   string          `json:"user_data"`
}

// address is one of an interface's; of IPv4 there are two, one of them an anchor for addresses that move.
type address struct {
	IP string `json:"ip_address"`
}

type network struct {
	IPv4 address `json:"ipv4"`
	IPv6 address `json:"ipv6"`
}

func decode(text []byte) (datasources.Data, error) {
	var d droplet
	var interfaces struct{ Public, Private []network }
	if json.Unmarshal(text, &d) != nil || d.Interfaces != nil && json.Unmarshal(d.Interfaces, &interfaces) != nil {
		var c claims.Checker
		c.Unreadable(everything, "the JSON of a Droplet")
		return datasources.Data{}, c.Err()
	}
	var c claims.Checker
	meta := schema.Metadata{
		Version: 1, Datasource: "digitalocean",
		InstanceID: c.Word("droplet_id", d.ID.String()),
		Hostname:   c.Hostname("hostname", d.Hostname),
		Region:     c.Word("region", d.Region),
		SSHKeys:    c.Keys("public_keys", d.PublicKeys),
	}
	meta.PublicIPv4, meta.PublicIPv6 = first(&c, "interfaces.public", interfaces.Public)
	meta.PrivateIPv4, meta.PrivateIPv6 = first(&c, "interfaces.private", interfaces.Private)
	if c.Err() != nil {
		return datasources.Data{}, c.Err()
	}
	if meta.InstanceID == "" {
		return datasources.Data{}, fmt.Errorf("%s: it has no droplet_id: %w", everything, datasources.ErrNotReady)
	}
	data := datasources.Data{Name: "user-data", Meta: meta, Tree: map[string]any{"meta_data": map[string]any{
		"droplet_id": meta.InstanceID, "hostname": meta.Hostname, "region": meta.Region, "tags": list(d.Tags), "public_keys": list(meta.SSHKeys),
	}}}
	if d.UserData != "" {
		data.UserData = []byte(d.UserData)
	}
	if d.VendorData != "" {
		data.Vendor = []datasources.Document{{Name: "vendor-data", Bytes: []byte(d.VendorData)}}
	}
	if d.Interfaces != nil {
		text, err := json.Marshal(map[string]json.RawMessage{"interfaces": d.Interfaces, "dns": orNull(d.DNS)})
		if err != nil {
			return datasources.Data{}, err
		}
		data.Network = []datasources.Document{{Name: "network-config", Kind: "digitalocean", Bytes: text}}
	}
	return data, nil
}

// first is the first address of each family.
func first(c *claims.Checker, what string, all []network) (v4, v6 string) {
	for _, n := range all {
		if v4 == "" {
			v4 = c.IPv4(what+".ipv4", n.IPv4.IP)
		}
		if a := c.IPv6(what+".ipv6", n.IPv6.IP); v6 == "" && a.IsValid() {
			v6 = a.String()
		}
	}
	return v4, v6
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

func list(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}
