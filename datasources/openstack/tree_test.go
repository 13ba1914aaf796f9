package openstack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/openstack"
	"cloudconfig/schema"
)

func content(path string) ([]byte, error) {
	if path == "content/0000" {
		return []byte("iface eth0 inet dhcp\n"), nil
	}
	return nil, fmt.Errorf("read %s: %w", path, fs.ErrNotExist)
}

func TestDecode(t *testing.T) {
	type files = openstack.Files
	document := func(kind, text string) []datasources.Document {
		return []datasources.Document{{Name: "network-config", Kind: kind, Bytes: []byte(text)}}
	}
	for _, tt := range []struct {
		name  string
		files files
		want  datasources.Data // without what is the same for all
		err   string
	}{
		{name: "nothing at all"},
		{name: "empty user-data is none", files: files{UserData: []byte{}}},
		{name: "values that are null", files: files{MetaData: []byte(`{"uuid": "u-1", "hostname": null, "public_keys": null, "keys": null, "meta": null, "files": null, "network_config": null}`)},
			want: datasources.Data{Meta: schema.Metadata{InstanceID: "u-1"}}},
		{name: "a name in place of a hostname", files: files{MetaData: []byte(`{"name": "web1"}`)}, want: datasources.Data{Meta: schema.Metadata{Hostname: "web1"}}},
		{name: "a name that is no hostname", files: files{MetaData: []byte(`{"name": "my web / 1"}`)}},
		{name: "keys of both forms, each once, in the order of their names", files: files{MetaData: []byte(`{"public_keys": {"b": "ssh-rsa B\n", "a": "ssh-rsa A\nssh-rsa A2\n"},
			"keys": [{"name": "a", "type": "ssh", "data": "ssh-rsa A"}, {"name": "w", "type": "x509", "data": "-----BEGIN"}, {"name": "c", "type": "ssh", "data": "ssh-rsa C"}, 7]}`)},
			want: datasources.Data{Meta: schema.Metadata{SSHKeys: []string{"ssh-rsa A", "ssh-rsa A2", "ssh-rsa B", "ssh-rsa C"}}}},
		{name: "files that the instance was made with", files: files{MetaData: []byte(`{"files": [{"path": "/etc/motd", "content_path": "/content/0001"}]}`)},
			want: datasources.Data{Notes: []string{"1 files that the instance was made with are not written: use write_files"}}},
		{name: "addresses", files: files{EC2: openstack.EC2{LocalIPv4: "10.0.0.5,10.0.1.5\n", PublicIPv4: " ", InstanceType: "m1.small\n"}},
			want: datasources.Data{Meta: schema.Metadata{PrivateIPv4: "10.0.0.5", InstanceType: "m1.small"}}},
		{name: "Rackspace's network", files: files{VendorData: []byte(`{"region": "DFW", "network_info": {"links": [ ]}}`)}, want: datasources.Data{Network: document("rackspace", `{"links": [ ]}`)}},
		{name: "Debian's interfaces", files: files{MetaData: []byte(`{"network_config": {"content_path": "/content/0000"}}`), Content: content}, want: datasources.Data{Network: document("debian", "iface eth0 inet dhcp\n")}},
		{name: "vendor data that is a text", files: files{VendorData: []byte(`"#cloud-config\n"`)}, want: datasources.Data{Vendor: []datasources.Document{{Name: "vendor-data", Bytes: []byte("#cloud-config\n")}}}},
		{name: "vendor data for others", files: files{VendorData: []byte(`{"static": {"x": 1}}`), VendorData2: []byte(`null`)}},
		{name: "vendor data of another form", files: files{VendorData: []byte(`{"cloud-init": {"x": 1}}`), VendorData2: []byte(`["", 7]`)},
			want: datasources.Data{Notes: []string{"vendor_data.json has neither a text nor a list of them for cloud-init; it is not used", "vendor_data2.json has something in its list that is no text; it is not used"}}},
		{name: "a network without anything", files: files{NetworkData: []byte(" {}\n")}},
		{name: "a byte order mark", files: files{MetaData: []byte("\xEF\xBB\xBF{\"uuid\": \"u-1\"}")}, want: datasources.Data{Meta: schema.Metadata{InstanceID: "u-1"}}},

		{name: "no byte", files: files{MetaData: []byte{}}, err: "meta_data.json: it is empty"},
		{name: "cut short", files: files{MetaData: []byte(`{"uuid": "s3cret`)}, err: "meta_data.json: its JSON ends too soon"},
		{name: "not JSON", files: files{MetaData: []byte(`uuid: s3cret`)}, err: "meta_data.json: it is not JSON from byte 1 on"},
		{name: "more than JSON", files: files{MetaData: []byte("{}\n{}")}, err: "meta_data.json: there is more after its JSON"},
		{name: "a list", files: files{MetaData: []byte(`[]`)}, err: "meta_data.json: not a mapping"},
		{name: "a hostname that is a list", files: files{MetaData: []byte(`{"hostname": ["a"]}`)}, err: "meta_data.json: hostname is not a text"},
		{name: "a hostname that is a path", files: files{MetaData: []byte(`{"hostname": "../etc"}`)}, err: `meta_data.json: hostname: "../etc" is not a hostname`},
		{name: "an id of two words", files: files{MetaData: []byte(`{"uuid": "a b"}`)}, err: `meta_data.json: uuid: "a b" is not one word`},
		{name: "an address that is none", files: files{EC2: openstack.EC2{LocalIPv4: "10.0.0.256"}}, err: "local-ipv4"},
		{name: "more keys than anyone has", files: files{MetaData: []byte(`{"public_keys": {"a": "` + strings.Repeat(`k\n`, 65) + `"}}`)}, err: "public_keys: more than 64 keys"},
		{name: "large metadata", files: files{MetaData: []byte(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)}, err: "meta_data.json: larger than 1024 KiB"},
		{name: "large description of the network", files: files{NetworkData: []byte(`{"a": "` + strings.Repeat("x", 1<<20) + `"}`)}, err: "network_data.json: larger than 1024 KiB"},
		{name: "a network that is not JSON", files: files{NetworkData: []byte("version: 2")}, err: "network_data.json: it is not JSON"},
		{name: "vendor data that is not JSON", files: files{VendorData2: []byte("#cloud-config")}, err: "vendor_data2.json: it is not JSON"},
		{name: "content outside of the tree", files: files{MetaData: []byte(`{"network_config": {"content_path": "/content/../../../etc/shadow"}}`), Content: content}, err: "leads out of its tree"},
		{name: "content outside of the service", files: files{MetaData: []byte(`{"network_config": {"content_path": "content/%2e%2e/x"}}`), Content: content}, err: "leads out of its tree"},
		{name: "content that is not there", files: files{MetaData: []byte(`{"network_config": {"content_path": "/content/0001"}}`), Content: content}, err: "network_config: read content/0001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := openstack.Decode("configdrive", tt.files)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			want := tt.want
			want.Name, want.Meta.Version, want.Meta.Datasource = "user-data", 1, "configdrive"
			got.Tree = nil
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v, %s", err, diff)
			}
		})
	}
}

