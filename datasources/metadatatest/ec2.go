package metadatatest

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// EC2 makes the metadata service of an instance, as IMDSv2 with tokens required.
func EC2(i Instance, faults ...Fault) *Handler {
	service := &ec2{instance: i, tokens: map[string]time.Time{}}
	h := New(service, faults...)
	service.now = h.now
	h.expire = service.forget
	return h
}

// ec2 is the service. It may be used by several goroutines.
type ec2 struct {
	instance Instance
	now      func() time.Time
	mu       sync.Mutex
	tokens   map[string]time.Time // until when each is valid
	made     uint64
}

func (h *ec2) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.tokens)
}

// Instance is what a metadata service says of a machine. An empty field is absent: 404.
type Instance struct {
	ID, Hostname, MAC                  string
	LocalIPv4, PublicIPv4, IPv6        string
	Region, Zone, Type, Account, Image string
	Keys                               []Key
	UserData                           []byte // nil is absent; empty is an answer without a byte
	// NoDocument leaves out the identity document, as services made after EC2 do; Document is the text of one
	// instead of that made of the fields.
	NoDocument bool
	Document   string
	// Tags are what the instance may see of its tags; nil is that it may see none.
	Tags map[string]string
	// Others are further network interfaces.
	Others []Interface
	// Tokens says how session tokens are taken.
	Tokens Tokens
}

// Interface is a network interface beside the first.
type Interface struct{ MAC, DeviceNumber, LocalIPv4s, Subnet string }

// Tokens says how session tokens are taken.
type Tokens string

// How session tokens are taken.
const (
	Required Tokens = ""         // no value without a token
	Optional Tokens = "optional" // version 1 and version 2
	Unknown  Tokens = "unknown"  // version 1 of the days before there were tokens: 404
)

// Key is an SSH key of the platform's.
type Key struct{ Name, OpenSSH string }

// Example is an instance with everything.
func Example() Instance {
	return Instance{
		ID: "i-0123456789abcdef0", Hostname: "ip-10-0-0-5.eu-central-1.compute.internal", MAC: "06:12:34:56:78:9a",
		LocalIPv4: "10.0.0.5", PublicIPv4: "203.0.113.7", IPv6: "2001:db8::5",
		Region: "eu-central-1", Zone: "eu-central-1a", Type: "t3.micro", Account: "123456789012", Image: "ami-0123456789abcdef0",
		Keys: []Key{{
			Name:    "admin",
			OpenSSH: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGR2hR3oFvvFxHTGLYd2vPkFbjR0pt4lI9AUsYJyYpnB admin",
		}},
		UserData: []byte("#cloud-config\nhostname: web1\n"),
	}
}

// Source of what follows: Amazon EC2 User Guide, "Instance metadata categories", "Use the Instance Metadata Service"
// and "Instance identity documents" (2026).
const (
	tokenPath    = "/latest/api/token"
	ttlHeader    = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	tokenHeader  = "X-Aws-Ec2-Metadata-Token"
	longestTTL   = 21600
	documentPath = "dynamic/instance-identity/document"
)

var versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04",
	"2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
	"2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15", "2022-09-24",
	"2024-04-11", "latest",
}

// leaves is every value below a version, by path.
func (i Instance) leaves() map[string]string {
	all := map[string]string{}
	if i.UserData != nil {
		all["user-data"] = string(i.UserData)
	}
	if document := i.document(); document != "" {
		all[documentPath] = document
	}
	for path, value := range map[string]string{
		"ami-id": i.Image, "ami-launch-index": "0", "instance-id": i.ID, "instance-type": i.Type,
		"hostname": i.Hostname, "local-hostname": i.Hostname, "local-ipv4": i.LocalIPv4, "public-ipv4": i.PublicIPv4, "ipv6": i.IPv6,
		"mac": i.MAC, "placement/availability-zone": i.Zone, "placement/region": i.Region, "services/domain": "amazonaws.com",
	} {
		if value != "" {
			all["meta-data/"+path] = value
		}
	}
	if i.MAC != "" {
		nic := "meta-data/network/interfaces/macs/" + i.MAC + "/"
		all[nic+"mac"], all[nic+"device-number"], all[nic+"local-ipv4s"] = i.MAC, "0", i.LocalIPv4
		if i.PublicIPv4 != "" {
			all[nic+"public-ipv4s"] = i.PublicIPv4
		}
		if i.IPv6 != "" {
			all[nic+"ipv6s"] = i.IPv6
		}
	}
	for _, other := range i.Others {
		nic := "meta-data/network/interfaces/macs/" + other.MAC + "/"
		all[nic+"mac"], all[nic+"device-number"] = other.MAC, other.DeviceNumber
		all[nic+"local-ipv4s"], all[nic+"subnet-ipv4-cidr-block"] = other.LocalIPv4s, other.Subnet
	}
	for name, value := range i.Tags {
		all["meta-data/tags/instance/"+name] = value
	}
	for n, key := range i.Keys {
		all[fmt.Sprintf("meta-data/public-keys/%d/openssh-key", n)] = key.OpenSSH + "\n"
	}
	return all
}

