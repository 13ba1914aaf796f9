package metadatatest

import "net/http"

// Server is what Hetzner's service says of a server.
type Server struct {
	Metadata string // YAML
	Networks string // YAML, a list
	UserData []byte // nil is absent
}

// ExampleServer is a server with everything. Source: Hetzner Cloud API, "Server Metadata" (2026), and the fixtures of
// afterburn at 35abd4728.
func ExampleServer() Server {
	return Server{
		Metadata: `availability-zone: hel1-dc2
hostname: my-server
instance-id: 4200042
public-ipv4: 203.0.113.7
region: eu-central
public-keys:
- ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin
network-config:
  config:
  - mac_address: 96:00:00:08:19:da
    name: eth0
    subnets:
    - dns_nameservers:
      - 185.12.64.2
      ipv4: true
      type: dhcp
    - address: 2001:db8:c010:aaaa::1/64
      dns_nameservers:
      - 2a01:4ff:ff00::add:2
      gateway: fe80::1
      ipv6: true
      type: static
    type: physical
  version: 1
vendor_data: |
  #cloud-config
  manage_etc_hosts: localhost
`,
		Networks: `- ip: 10.0.0.2
  alias_ips: [10.0.0.3]
  interface_num: 2
  mac_address: 86:00:00:2a:7d:e0
  network_id: 1234
  network_name: nw-test1
  network: 10.0.0.0/8
  subnet: 10.0.0.0/24
  gateway: 10.0.0.1
`,
		UserData: []byte("#cloud-config\nhostname: web1\n"),
	}
}

// Hetzner makes the metadata service of a server.
func Hetzner(s Server, faults ...Fault) *Handler {
	return New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			page(w, http.StatusMethodNotAllowed)
		case r.URL.Path == "/hetzner/v1/metadata":
			write(w, "text/plain; charset=utf-8", s.Metadata)
		case r.URL.Path == "/hetzner/v1/metadata/private-networks":
			write(w, "text/plain; charset=utf-8", s.Networks)
		case r.URL.Path == "/hetzner/v1/userdata" && s.UserData != nil:
			write(w, "text/plain; charset=utf-8", string(s.UserData))
		default:
			write404(w)
		}
	}), faults...)
}