func TestTree(t *testing.T) {
	got, err := openstack.Decode("openstack", openstack.Files{MetaData: []byte(`{"uuid": "u", "admin_pass": "s3cret", "random_seed": "AA==", "meta": {"role": "db"}, "launch_index": 3}`)})
	want := map[string]any{"meta_data": map[string]any{"uuid": "u", "meta": map[string]any{"role": "db"}, "launch_index": json.Number("3")}}
	if diff := cmp.Diff(want, got.Tree); diff != "" || err != nil {
		t.Errorf("error %v, %s", err, diff)
	}
	if diff := cmp.Diff(map[string]string{"role": "db"}, got.Meta.Tags); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "s3cret") {
		t.Error("the password of the administrator is kept")
	}
}

func TestVersion(t *testing.T) {
	for _, tt := range []struct{ has, want string }{
		{"2012-08-10 2018-08-27 latest", "2018-08-27"},
		{"latest 2013-04-04 content", "2013-04-04"},
		{"content latest", "latest"},
		{"2099-01-01", ""},
		{"", ""},
	} {
		if got := openstack.Version(strings.Fields(tt.has)); got != tt.want {
			t.Errorf("of %q %q, want %q", tt.has, got, tt.want)
		}
	}
}

func FuzzMetaData(f *testing.F) {
	f.Add([]byte(`{"uuid": "u", "hostname": "h", "public_keys": {"a": "k"}, "keys": [{"type": "ssh", "data": "k"}], "network_config": {"content_path": "/content/0000"}}`), []byte(`{"cloud-init": ["a"], "network_info": {}}`), []byte(`{"links": []}`))
	f.Fuzz(func(t *testing.T, meta, vendor, network []byte) {
		asked := ""
		data, err := openstack.Decode("openstack", openstack.Files{MetaData: meta, VendorData: vendor, NetworkData: network, Content: func(path string) ([]byte, error) {
			asked = path
			return nil, errors.New("none")
		}})
		if strings.Contains("/"+asked+"/", "/../") || strings.HasPrefix(asked, "/") {
			t.Errorf("asked for %q", asked)
		}
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) && asked == "" {
				t.Errorf("the error cannot be printed: %q", err)
			}
			return
		}
		total := 0
		for _, d := range append(data.Vendor, data.Network...) {
			total += len(d.Bytes)
		}
		if total > 3*(len(vendor)+len(network)) { // a byte that is not UTF-8 becomes three
			t.Errorf("%d bytes of %d", total, len(vendor)+len(network))
		}
	})
}

// FuzzNetworkData: a description of the network is taken as it is, whole or not at all, and says nothing of anything else.
func FuzzNetworkData(f *testing.F) {
	for _, seed := range []string{
		metadatatest.OpenStackExample().NetworkData, "{}", " \n", "null", "[]", `{"links": [`, `{"a": 1} {}`, "\xEF\xBB\xBF{\"links\": []}", `{"a": "\xff\u001b"}`, `{"a": 1e999999}`, "\n{\"links\": []}\n",
		strings.Repeat(`{"a":`, 10001),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		data, err := openstack.Decode("openstack", openstack.Files{MetaData: []byte(`{"uuid": "u"}`), NetworkData: text})
		if !bytes.Equal(given, text) {
			t.Error("it was changed")
		}
		if err != nil {
			said := err.Error()
			if !strings.HasPrefix(said, "network_data.json: ") || len(said) > 100 || strings.ContainsFunc(said, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("error %q", said)
			}
			return
		}
		var network []datasources.Document
		var object map[string]json.RawMessage
		if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), &object); err == nil && len(object) > 0 {
			network = []datasources.Document{{Name: "network-config", Kind: "openstack", Bytes: text}}
		}
		want := datasources.Data{
			Name: "user-data", Meta: schema.Metadata{Version: 1, Datasource: "openstack", InstanceID: "u"}, Network: network,
			Tree: map[string]any{"meta_data": map[string]any{"uuid": "u"}},
		}
		if diff := cmp.Diff(want, data, cmp.Comparer(bytes.Equal)); diff != "" || len(text) > 1<<20 {
			t.Errorf("%d bytes: %s", len(text), diff)
		}
	})
}