func (i Instance) document() string {
	if i.NoDocument || i.Document != "" {
		return i.Document
	}
	return fmt.Sprintf(`{
  "accountId" : %q,
  "architecture" : "x86_64",
  "availabilityZone" : %q,
  "billingProducts" : null,
  "devpayProductCodes" : null,
  "marketplaceProductCodes" : null,
  "imageId" : %q,
  "instanceId" : %q,
  "instanceType" : %q,
  "kernelId" : null,
  "pendingTime" : "2026-01-01T00:00:00Z",
  "privateIp" : %q,
  "ramdiskId" : null,
  "region" : %q,
  "version" : "2017-09-30"
}`, i.Account, i.Zone, i.Image, i.ID, i.Type, i.LocalIPv4, i.Region)
}

// ServeHTTP answers as the service does when nothing is wrong.
func (h *ec2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "EC2ws")
	w.Header().Set("Connection", "keep-alive")
	if r.URL.Path == tokenPath && h.instance.Tokens != Unknown {
		h.serveToken(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		status := http.StatusMethodNotAllowed
		if r.URL.Path == tokenPath {
			status = http.StatusNotFound
		}
		page(w, status)
		return
	}
	if token := r.Header.Get(tokenHeader); (token != "" || h.instance.Tokens == Required) && h.instance.Tokens != Unknown && !h.accepts(token) {
		page(w, http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/" {
		write(w, "text/plain", strings.Join(versions, "\n"))
		return
	}
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !slices.Contains(versions, version) {
		page(w, http.StatusNotFound)
		return
	}
	leaves := h.instance.leaves()
	if value, ok := leaves[path]; ok {
		kind := "text/plain"
		if path == "user-data" {
			kind = "application/octet-stream"
		}
		write(w, kind, value)
		return
	}
	list := h.instance.list(leaves, strings.TrimSuffix(path, "/"))
	if list == "" {
		page(w, http.StatusNotFound)
		return
	}
	write(w, "text/plain", list)
}

// list is the index of a directory, "" if there is none: a name a line, a directory with a slash, a key as "0=name".
func (i Instance) list(leaves map[string]string, dir string) string {
	if dir == "meta-data/public-keys" {
		var lines []string
		for n, key := range i.Keys {
			lines = append(lines, fmt.Sprintf("%d=%s", n, key.Name))
		}
		return strings.Join(lines, "\n")
	}
	if dir != "" {
		dir += "/"
	}
	names := map[string]bool{}
	for path := range leaves {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			name, _, isDir := strings.Cut(rest, "/")
			if isDir && dir != "" {
				name += "/"
			}
			names[name] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n")
}

func (h *ec2) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", "OPTIONS, PUT")
		page(w, http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("X-Forwarded-For") != "" {
		page(w, http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	if err != nil || ttl < 1 || ttl > longestTTL {
		page(w, http.StatusBadRequest)
		return
	}
	w.Header().Set(ttlHeader, strconv.Itoa(ttl))
	write(w, "text/plain", h.newToken(time.Duration(ttl)*time.Second))
}

func write(w http.ResponseWriter, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Accept-Ranges", "none")
	_, _ = w.Write([]byte(body))
}

// page is the answer of any status but 200: XHTML, as the service has it.
func page(w http.ResponseWriter, status int) {
	title := fmt.Sprintf("%d - %s", status, http.StatusText(status))
	body := fmt.Sprintf(`<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>%s</title>
 </head>
 <body>
  <h1>%s</h1>
 </body>
</html>
`, title, title)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (h *ec2) accepts(token string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	until, ok := h.tokens[token]
	return ok && h.now().Before(until)
}

// newToken makes a token of the real ones' form. It is no secret.
func (h *ec2) newToken(ttl time.Duration) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	raw := binary.BigEndian.AppendUint64(append([]byte{1, 0, 4}, make([]byte, 28)...), h.made)
	token := base64.URLEncoding.EncodeToString(raw)
	h.tokens[token] = h.now().Add(ttl)
	return token
}
