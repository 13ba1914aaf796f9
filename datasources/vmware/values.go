package vmware

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/value"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// emptied is what a variable is set to that was used.
const emptied = "---"

// maxOfEach is how many there may be of each thing that is numbered: interfaces, and addresses and routes of one.
const maxOfEach = 64

// reader reads the variables of one source.
type reader struct {
	ctx context.Context
	env datasources.Env
	// from fetches the document of a URL; it is the same at every attempt, so that it knows a slow server.
	from *remote.Fetcher
	// get gives the value of a variable, which is named without "guestinfo."; "" if it is not set.
	get   func(key string) (string, error)
	check claims.Checker
	any   bool // some variable is set, though perhaps to nothing
	used  []string
	err   error // of get, the first
}

// value is that of a variable, "" if there is none or if it was taken away.
func (r *reader) value(key string) string {
	if r.err != nil {
		return ""
	}
	text, err := r.get(key)
	if r.err = err; err != nil {
		return ""
	}
	r.any = r.any || text != ""
	if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed == emptied {
		return ""
	}
	return text
}

// document is the value of a variable by its encoding; nil if there is none.
func (r *reader) document(key string) []byte {
	text := r.value(key)
	if text == "" {
		return nil
	}
	data, err := unpack(key, r.value(key+".encoding"), text)
	if r.err == nil {
		r.err = err
	}
	return data
}

// data reads everything.
func (r *reader) data() (datasources.Data, error) {
	data := datasources.Data{Name: "user-data", Meta: schema.Metadata{Version: 1, Datasource: "vmware"}}
	r.userData(&data)
	if r.value(ignition) != "" {
		data.Notes = []string{ignition + " is set, and is left to Ignition"}
		if data.UserData == nil {
			data.UserData = r.document(ignition)
		}
	}
	if vendor := r.document("vendordata"); vendor != nil {
		data.Vendor = []datasources.Document{{Name: "vendor-data", Bytes: vendor}}
		r.used = append(r.used, "vendordata")
	}
	data.Meta.Hostname = r.check.Hostname("hostname", r.value("hostname"))
	r.metadata(&data)
	r.network(&data)
	switch {
	case r.err != nil:
		return datasources.Data{}, r.err
	case r.check.Err() != nil:
		return datasources.Data{}, r.check.Err()
	case !r.any:
		return datasources.Data{}, fmt.Errorf("no variable of guestinfo is set: %w", datasources.ErrAbsent)
	}
	return data, nil
}

// ignition is a configuration of Ignition's. It is given on only if there is no other user-data, for others to say what it
// is, and never taken away.
const ignition = "ignition.config.data"

// userData is the first that there is: coreos-cloudinit's, the document of its URL, cloud-init's.
func (r *reader) userData(data *datasources.Data) {
	for _, key := range []string{"coreos.config.data", "coreos.config.url", "userdata"} {
		if key == "coreos.config.url" {
			url := strings.TrimSpace(r.value(key))
			if url == "" || r.err != nil {
				continue
			}
			var doc remote.Document
			if doc, r.err = r.from.Document(r.ctx, url); r.err == nil && len(doc.Body) > 0 {
				data.UserData, data.Proof, data.From = doc.Body, doc.Proof, url
				return
			}
			continue
		}
		if text := r.document(key); text != nil {
			r.used = append(r.used, key)
			data.UserData = text
			return
		}
	}
}

// metadata reads cloud-init's document of YAML or JSON.
func (r *reader) metadata(data *datasources.Data) {
	const key = "metadata"
	text := r.document(key)
	if text == nil || r.err != nil {
		return
	}
	if text, r.err = gunzip(key, text); r.err != nil {
		return
	}
	doc, found := yamltree.Parse(&source.File{Name: key, Bytes: text})
	if len(text) > maxMetadataBytes || found.HasErrors() || doc == nil || doc.Kind != yamltree.Mapping {
		r.check.Unreadable(key, "a mapping in YAML or JSON")
		return
	}
	data.Meta.InstanceID = r.check.Word("instance-id", scalar(doc, "instance-id"))
	if data.Meta.Hostname == "" {
		data.Meta.Hostname = r.check.Hostname("local-hostname", scalar(doc, "local-hostname"))
	}
	for _, name := range []string{"public-keys-data", "public_keys_data", "public-keys", "public_keys"} {
		if keys := doc.Get(name); keys != nil {
			data.Meta.SSHKeys = r.check.Keys(name, texts(keys))
			break
		}
	}
	data.Meta.PublicIPv4 = r.check.IPv4("public-ipv4", scalar(doc, "public-ipv4"))
	data.Meta.PrivateIPv4 = r.check.IPv4("local-ipv4", scalar(doc, "local-ipv4"))
	if a := r.check.IPv6("local-ipv6", scalar(doc, "local-ipv6")); a.IsValid() {
		data.Meta.PrivateIPv6 = a.String()
	}
	if n := doc.Get("network"); n != nil && n.Kind != yamltree.Null {
		data.Network = append(data.Network, datasources.Document{
			Name: "network-config", Kind: "cloud-init", Bytes: r.networkConfig(n, scalar(doc, "network.encoding")),
		})
	}
	data.Tree = map[string]any{"meta_data": value.Tree(doc)}
}

