package azure

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/schema"
)

// found is what is known, and what the media may still say better.
type found struct {
	datasources.Data
	named bool // the hostname is the one that was asked for, and not the name of the resource
}

// answer is what we read of the metadata service's.
type answer struct {
	Compute struct {
		VMID      string `json:"vmId"`
		Name      string `json:"name"`
		Location  string `json:"location"`
		Zone      string `json:"zone"`
		VMSize    string `json:"vmSize"`
		UserData  string `json:"userData"`
		OSProfile struct {
			ComputerName  string `json:"computerName"`
			AdminUsername string `json:"adminUsername"`
		} `json:"osProfile"`
		PublicKeys []struct {
			KeyData string `json:"keyData"`
		} `json:"publicKeys"`
		TagsList []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"tagsList"`
	} `json:"compute"`
	Network json.RawMessage `json:"network"`
}

type network struct {
	Interface []struct {
		IPv4 addresses `json:"ipv4"`
		IPv6 addresses `json:"ipv6"`
	} `json:"interface"`
}

type addresses struct {
	IPAddress []struct {
		Private string `json:"privateIpAddress"`
		Public  string `json:"publicIpAddress"`
	} `json:"ipAddress"`
}

// decode reads the answer of the metadata service.
func decode(text []byte) (found, error) {
	var a answer
	var n network
	var c claims.Checker
	if json.Unmarshal(text, &a) != nil || a.Network != nil && json.Unmarshal(a.Network, &n) != nil {
		c.Unreadable("metadata/instance", "the JSON of an instance")
		return found{}, c.Err()
	}
	compute := &a.Compute
	var keys []string
	for _, k := range compute.PublicKeys {
		keys = append(keys, openSSH(k.KeyData))
	}
	meta := schema.Metadata{
		Version: 1, Datasource: "azure",
		InstanceID:   strings.ToLower(c.Word("vmId", compute.VMID)),
		Hostname:     c.Hostname("osProfile.computerName", compute.OSProfile.ComputerName),
		Region:       c.Word("location", compute.Location),
		Zone:         c.Word("zone", compute.Zone),
		InstanceType: c.Word("vmSize", compute.VMSize),
		SSHKeys:      c.Keys("publicKeys", keys),
	}
	takeAddresses(&c, &meta, n)
	userData, bad := unbase64(compute.UserData)
	if bad {
		c.Unreadable("userData", "base64")
	}
	if c.Err() != nil {
		return found{}, c.Err()
	}
	if meta.InstanceID == "" {
		return found{}, fmt.Errorf("metadata/instance: it has no vmId: %w", datasources.ErrNotReady)
	}
	f := found{Data: datasources.Data{Name: "user-data", Meta: meta, UserData: userData}, named: meta.Hostname != ""}
	if !f.named {
		// The name of the resource is a hostname in most cases; where it is none, there is none.
		var maybe claims.Checker
		if name := maybe.Hostname("name", compute.Name); maybe.Err() == nil && name == compute.Name {
			f.Meta.Hostname = name
		}
	}
	tags := make(map[string]any, len(compute.TagsList))
	for _, t := range compute.TagsList {
		tags[t.Name] = t.Value
	}
	f.Tree = map[string]any{"meta_data": map[string]any{
		"vm_id": meta.InstanceID, "name": compute.Name, "location": meta.Region, "zone": meta.Zone, "vm_size": meta.InstanceType, "tags": tags,
		"admin_username": compute.OSProfile.AdminUsername,
	}}
	if a.Network != nil {
		f.Network = []datasources.Document{{Name: "network-config", Kind: "azure", Bytes: a.Network}}
	}
	return f, nil
}

// takeAddresses takes the first of each kind, over all interfaces. All IPv6 addresses of a machine are private ones of
// its virtual network, though they may look global; public ones are translated.
func takeAddresses(c *claims.Checker, meta *schema.Metadata, n network) {
	for _, link := range n.Interface {
		for _, a := range link.IPv4.IPAddress {
			keep(&meta.PrivateIPv4, c.IPv4("privateIpAddress", a.Private))
			keep(&meta.PublicIPv4, c.IPv4("publicIpAddress", a.Public))
		}
		for _, a := range link.IPv6.IPAddress {
			if addr := c.IPv6("privateIpAddress", a.Private); addr.IsValid() {
				keep(&meta.PrivateIPv6, addr.String())
			}
			if addr := c.IPv6("publicIpAddress", a.Public); addr.IsValid() {
				keep(&meta.PublicIPv6, addr.String())
			}
		}
	}
}

func keep(have *string, text string) {
	if *have == "" {
		*have = text
	}
}

// openSSH is a key of that form, "" for a certificate, which would have to be turned into one.
func openSSH(key string) string {
	if strings.HasPrefix(strings.TrimSpace(key), "-----BEGIN") {
		return ""
	}
	return key
}

// unbase64 gives nil for an empty text. Blanks and line ends may stand anywhere in it.
func unbase64(text string) (data []byte, bad bool) {
	text = strings.Join(strings.Fields(text), "")
	if text == "" {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(text)
	return data, err != nil
}
