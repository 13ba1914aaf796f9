// Package openstack reads user-data and metadata from OpenStack's metadata service, and decodes the files that the service
// and a configuration drive have alike.
//
// [New] makes the datasource of the service. Package configdrive reads the drive and gives its files to [Decode].
//
// Format: OpenStack Nova, "Metadata" (administrator and user guides, 2026) and nova/api/metadata/base.py;
// https://docs.openstack.org/nova/latest/user/metadata.html.
package openstack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/value"
	"cloudconfig/schema"
)

// Latest is the version that a tree without any known one may still have.
const Latest = "latest"

// Version is the newest of the versions that a tree has which is known here, so that a format still to be invented is no
// surprise; Latest if it has no other, "" if it has not even that.
func Version(has []string) string {
	// Source: nova/api/metadata/base.py OPENSTACK_VERSIONS (2025.2).
	known := []string{"2025-04-04", "2020-10-14", "2018-08-27", "2017-02-22", "2016-10-06", "2016-06-30", "2015-10-15", "2013-10-17", "2013-04-04", "2012-08-10", Latest}
	there := map[string]bool{}
	for _, v := range has {
		there[v] = true
	}
	for _, v := range known {
		if there[v] {
			return v
		}
	}
	return ""
}

// Files is what a tree of one version has. What is nil is not there.
type Files struct {
	MetaData, UserData, NetworkData, VendorData, VendorData2 []byte
	// Content gives a file below "openstack", by its path there: "content/0000".
	Content func(path string) ([]byte, error)
	// EC2 is what only the EC2 tree beside it says.
	EC2 EC2
}

// EC2 is what the EC2 tree says of an instance. A text that is "" is not there.
type EC2 struct{ LocalIPv4, PublicIPv4, InstanceType string }

// maxJSON is the largest meta_data.json and network_data.json that is taken; those of an instance are a few KiB.
const maxJSON = 1 << 20

// Decode makes a source's data of the files. The error names the file that cannot be what it should be; none of
// its text is in it but a few bytes of a value that is no secret. A password of the administrator's is dropped.
func Decode(datasource string, f Files) (datasources.Data, error) {
	d := &decoder{data: datasources.Data{Name: "user-data", Meta: schema.Metadata{Version: 1, Datasource: datasource}}}
	if len(f.UserData) > 0 {
		d.data.UserData = f.UserData
	}
	var config string
	if f.MetaData != nil {
		config = d.metaData(f.MetaData)
	}
	d.ec2(f.EC2)
	if f.NetworkData != nil {
		d.networkData(f.NetworkData)
	}
	for _, v := range []struct {
		name string
		text []byte
	}{{"vendor_data.json", f.VendorData}, {"vendor_data2.json", f.VendorData2}} {
		if v.text != nil {
			d.vendorData(v.name, v.text)
		}
	}
	if config != "" && f.Content != nil && d.err() == nil {
		d.content(config, f.Content)
	}
	if err := d.err(); err != nil {
		return datasources.Data{}, err
	}
	return d.data, nil
}

type decoder struct {
	data  datasources.Data
	check claims.Checker
}

func (d *decoder) err() error { return d.check.Err() }

func (d *decoder) fail(err error) {
	d.check.Fail(err)
}

func (d *decoder) note(format string, args ...any) {
	d.data.Notes = append(d.data.Notes, fmt.Sprintf(format, args...))
}

// metaData takes meta_data.json, and gives the content_path of its network_config, "" if it has none.
func (d *decoder) metaData(text []byte) (config string) {
	const file = "meta_data.json"
	v, err := parseSmall(file, text)
	if err != nil {
		d.fail(err)
		return ""
	}
	m, ok := v.(map[string]any)
	if !ok {
		d.fail(fmt.Errorf("%s: not a mapping", file))
		return ""
	}
	word := func(key string) string { return d.check.Word(file+": "+key, d.text(file, m, key)) }
	meta := &d.data.Meta
	meta.InstanceID, meta.Zone = word("uuid"), word("availability_zone")
	meta.Hostname = d.check.Hostname(file+": hostname", d.text(file, m, "hostname"))
	if name := d.text(file, m, "name"); meta.Hostname == "" {
		var free claims.Checker // a display name may be any text
		if name = free.Hostname("", name); free.Err() == nil {
			meta.Hostname = name
		}
	}
	meta.SSHKeys = d.keys(file, m)
	meta.Tags = tags(m["meta"])
	if files, _ := m["files"].([]any); len(files) > 0 {
		d.note("%d files that the instance was made with are not written: use write_files", len(files))
	}
	if c, ok := m["network_config"].(map[string]any); ok {
		config = d.text(file, c, "content_path")
	}
	// Neither a password nor random bytes are for templates.
	delete(m, "admin_pass")
	delete(m, "random_seed")
	d.data.Tree = map[string]any{"meta_data": m}
	return config
}

// tags are what the owner had the instance made with (--property key=value), up to 128 of them, as many as Nova takes.
func tags(v any) map[string]string {
	m, _ := v.(map[string]any)
	const maxTags = 128
	if len(m) == 0 || len(m) > maxTags {
		return nil
	}
	all := map[string]string{}
	for key, v := range m {
		if text, ok := v.(string); ok {
			all[key] = text
		}
	}
	return all
}

