// Package hetzner reads user-data and metadata from the metadata service of a server of Hetzner Cloud.
//
// Format: Hetzner Cloud API, "Server Metadata" (2026), https://docs.hetzner.cloud/reference/cloud#server-metadata;
// cloud-init, DataSourceHetzner.py at 007b2dabb; afterburn, src/providers/hetzner at 35abd4728.
package hetzner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/answers"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/value"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// DefaultURL is where the service is. It has no address on IPv6, and answers at this one on servers without IPv4 too.
const DefaultURL = "http://169.254.169.254"

const (
	metadata         = "/hetzner/v1/metadata"
	privateNetworks  = "/hetzner/v1/metadata/private-networks"
	userData         = "/hetzner/v1/userdata"
	maxMetadataBytes = 1 << 20
	maxUserDataBytes = 16 << 20
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means DefaultURL. The error says
// what is wrong with the URL.
func New(env datasources.Env, endpoint string) (datasources.Source, error) {
	s, err := answers.New(env, endpoint, DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	return &hetzner{s}, nil
}

type hetzner struct{ service *answers.Service }

// Name is "hetzner".
func (*hetzner) Name() string { return "hetzner" }

// Fetch asks for everything by three requests at the same time. It wraps datasources.ErrAbsent if there is no metadata
// of this form, and datasources.ErrNotReady if it should be asked again: only for what was not answered. An answer that
// cannot be what it should be ends the search. User-data is often in base64, since the platform takes nothing but text.
func (s *hetzner) Fetch(ctx context.Context) (datasources.Data, error) {
	all, late := s.service.Ask(ctx, answers.Question{Path: metadata, MaxBytes: maxMetadataBytes},
		answers.Question{Path: privateNetworks, MaxBytes: maxMetadataBytes}, answers.Question{Path: userData, MaxBytes: maxUserDataBytes})
	switch {
	case all[0] == nil && late != nil:
		return datasources.Data{}, fmt.Errorf("hetzner: %w", late)
	case all[0] == nil:
		return datasources.Data{}, fmt.Errorf("hetzner: %s: %w", metadata, datasources.ErrAbsent)
	}
	data, err := decode(all[0], all[1])
	if err != nil {
		return datasources.Data{}, fmt.Errorf("hetzner: %w", err)
	}
	data.Routed = s.service.Routed
	if late != nil { // the metadata is there all the same
		return data, fmt.Errorf("hetzner: %w", late)
	}
	s.service.Forget()
	if len(all[2]) > 0 {
		data.UserData = all[2]
	}
	return data, nil
}

// decode reads the metadata, and the list of private networks, which may be empty.
func decode(text, networks []byte) (datasources.Data, error) {
	var c claims.Checker
	doc := parse(&c, metadata, text, yamltree.Mapping)
	private := parse(&c, privateNetworks, networks, yamltree.Sequence)
	if c.Err() != nil {
		return datasources.Data{}, c.Err()
	}
	meta := schema.Metadata{
		Version: 1, Datasource: "hetzner",
		InstanceID: c.Word("instance-id", scalar(doc, "instance-id")),
		Hostname:   c.Hostname("hostname", scalar(doc, "hostname")),
		Region:     c.Word("region", scalar(doc, "region")),
		Zone:       c.Word("availability-zone", scalar(doc, "availability-zone")),
		PublicIPv4: c.IPv4("public-ipv4", scalar(doc, "public-ipv4")),
		PublicIPv6: publicIPv6(&c, doc.Get("network-config")),
		SSHKeys:    c.Keys("public-keys", texts(doc.Get("public-keys"))),
	}
	if private != nil && len(private.Items) > 0 {
		meta.PrivateIPv4 = c.IPv4("private-networks", scalar(private.Items[0], "ip"))
	}
	if c.Err() != nil {
		return datasources.Data{}, c.Err()
	}
	if meta.InstanceID == "" {
		return datasources.Data{}, fmt.Errorf("%s: it has no instance-id: %w", metadata, datasources.ErrNotReady)
	}
	data := datasources.Data{Name: "user-data", Meta: meta}
	if vendor := scalar(doc, "vendor_data"); vendor != "" {
		data.Vendor = []datasources.Document{{Name: "vendor-data", Bytes: []byte(vendor)}}
	}
	network := map[string]any{}
	if n := doc.Get("network-config"); n != nil && n.Kind == yamltree.Mapping {
		network["network-config"] = value.Tree(n)
	}
	if private != nil && len(private.Items) > 0 {
		network["private-networks"] = value.Tree(private)
	}
	if len(network) > 0 {
		text, err := json.Marshal(network)
		if err != nil {
			return datasources.Data{}, fmt.Errorf("network-config: %w", err)
		}
		data.Network = []datasources.Document{{Name: "network-config", Kind: "hetzner", Bytes: text}}
	}
	tree, _ := value.Tree(doc).(map[string]any)
	delete(tree, "vendor_data")
	data.Tree = map[string]any{"meta_data": tree}
	return data, nil
}

// parse reads a document of a kind; nil if it is empty.
func parse(c *claims.Checker, name string, text []byte, kind yamltree.Kind) *yamltree.Node {
	n, found := yamltree.Parse(&source.File{Name: name, Bytes: text})
	switch {
	case n != nil && n.Kind == yamltree.Null && kind == yamltree.Sequence:
		return nil
	case n == nil || n.Kind != kind || found.HasErrors():
		c.Unreadable(name, "the YAML of a server")
		return nil
	}
	return n
}

// scalar is the text of a key, "" if it is none.
func scalar(n *yamltree.Node, key string) string {
	if n = n.Get(key); n == nil || n.Kind != yamltree.Scalar {
		return ""
	}
	return n.Value
}

func texts(n *yamltree.Node) []string {
	var all []string
	if n != nil {
		for _, item := range n.Items {
			all = append(all, item.Value)
		}
	}
	return all
}

// publicIPv6 is the first static IPv6 address of a network interface, in a description that is almost cloud-init's.
func publicIPv6(c *claims.Checker, n *yamltree.Node) string {
	config := n.Get("config")
	if config == nil {
		return ""
	}
	for _, link := range config.Items {
		subnets := link.Get("subnets")
		if scalar(link, "type") != "physical" || subnets == nil {
			continue
		}
		for _, subnet := range subnets.Items {
			if scalar(subnet, "ipv6") == "true" {
				address, _, _ := strings.Cut(scalar(subnet, "address"), "/")
				if a := c.IPv6("network-config address", address); a.IsValid() {
					return a.String()
				}
			}
		}
	}
	return ""
}
