package configdrive_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/configdrive"
	"cloudconfig/schema"
)

// tree makes a directory of files by their paths.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	metaData = `{"uuid": "u-1", "hostname": "web1.novalocal", "availability_zone": "nova", "public_keys": {"a": "ssh-rsa A"}, "files": [],
		"network_config": {"name": "network_config", "content_path": "/content/0000"}}`
	likeEC2 = `{"instance-id": "i-1", "local-hostname": "web2", "hostname": "web3", "local-ipv4": "10.0.0.5", "public-ipv4": "203.0.113.7", "instance-type": "m1.small",
		"placement": {"availability-zone": "gb1"}, "public-keys": {"0": {"openssh-key": "ssh-rsa B"}}}`
)

func TestFetch(t *testing.T) {
	type files = map[string]string
	for _, tt := range []struct {
		name  string
		files files
		want  datasources.Data // without what is the same for all
		err   string
		is    error
	}{
		{
			name: "everything, of the newest known version",
			files: files{
				"openstack/2012-08-10/meta_data.json": `{"uuid": "old"}`, "openstack/latest/meta_data.json": `{"uuid": "latest"}`, "openstack/2099-01-01/meta_data.json": `{"uuid": "new"}`,
				"openstack/2018-08-27/meta_data.json": metaData, "openstack/2018-08-27/user_data": "#cloud-config\r\n", "openstack/2018-08-27/network_data.json": `{"links": []}`,
				"openstack/2018-08-27/vendor_data.json": `{"cloud-init": "#!/bin/sh\n"}`, "openstack/content/0000": "auto eth0\n",
				"ec2/2009-04-04/meta-data.json": likeEC2, "ec2/latest/meta-data.json": `{}`, "ec2/latest/user-data": "another",
			},
			want: datasources.Data{
				UserData: []byte("#cloud-config\r\n"),
				Meta: schema.Metadata{InstanceID: "u-1", Hostname: "web1.novalocal", Zone: "nova", InstanceType: "m1.small", PrivateIPv4: "10.0.0.5", PublicIPv4: "203.0.113.7",
					SSHKeys: []string{"ssh-rsa A"}},
				Vendor: []datasources.Document{{Name: "vendor-data", Bytes: []byte("#!/bin/sh\n")}},
				Network: []datasources.Document{
					{Name: "network-config", Kind: "openstack", Bytes: []byte(`{"links": []}`)}, {Name: "network-config", Kind: "debian", Bytes: []byte("auto eth0\n")},
				},
			},
		},
		{name: "as coreos-cloudinit read it", files: files{"openstack/latest/user_data": "#cloud-config\n", "openstack/latest/meta_data.json": `{"hostname": "h"}`},
			want: datasources.Data{UserData: []byte("#cloud-config\n"), Meta: schema.Metadata{Hostname: "h"}}},
		{name: "user-data without metadata", files: files{"openstack/latest/user_data": "#cloud-config\n"}, want: datasources.Data{UserData: []byte("#cloud-config\n")}},
		{name: "a tree without a file, so there is no user-data for certain", files: files{"openstack/latest/other": ""}},
		{name: "empty user-data is none", files: files{"openstack/latest/user_data": "", "openstack/latest/meta_data.json": `{"uuid": "u"}`}, want: datasources.Data{Meta: schema.Metadata{InstanceID: "u"}}},
		{name: "EC2's tree alone", files: files{"ec2/latest/meta-data.json": likeEC2, "ec2/latest/user-data": "#!/bin/sh\n"},
			want: datasources.Data{UserData: []byte("#!/bin/sh\n"), Meta: schema.Metadata{InstanceID: "i-1", Hostname: "web2", Zone: "gb1", InstanceType: "m1.small",
				PrivateIPv4: "10.0.0.5", PublicIPv4: "203.0.113.7", SSHKeys: []string{"ssh-rsa B"}}}},
		{name: "EC2's tree with nothing but user-data", files: files{"ec2/2009-04-04/user-data": "x"}, want: datasources.Data{UserData: []byte("x")}},
		{name: "Rackspace", files: files{"openstack/latest/meta_data.json": `{"uuid": "u"}`, "openstack/latest/vendor_data.json": `{"network_info": {"links": []}, "provider": "Rackspace"}`},
			want: datasources.Data{Meta: schema.Metadata{InstanceID: "u"}, Network: []datasources.Document{{Name: "network-config", Kind: "rackspace", Bytes: []byte(`{"links": []}`)}}}},
		{name: "a mount point on which nothing is mounted", err: "it has neither a tree openstack nor a tree ec2", is: datasources.ErrAbsent},
		{name: "metadata without a byte", files: files{"openstack/latest/meta_data.json": ""}, err: "meta_data.json: it is empty"},
		{name: "EC2's metadata without a byte", files: files{"ec2/latest/meta-data.json": ""}, err: "meta-data.json: it is empty"},
		{name: "EC2's metadata that is a list", files: files{"ec2/latest/meta-data.json": "[]"}, err: "meta-data.json: not a mapping"},
		{name: "EC2's metadata that lies", files: files{"ec2/latest/meta-data.json": `{"hostname": "a b"}`}, err: "meta-data.json: hostname"},
		{name: "content from elsewhere", files: files{"openstack/latest/meta_data.json": `{"network_config": {"content_path": "../../etc/shadow"}}`}, err: "leads out of its tree"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := configdrive.New(datasources.Env{}, tree(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.Fetch(t.Context())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || errors.Is(err, datasources.ErrAbsent) != (tt.is != nil) || errors.Is(err, datasources.ErrNotReady) {
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

func TestNoDirectory(t *testing.T) {
	source, err := configdrive.New(datasources.Env{}, filepath.Join(t.TempDir(), "none"))
	if err != nil || source.Name() != "configdrive" {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context()); !errors.Is(err, datasources.ErrAbsent) {
		t.Errorf("error %v", err)
	}
}

// Without a disk it depends on what may still come.
func TestNoDisk(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   map[string]string
		awaited bool
		want    error
		text    string
	}{
		{"no disk at all", nil, false, datasources.ErrAbsent, "no disk labelled config-2 or CONFIG-2: absent"},
		{"udev is at work", map[string]string{"run/udev/queue": ""}, false, datasources.ErrNotReady, "udev is at work"},
		{"the machine is known to have one", nil, true, datasources.ErrNotReady, "no disk labelled config-2 or CONFIG-2 yet"},
		{"a container", map[string]string{"run/systemd/container": "lxc"}, true, datasources.ErrAbsent, "in a container (lxc) the disks are the host's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := configdrive.New(datasources.Env{Root: tree(t, tt.files), Awaited: tt.awaited}, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := source.Fetch(t.Context()); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %q", err, tt.text)
			}
		})
	}
}

// The record has every file that was asked for, those too that are not there.
func TestRecord(t *testing.T) {
	dir := tree(t, map[string]string{"openstack/latest/user_data": "text"})
	var got []string
	source, err := configdrive.New(datasources.Env{Answered: func(a datasources.Answer) {
		got = append(got, a.Method+" "+strings.TrimPrefix(a.URL, dir)+" "+string(a.Body))
		if (a.Err == "") != (a.Body != nil) {
			t.Errorf("%+v", a)
		}
	}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"READ :/openstack/latest/meta_data.json ", "READ :/openstack/latest/user_data text", "READ :/openstack/latest/network_data.json ",
		"READ :/openstack/latest/vendor_data.json ", "READ :/openstack/latest/vendor_data2.json "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
