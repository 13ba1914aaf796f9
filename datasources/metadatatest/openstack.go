package metadatatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// OpenStackInstance is what OpenStack's service says of a machine. Its ID is Nova's, a UUID; the EC2 tree has another.
// Of its keys the service has the first.
type OpenStackInstance struct {
	Instance
	// NetworkData and the vendor data are the text of these files; "" is not there.
	NetworkData, VendorData, VendorData2 string
	// MetaData is the text of meta_data.json instead of that made of the fields, and More the fields that it has besides.
	MetaData string
	More     map[string]any
	// Content is files below "content".
	Content map[string]string
	// Versions are those it has, oldest first; nil is all.
	Versions []string
}

// OpenStackExample is an instance with everything.
func OpenStackExample() OpenStackInstance {
	i := Example()
	i.ID, i.Hostname, i.IPv6, i.Type, i.Region, i.Zone = "7ba5d6f1-4f1f-4d0f-9e0a-6b8d6a4b1c11", "web1.novalocal", "", "m1.small", "", "nova"
	return OpenStackInstance{
		Instance:    i,
		NetworkData: `{"links": [{"id": "tap1", "type": "ovs", "ethernet_mac_address": "06:12:34:56:78:9a", "mtu": 1450}], "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "tap1"}], "services": []}`,
		VendorData:  `{"cloud-init": "#cloud-config\nhostname: vendor\n", "other": {"key": 1}}`,
		VendorData2: `{"static": {}, "cloud-init": ["#cloud-config\n{}\n"]}`,
	}
}

// OpenStack makes the metadata service of an instance.
func OpenStack(i OpenStackInstance, faults ...Fault) *Handler { return New(openStack(i), faults...) }

type openStack OpenStackInstance

// Source: nova/api/metadata/base.py and handler.py (2025.2).
var openStackVersions = []string{"2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", "2025-04-04", "latest"}

func (h openStack) versions() []string {
	if h.Versions != nil {
		return h.Versions
	}
	return openStackVersions
}

func (h openStack) metaData() string {
	if h.MetaData != "" {
		return h.MetaData
	}
	m := map[string]any{
		"uuid": h.ID, "hostname": h.Hostname, "name": "web 1", "launch_index": 0, "availability_zone": h.Zone,
		"project_id": "f7ac731cc11f40efbc03a9f9e1d1d21f", "random_seed": "cmFuZG9t", "devices": []any{}, "dedicated_cpus": []any{},
	}
	if len(h.Keys) > 0 {
		key := h.Keys[0]
		m["public_keys"] = map[string]string{key.Name: key.OpenSSH + "\n"}
		m["keys"] = []map[string]string{{"name": key.Name, "type": "ssh", "data": key.OpenSSH + "\n"}}
	}
	for key, v := range h.More {
		m[key] = v
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("internal error: %v", err))
	}
	return string(text)
}

// leaves is every file, by path. A version has the files that there were when it was new.
func (h openStack) leaves() map[string]string {
	all := map[string]string{}
	add := func(path, text string) {
		if text != "" {
			all[path] = text
		}
	}
	for _, v := range h.versions() {
		since := func(version string) bool { return v >= version } // "latest" is after any digit
		add("openstack/"+v+"/meta_data.json", h.metaData())
		if h.UserData != nil {
			all["openstack/"+v+"/user_data"] = string(h.UserData)
		}
		if since("2013-10-17") {
			add("openstack/"+v+"/vendor_data.json", h.VendorData)
		}
		if since("2015-10-15") {
			add("openstack/"+v+"/network_data.json", h.NetworkData)
		}
		if since("2016-10-06") {
			add("openstack/"+v+"/vendor_data2.json", h.VendorData2)
		}
	}
	for name, text := range h.Content {
		add("openstack/content/"+name, text)
	}
	for _, v := range []string{"2009-04-04", "latest"} {
		for path, text := range map[string]string{
			"instance-id": "i-0000002a", "local-ipv4": h.LocalIPv4, "instance-type": h.Type, "hostname": h.Hostname, "placement/availability-zone": h.Zone,
		} {
			add(v+"/meta-data/"+path, text)
		}
		all[v+"/meta-data/public-ipv4"] = h.PublicIPv4 // there is always an answer, and without a floating address nothing in it
		if h.UserData != nil {
			all[v+"/user-data"] = string(h.UserData)
		}
	}
	return all
}

// ServeHTTP answers as the service does when nothing is wrong.
func (h openStack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	text, ok := h.leaves()[path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		page(w, http.StatusNotFound)
	case path == "openstack":
		write(w, "text/plain; charset=UTF-8", strings.Join(h.versions(), "\n"))
	case ok && strings.HasSuffix(path, ".json"):
		write(w, "application/json", text)
	case ok:
		write(w, "text/plain; charset=UTF-8", text)
	default:
		page(w, http.StatusNotFound)
	}
}