// networkConfig is a mapping, or the text of one in an encoding.
func (r *reader) networkConfig(n *yamltree.Node, encoding string) []byte {
	var text []byte
	var err error
	if n.Kind == yamltree.Scalar {
		if text, err = unpack("network", encoding, n.Value); err == nil {
			text, err = gunzip("network", text)
		}
	} else {
		var out bytes.Buffer
		err = yamltree.Print(&out, n, nil)
		text = out.Bytes()
	}
	if r.err == nil {
		r.err = err
	}
	return text
}

func scalar(n *yamltree.Node, key string) string {
	if n = n.Get(key); n == nil || n.Kind != yamltree.Scalar {
		return ""
	}
	return n.Value
}

// texts is the texts of a text, a list or a mapping of names, in their order.
func texts(n *yamltree.Node) []string {
	switch n.Kind {
	case yamltree.Scalar:
		return []string{n.Value}
	case yamltree.Sequence:
		var all []string
		for _, item := range n.Items {
			all = append(all, item.Value)
		}
		return all
	case yamltree.Mapping:
		var all []string
		for _, p := range n.Pairs {
			all = append(all, texts(p.Value)...)
		}
		return all
	}
	return nil
}

// network reads the variables that describe the network, and keeps them as lines of KEY=VALUE. An address of an
// interface whose role is public or private is one of the machine's.
func (r *reader) network(data *datasources.Data) {
	var lines strings.Builder
	keep := func(format string, args ...any) string {
		key := fmt.Sprintf(format, args...)
		text := strings.TrimSpace(r.value(key))
		if text != "" {
			if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }) || len(text) > 1024 {
				r.check.Wrong(key, text, "one line")
			}
			lines.WriteString(key + "=" + text + "\n")
		}
		return text
	}
	for i := range maxOfEach {
		if keep("dns.server.%d", i) == "" {
			break
		}
	}
	for i := range maxOfEach {
		if keep("dns.domain.%d", i) == "" {
			break
		}
	}
	for i := range maxOfEach {
		some := false
		for _, what := range []string{"name", "mac", "dhcp"} {
			some = keep("interface.%d.%s", i, what) != "" || some
		}
		role := keep("interface.%d.role", i)
		for a := range maxOfEach {
			text := keep("interface.%d.ip.%d.address", i, a)
			if text == "" {
				break
			}
			some = true
			r.address(&data.Meta, fmt.Sprintf("interface.%d", i), role, text)
		}
		for n := range maxOfEach {
			gateway, destination := keep("interface.%d.route.%d.gateway", i, n), keep("interface.%d.route.%d.destination", i, n)
			if gateway == "" && destination == "" {
				break
			}
			some = true
		}
		if !some || r.err != nil || r.check.Err() != nil {
			break
		}
	}
	if lines.Len() > 0 {
		data.Network = append(data.Network, datasources.Document{Name: "guestinfo", Kind: "vmware", Bytes: []byte(lines.String())})
	}
}

// address takes an address in CIDR form; the last of a role wins, as in coreos-cloudinit.
func (r *reader) address(meta *schema.Metadata, what, role, text string) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		r.check.Wrong(what+".ip", text, "an address such as 10.0.0.5/24")
		return
	}
	what += ".ip"
	if a := prefix.Addr(); a.Is4() {
		r.check.IPv4(what, a.String())
	} else {
		r.check.IPv6(what, a.String())
	}
	a := prefix.Addr()
	switch {
	case role == "public" && a.Is4():
		meta.PublicIPv4 = a.String()
	case role == "public":
		meta.PublicIPv6 = a.String()
	case role == "private" && a.Is4():
		meta.PrivateIPv4 = a.String()
	case role == "private":
		meta.PrivateIPv6 = a.String()
	case role != "":
		r.check.Wrong(strings.TrimSuffix(what, ".ip")+".role", role, "public or private")
	}
}
