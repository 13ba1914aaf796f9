// Package gce reads user-data and metadata from the metadata server of Google Compute Engine.
//
// Format: Google Cloud, Compute Engine documentation, "About VM metadata", "View and query VM metadata" and "Predefined
// metadata keys" (2026); https://cloud.google.com/compute/docs/metadata/overview.
package gce

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/endpoint"
	"cloudconfig/schema"
)

// DefaultURL is where the server is. Google says that the address is as stable as the name.
const DefaultURL = "http://169.254.169.254"

// What is asked for, below /computeMetadata/v1. A place that ends in a slash gives all that is below it in one answer.
const (
	instancePath = "instance/?recursive=true&alt=json"
	projectPath  = "project/attributes/?recursive=true&alt=json"
)

// New makes the datasource of the server at a URL, which is a scheme and a host; "" means DefaultURL, and so does the
// server's name, since no resolver is to be asked. The error says what is wrong with the URL.
func New(env datasources.Env, address string) (datasources.Source, error) {
	if u, err := url.Parse(address); address == "" || err == nil && u.Host == "metadata.google.internal" {
		address = DefaultURL
	}
	base, routed, err := endpoint.Parse(address)
	if err != nil {
		return nil, err
	}
	now := env.Now
	if now == nil {
		now = time.Now
	}
	return &source{server: newServer(env, base), routed: routed, now: now}, nil
}

type source struct {
	server *server
	routed bool // the server is at another address than a link-local one
	now    func() time.Time
}

// Name is "gce".
func (*source) Name() string { return "gce" }

// Fetch makes two requests at the same time: for the instance, and for the attributes of its project. An instance that
// is 404 is another platform's. An answer without "Metadata-Flavor: Google" is a stranger's and counts for nothing.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	text, err := s.server.ask(ctx, instancePath, projectPath)
	if err != nil {
		return datasources.Data{}, fmt.Errorf("gce: %w", err)
	}
	if text[instancePath] == "" {
		return datasources.Data{}, fmt.Errorf("gce: the server knows of no instance: %w", datasources.ErrAbsent)
	}
	data, err := read(text[instancePath], text[projectPath], s.now())
	if err != nil {
		return data, fmt.Errorf("gce: %w", err)
	}
	s.server.forget()
	data.Routed = s.routed
	return data, nil
}

// instance is what we read of an instance.
type instance struct {
	ID          json.Number       `json:"id"`
	Hostname    string            `json:"hostname"`
	Zone        string            `json:"zone"`        // projects/NUMBER/zones/us-central1-a
	MachineType string            `json:"machineType"` // projects/NUMBER/machineTypes/e2-micro
	Attributes  map[string]string `json:"attributes"`
	Interfaces  json.RawMessage   `json:"networkInterfaces"`
}

type network struct {
	IP            string   `json:"ip"`
	IPv6s         []string `json:"ipv6s"`
	AccessConfigs []struct {
		ExternalIP string `json:"externalIp"`
	} `json:"accessConfigs"`
}

// read makes sense of the two answers; project may be "". With an error there may be data all the same: everything but
// user-data that cannot be decoded. No error holds a word of the attributes, in which people keep secrets.
func read(instanceText, projectText string, now time.Time) (datasources.Data, error) {
	var i instance
	var networks []network
	project := map[string]string{}
	if json.Unmarshal([]byte(instanceText), &i) != nil || i.Interfaces != nil && json.Unmarshal(i.Interfaces, &networks) != nil {
		return datasources.Data{}, errors.New("instance: the answer is not the JSON of an instance")
	}
	if projectText != "" && json.Unmarshal([]byte(projectText), &project) != nil {
		return datasources.Data{}, errors.New("project/attributes: the answer is not the JSON of attributes")
	}

	var check claims.Checker
	zone := check.Word("instance/zone", last(i.Zone))
	region := ""
	if n := strings.LastIndexByte(zone, '-'); n > 0 {
		region = zone[:n]
	}
	meta := schema.Metadata{
		Version:      1,
		Datasource:   "gce",
		InstanceID:   check.Word("instance/id", i.ID.String()),
		Hostname:     check.Hostname("instance/hostname", i.Hostname),
		Region:       region,
		Zone:         zone,
		InstanceType: check.Word("instance/machine-type", last(i.MachineType)),
	}
	if len(networks) > 0 {
		first := networks[0]
		meta.PrivateIPv4 = check.IPv4("instance/network-interfaces/0/ip", first.IP)
		if len(first.AccessConfigs) > 0 {
			meta.PublicIPv4 = check.IPv4("instance/network-interfaces/0/access-configs/0/external-ip", first.AccessConfigs[0].ExternalIP)
		}
		if len(first.IPv6s) > 0 {
			if addr := check.IPv6("instance/network-interfaces/0/ipv6s", first.IPv6s[0]); addr.IsPrivate() {
				meta.PrivateIPv6 = addr.String()
			} else if addr.IsValid() {
				meta.PublicIPv6 = addr.String()
			}
		}
	}
	keys := sshKeys(i.Attributes, project, now)
	meta.SSHKeys = keys.list
	if err := errors.Join(check.Err(), keys.err); err != nil {
		return datasources.Data{}, err
	}
	if meta.InstanceID == "" {
		return datasources.Data{}, fmt.Errorf("the server knows of no instance id: %w", datasources.ErrNotReady)
	}

	data := datasources.Data{Name: "user-data", Meta: meta, Notes: keys.notes(), Tree: tree(instanceText, project)}
	if len(networks) > 0 {
		data.Network = []datasources.Document{{Name: "network-interfaces", Kind: "gce", Bytes: i.Interfaces}}
	}
	var err error
	data.UserData, err = userData(i.Attributes)
	return data, err
}

// last is what stands behind the last slash of a resource's name.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func userData(attributes map[string]string) ([]byte, error) {
	text := attributes["user-data"]
	switch encoding := attributes["user-data-encoding"]; {
	case text == "":
		return nil, nil
	case encoding == "":
		return []byte(text), nil
	case encoding != "base64":
		return nil, claims.Wrong("user-data-encoding", encoding, `"base64", the only one there is`)
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("user-data: it is not base64, as user-data-encoding says")
	}
	return decoded, nil
}

// tree is what the server said, by its own names, for templates; user-data itself is not in it.
func tree(instanceText string, project map[string]string) map[string]any {
	var instance map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(instanceText)))
	d.UseNumber() // ids have more digits than a float64
	if d.Decode(&instance) != nil {
		return nil
	}
	if attributes, ok := instance["attributes"].(map[string]any); ok {
		delete(attributes, "user-data")
	}
	attributes := make(map[string]any, len(project))
	for name, value := range project {
		attributes[name] = value
	}
	return map[string]any{"meta_data": map[string]any{"instance": instance, "project": map[string]any{"attributes": attributes}}}
}
