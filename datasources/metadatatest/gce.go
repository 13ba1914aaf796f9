package metadatatest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// GCEInstance is what the metadata server of Google Compute Engine says of a machine. An empty field is absent.
type GCEInstance struct {
	ID, Name, Hostname, Zone, MachineType string
	IP, ExternalIP, MAC                   string
	IPv6s                                 []string
	Tags                                  []string
	Attributes, Project                   map[string]string
}

// ExampleGCE is an instance with everything.
func ExampleGCE() GCEInstance {
	return GCEInstance{
		ID: "6034098463912346789", Name: "web1", Hostname: "web1.us-central1-a.c.example-1.internal",
		Zone: "projects/123456789012/zones/us-central1-a", MachineType: "projects/123456789012/machineTypes/e2-micro",
		IP: "10.128.0.5", ExternalIP: "203.0.113.7", MAC: "42:01:0a:80:00:05", IPv6s: []string{"2001:db8::5"},
		Tags: []string{"http-server"},
		Attributes: map[string]string{
			"ssh-keys":  "admin:" + Example().Keys[0].OpenSSH + "\n",
			"user-data": string(Example().UserData),
		},
		Project: map[string]string{"enable-guest-attributes": "FALSE"},
	}
}

// GCE makes the metadata server of an instance. Source: Google Cloud, "About VM metadata" and "View and query VM
// metadata" (2026).
func GCE(i GCEInstance, faults ...Fault) *Handler {
	h := New(&gce{tree: i.tree()}, faults...)
	h.header = http.Header{"Metadata-Flavor": {"Google"}, "Server": {"Metadata Server for VM"}}
	return h
}

// gce is the server; a map is a directory.
type gce struct{ tree map[string]any }

func (i GCEInstance) tree() map[string]any {
	instance := map[string]any{
		"attributes": texts(i.Attributes), "description": "", "tags": i.Tags,
		"service-accounts": map[string]any{"default": map[string]any{"email": "1@example.com", "aliases": []string{"default"}}},
	}
	for name, value := range map[string]string{"name": i.Name, "hostname": i.Hostname, "zone": i.Zone, "machine-type": i.MachineType} {
		if value != "" {
			instance[name] = value
		}
	}
	if i.ID != "" {
		instance["id"] = json.Number(i.ID)
	}
	if i.IP != "" || i.IPv6s != nil {
		nic := map[string]any{"ip": i.IP, "mac": i.MAC, "network": "projects/123456789012/networks/default", "mtu": 1460}
		if i.IPv6s != nil {
			nic["ipv6s"] = i.IPv6s
		}
		nic["access-configs"] = []any{map[string]any{"external-ip": i.ExternalIP, "type": "ONE_TO_ONE_NAT"}}
		instance["network-interfaces"] = []any{nic}
	}
	project := map[string]any{"attributes": texts(i.Project), "project-id": "example-1", "numeric-project-id": 123456789012}
	return map[string]any{"computeMetadata": map[string]any{"v1": map[string]any{"instance": instance, "project": project}}}
}

func texts(m map[string]string) map[string]any {
	all := make(map[string]any, len(m))
	for name, value := range m {
		all[name] = value
	}
	return all
}

// ServeHTTP answers as the server does when nothing is wrong.
func (h *gce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		page(w, http.StatusMethodNotAllowed)
		return
	case r.Header.Get("X-Forwarded-For") != "",
		strings.HasPrefix(r.URL.Path, "/computeMetadata/v1/") && r.Header.Get("Metadata-Flavor") != "Google":
		page(w, http.StatusForbidden)
		return
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if path[0] == "" {
		path = nil
	}
	value, ok := at(h.tree, path)
	if !ok {
		page(w, http.StatusNotFound)
		return
	}
	recursive := r.URL.Query().Get("recursive") == "true"
	switch value.(type) {
	case map[string]any, []any:
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
			return
		}
		if !recursive {
			answer(w, "application/text", strings.Join(names(value), "\n")+"\n")
			return
		}
	default:
		if text, ok := value.(string); ok && r.URL.Query().Get("alt") != "json" {
			answer(w, "application/text", text)
			return
		}
	}
	if len(path) == 0 || path[len(path)-1] != "attributes" {
		value = camel(value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	answer(w, "application/json", string(text))
}

func answer(w http.ResponseWriter, contentType, body string) {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(body))
	w.Header().Set("ETag", fmt.Sprintf("%016x", sum.Sum64()))
	write(w, contentType, body)
}

// at is what is at a path of directories; a list is a directory of numbers.
func at(value any, path []string) (any, bool) {
	for _, name := range path {
		switch dir := value.(type) {
		case map[string]any:
			next, ok := dir[name]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(dir) {
				return nil, false
			}
			value = dir[n]
		default:
			return nil, false
		}
	}
	return value, true
}

// names is the index of a directory: a name a line, a directory with a slash.
func names(dir any) []string {
	var lines []string
	add := func(name string, value any) {
		switch value.(type) {
		case map[string]any, []any:
			name += "/"
		}
		lines = append(lines, name)
	}
	switch d := dir.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(d)) {
			add(name, d[name])
		}
	case []any:
		for n, value := range d {
			add(strconv.Itoa(n), value)
		}
	}
	return lines
}

// camel is a value as JSON has it: machineType for machine-type, but the names of attributes and accounts as they are.
func camel(value any) any {
	switch v := value.(type) {
	case map[string]any:
		all := make(map[string]any, len(v))
		for name, value := range v {
			if name == "attributes" || name == "service-accounts" {
				all[camelName(name)] = value
				continue
			}
			all[camelName(name)] = camel(value)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for n, value := range v {
			all[n] = camel(value)
		}
		return all
	}
	return value
}

func camelName(name string) string {
	words := strings.Split(name, "-")
	for n, word := range words[1:] {
		words[n+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}
