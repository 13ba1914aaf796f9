package metadatatest

import (
	"encoding/json"
	"net/http"
)

// ExampleDroplet is a Droplet with everything, as the service has it. Source: DigitalOcean, "Metadata API" (2026).
const ExampleDroplet = `{
  "droplet_id": 2756294,
  "hostname": "sample-droplet",
  "vendor_data": "#cloud-config\nmanage_etc_hosts: localhost\n",
  "public_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin"],
  "auth_key": "c4n4ry-s3cret",
  "region": "nyc3",
  "interfaces": {
    "private": [{"ipv4": {"ip_address": "10.132.255.113", "netmask": "255.255.0.0", "gateway": "10.132.0.1"}, "mac": "04:01:2a:0f:2a:02", "type": "private"}],
    "public": [{
      "ipv4": {"ip_address": "104.131.20.105", "netmask": "255.255.192.0", "gateway": "104.131.0.1"},
      "ipv6": {"ip_address": "2604:A880:0800:0010:0000:0000:017D:2001", "cidr": 64, "gateway": "2604:A880:0800:0010:0000:0000:0000:0001"},
      "anchor_ipv4": {"ip_address": "10.17.0.5", "netmask": "255.255.0.0", "gateway": "10.17.0.1"},
      "mac": "04:01:2a:0f:2a:01", "type": "public"
    }]
  },
  "floating_ip": {"ipv4": {"active": false}},
  "dns": {"nameservers": ["2001:4860:4860::8844", "8.8.8.8"]},
  "tags": ["web", "blue"],
  "features": {"dhcp_enabled": false}
}`

// DigitalOcean makes the metadata service of a Droplet; user-data that is nil is absent.
func DigitalOcean(droplet string, userData []byte, faults ...Fault) *Handler {
	return New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			page(w, http.StatusMethodNotAllowed)
		case r.URL.Path == "/metadata/v1.json":
			write(w, "application/json", droplet)
		case r.URL.Path == "/metadata/v1/user-data" && userData != nil:
			write(w, "text/plain; charset=utf-8", string(userData))
		case r.URL.Path == "/metadata/v1/id":
			var d struct {
				ID json.Number `json:"droplet_id"`
			}
			_ = json.Unmarshal([]byte(droplet), &d)
			write(w, "text/plain; charset=utf-8", d.ID.String())
		default:
			write404(w)
		}
	}), faults...)
}

// write404 is the answer of services that say so in plain text.
func write404(w http.ResponseWriter) { http.Error(w, "not found", http.StatusNotFound) }