// text is a value that may be missing or null, and is a text or a number otherwise.
func (d *decoder) text(file string, m map[string]any, key string) string {
	switch v := m[key].(type) {
	case nil:
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		d.fail(fmt.Errorf("%s: %s is not a text", file, key))
	}
	return ""
}

// keys is public_keys, and those of keys that it does not have; a certificate for Windows is no SSH key.
func (d *decoder) keys(file string, m map[string]any) []string {
	texts := value.KeyTexts(m["public_keys"])
	list, _ := m["keys"].([]any)
	for _, item := range list {
		key, _ := item.(map[string]any)
		if kind, _ := key["type"].(string); kind == "ssh" {
			texts = append(texts, value.KeyTexts(key["data"])...)
		}
	}
	var keys []string
	have := map[string]bool{}
	for _, key := range d.check.Keys(file+": public_keys", texts) {
		if !have[key] {
			keys = append(keys, key)
		}
		have[key] = true
	}
	return keys
}

func (d *decoder) ec2(e EC2) {
	meta := &d.data.Meta
	meta.PrivateIPv4 = d.check.IPv4("local-ipv4", first(e.LocalIPv4))
	meta.PublicIPv4 = d.check.IPv4("public-ipv4", first(e.PublicIPv4))
	meta.InstanceType = d.check.Word("instance-type", e.InstanceType)
}

// first is the first of several addresses: a machine with more than one network has them all in one line.
func first(list string) string {
	for _, one := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r <= ' ' }) {
		return one
	}
	return ""
}

// networkData takes network_data.json as it is, unless there is nothing in it.
func (d *decoder) networkData(text []byte) {
	v, err := parseSmall("network_data.json", text)
	if err != nil {
		d.fail(err)
		return
	}
	if m, ok := v.(map[string]any); ok && len(m) > 0 {
		d.data.Network = append(d.data.Network, datasources.Document{Name: "network-config", Kind: "openstack", Bytes: text})
	}
}

// vendorData takes what is meant for cloud-init: a text, a list of them, or "cloud-init" of a mapping, which is one of
// the two. Anything else is somebody else's. Rackspace has a description of the network there.
// Source: cloud-init, cloudinit/sources/__init__.py convert_vendordata (24.1).
func (d *decoder) vendorData(file string, text []byte) {
	v, err := ParseJSON(file, text)
	if err != nil {
		d.fail(err)
		return
	}
	if m, ok := v.(map[string]any); ok {
		var raw struct {
			NetworkInfo json.RawMessage `json:"network_info"`
		}
		if _, is := m["network_info"].(map[string]any); is && json.Unmarshal(text, &raw) == nil {
			d.data.Network = append(d.data.Network, datasources.Document{Name: "network-config", Kind: "rackspace", Bytes: raw.NetworkInfo})
		}
		if v = m["cloud-init"]; v == nil {
			return
		}
	}
	switch v := v.(type) {
	case nil:
	case string:
		d.vendor(v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				d.vendor(text)
			} else {
				d.note("%s has something in its list that is no text; it is not used", file)
			}
		}
	default:
		d.note("%s has neither a text nor a list of them for cloud-init; it is not used", file)
	}
}

func (d *decoder) vendor(text string) {
	if text == "" {
		return
	}
	name := "vendor-data"
	if n := len(d.data.Vendor); n > 0 {
		name = fmt.Sprintf("vendor-data %d", n+1)
	}
	d.data.Vendor = append(d.data.Vendor, datasources.Document{Name: name, Bytes: []byte(text)})
}

// content takes the file that network_config names: Debian's interfaces.
func (d *decoder) content(path string, read func(string) ([]byte, error)) {
	path = strings.TrimLeft(path, "/")
	if !fs.ValidPath(path) || path == "." || strings.ContainsAny(path, "\\%?#") {
		d.fail(errors.New("meta_data.json: the content_path of network_config leads out of its tree"))
		return
	}
	text, err := read(path)
	if err != nil {
		d.fail(fmt.Errorf("meta_data.json: network_config: %w", err))
		return
	}
	if len(bytes.TrimSpace(text)) > 0 {
		d.data.Network = append(d.data.Network, datasources.Document{Name: "network-config", Kind: "debian", Bytes: text})
	}
}

// parseSmall is ParseJSON of a file that is never large.
func parseSmall(file string, text []byte) (any, error) {
	if len(text) > maxJSON {
		return nil, fmt.Errorf("%s: larger than %d KiB", file, maxJSON>>10)
	}
	return ParseJSON(file, text)
}

// ParseJSON reads a file of one JSON value, whose numbers it keeps as json.Number. The error names the file and the
// place, and has nothing of its text.
func ParseJSON(file string, text []byte) (any, error) {
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("%s: it is empty", file)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		return nil, fmt.Errorf("%s: there is more after its JSON, from byte %d on", file, decoder.InputOffset())
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s: it is not JSON from byte %d on", file, syntax.Offset)
	}
	return nil, fmt.Errorf("%s: its JSON ends too soon", file)
}
