package nocloud

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/machine"
	"cloudconfig/datasources/value"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// The files of a seed.
const (
	userData      = "user-data"
	metaData      = "meta-data"
	vendorData    = "vendor-data"
	networkConfig = "network-config"
)

func names() []string { return []string{userData, metaData, vendorData, networkConfig} }

// files are those of a seed by their names; nil is not there.
type files map[string][]byte

// maxMetaData is the largest meta-data that is taken, which is an id, a name and a few keys.
const maxMetaData = 1 << 20

// decode makes the data of a seed's files.
func (s *datasource) decode(f files) (datasources.Data, error) {
	for _, name := range []string{userData, metaData} {
		if f[name] == nil {
			return datasources.Data{}, fmt.Errorf("the seed has no %s: %w", name, datasources.ErrAbsent)
		}
	}
	data := datasources.Data{Name: userData, Meta: schema.Metadata{Version: 1, Datasource: "nocloud"}}
	if len(f[userData]) > 0 {
		data.UserData = f[userData]
	}
	if len(bytes.TrimSpace(f[vendorData])) > 0 {
		data.Vendor = []datasources.Document{{Name: vendorData, Bytes: f[vendorData]}}
	}
	if len(bytes.TrimSpace(f[networkConfig])) > 0 {
		data.Network = []datasources.Document{{Name: networkConfig, Kind: "cloud-init", Bytes: f[networkConfig]}}
	}
	tree, err := parse(f[metaData])
	if err != nil {
		return datasources.Data{}, err
	}
	err = s.describe(&data, tree)
	return data, err
}

// parse reads meta-data, which is YAML, and so may be JSON. Nothing of its text is in the error.
func parse(text []byte) (*yamltree.Node, error) {
	if len(text) > maxMetaData {
		return nil, fmt.Errorf("%s: larger than %d KiB", metaData, maxMetaData>>10)
	}
	tree, found := yamltree.Parse(&source.File{Name: metaData, Bytes: text})
	for _, d := range found {
		if d.Severity == diag.Error {
			return nil, fmt.Errorf("%s:%d:%d: %s [%s]", metaData, d.Subject.Start.Line, d.Subject.Start.Column, d.Rule.Title, d.Rule.ID)
		}
	}
	switch {
	case tree == nil:
		return nil, errors.New("internal error: neither a tree nor a finding")
	case tree.Kind == yamltree.Null:
		return nil, nil
	case tree.Kind != yamltree.Mapping:
		return nil, fmt.Errorf("%s: not a mapping", metaData)
	}
	return tree, nil
}

// describe takes what meta-data says of the machine, and what counts more than that.
func (s *datasource) describe(data *datasources.Data, tree *yamltree.Node) error {
	var check claims.Checker
	text := func(keys ...string) string {
		for _, key := range keys {
			switch n := tree.Get(key); {
			case n == nil || n.Kind == yamltree.Null:
			case n.Kind == yamltree.Scalar:
				return n.Value
			default:
				check.Unreadable(metaData+": "+key, "a text")
			}
		}
		return ""
	}
	word := func(keys ...string) string { return check.Word(metaData+": "+keys[0], text(keys...)) }
	meta := &data.Meta
	meta.InstanceID = word("instance-id", "instance_id")
	if s.instanceID != "" {
		meta.InstanceID = check.Word("i=", s.instanceID)
	}
	meta.Hostname = check.Hostname(metaData+": local-hostname", text("local-hostname", "local_hostname", "hostname"))
	if s.hostname != "" {
		meta.Hostname = check.Hostname("h=", s.hostname)
	}
	meta.Region, meta.Zone, meta.InstanceType = word("region"), word("availability-zone", "availability_zone"), word("instance-type", "instance_type")
	meta.PrivateIPv4 = check.IPv4(metaData+": local-ipv4", text("local-ipv4", "local_ipv4"))
	meta.PublicIPv4 = check.IPv4(metaData+": public-ipv4", text("public-ipv4", "public_ipv4"))
	for _, key := range []string{"public-keys", "public_keys"} {
		meta.SSHKeys = append(meta.SSHKeys, check.Keys(metaData+": "+key, value.KeyTexts(value.Tree(tree.Get(key))))...)
	}
	if interfaces := text("network-interfaces", "network_interfaces"); strings.TrimSpace(interfaces) != "" {
		data.Network = append(data.Network, datasources.Document{Name: networkConfig, Kind: "debian", Bytes: []byte(interfaces)})
	}
	if tree != nil {
		data.Tree = map[string]any{"meta_data": value.Tree(tree)}
	}
	return check.Err()
}

// expand puts what the firmware says in the place of __dmi.NAME__. In a URL it is escaped; a text that a vendor left
// where nothing was filled in is empty. A name that is not known is an error.
// Source: cloud-init, cloudinit/dmi.py sub_dmi_vars (24.1).
func expand(seed string, d machine.DMI) (string, error) {
	const begin, end = "__dmi.", "__"
	isURL := strings.Contains(seed, "://")
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(seed, begin)
		name, after, closed := strings.Cut(rest, end)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		text, known := lookup(d, name)
		if !closed || !known {
			return "", errors.New("the seed has a variable __dmi.NAME__ that is not known")
		}
		text = machine.Real(text)
		switch {
		case isURL:
			b.WriteString(escape(text))
		case strings.ContainsAny(text, "/\x00") || text == "..":
			return "", errors.New("what the firmware says is no part of a path")
		default:
			b.WriteString(text)
		}
		seed = after
	}
}

// escape writes a text so that it is one word of a URL, be it in the path or in the query.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func lookup(d machine.DMI, name string) (string, bool) {
	switch name {
	case "baseboard-asset-tag":
		return d.BoardAssetTag, true
	case "baseboard-manufacturer":
		return d.BoardVendor, true
	case "baseboard-product-name":
		return d.BoardName, true
	case "baseboard-serial-number":
		return d.BoardSerial, true
	case "baseboard-version":
		return d.BoardVersion, true
	case "bios-release-date":
		return d.BIOSDate, true
	case "bios-vendor":
		return d.BIOSVendor, true
	case "bios-version":
		return d.BIOSVersion, true
	case "chassis-asset-tag":
		return d.ChassisAssetTag, true
	case "chassis-manufacturer":
		return d.ChassisVendor, true
	case "chassis-serial-number":
		return d.ChassisSerial, true
	case "chassis-version":
		return d.ChassisVersion, true
	case "system-manufacturer":
		return d.SystemVendor, true
	case "system-product-name":
		return d.ProductName, true
	case "system-serial-number":
		return d.ProductSerial, true
	case "system-uuid":
		return d.ProductUUID, true
	case "system-version":
		return d.ProductVersion, true
	}
	return "", false
}

func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLinkLocalUnicast() || addr.IsLoopback())
}
