package ec2

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"cloudconfig/datasources"
	"cloudconfig/datasources/claims"
)

// paths turns a list of the service's, one name a line, into what to ask for.
func paths(list, path, what string, most int, of func(name string) []string) ([]string, error) {
	var all []string
	names := 0
	for line := range strings.Lines(list) {
		name := strings.TrimSpace(line)
		if name == "" {
			continue
		}
		asked := of(name)
		if asked == nil {
			return nil, claims.Wrong(path, line, what)
		}
		if names++; names > most {
			return nil, fmt.Errorf("%s: more than %d", path, most)
		}
		all = append(all, asked...)
	}
	return all, nil
}

// keyPaths reads the list of keys: "0=name".
func keyPaths(list string) ([]string, error) {
	return paths(list, publicKeys, "a key's number and name", claims.MaxKeys, func(name string) []string {
		index, _, _ := strings.Cut(name, "=")
		if index == "" || len(index) > 4 || strings.Trim(index, "0123456789") != "" {
			return nil
		}
		return []string{publicKeys + index + "/openssh-key"}
	})
}

// tagPaths reads the list of tags. Their names are of few characters where instances may see them; source: Amazon EC2
// User Guide, "View tags for your EC2 instances using instance metadata" (2026).
func tagPaths(list string) ([]string, error) {
	return paths(list, tags, "the name of a tag", maxTags, func(name string) []string {
		if len(name) > 128 || name == "." || name == ".." || strings.ContainsFunc(name, notInTag) {
			return nil
		}
		return []string{tags + name}
	})
}

func notInTag(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("+-=.,_:@", r):
		return false
	}
	return true
}

// checkTag takes any text of 256 characters, as EC2 does.
func checkTag(check *claims.Checker, path, text string) string {
	if len(text) > 256*utf8.UTFMax || !utf8.ValidString(text) {
		check.Wrong(path, text, "the value of a tag")
	}
	return text
}

// interfacePaths reads the list of network interfaces, "06:12:34:56:78:9a/". A single one needs no more than DHCP and
// router advertisements say, unless it has several addresses: so only these are asked for, as more would be more requests
// than the boot of most machines is worth.
func interfacePaths(list string) ([]string, error) {
	var all []string
	nics, err := paths(list, macs, "the MAC address of a network interface", maxInterfaces, func(name string) []string {
		name = strings.TrimSuffix(name, "/")
		if len(name) != len("06:12:34:56:78:9a") || strings.Trim(name, "0123456789abcdef:") != "" {
			return nil
		}
		nic := macs + name + "/"
		all = append(all, nic+"device-number", nic+addresses, nic+"subnet-ipv4-cidr-block", nic+"ipv6s", nic+"subnet-ipv6-cidr-blocks")
		return []string{nic + addresses}
	})
	if len(nics) == 1 {
		return nics, err
	}
	return all, err
}

// addresses are those of IPv4 of an interface, one a line.
const addresses = "local-ipv4s"

// describesNetwork says that DHCP alone does not do: there are several interfaces, or several addresses of one.
func describesNetwork(all map[string]string, nics []string) bool {
	return len(nics) > 1 || len(nics) == 1 && len(strings.Fields(all[nics[0]])) > 1
}

// isLines says that a text is of lines of words, 4 KiB at most.
func isLines(text string) bool {
	return len(text) <= 4<<10 && !strings.ContainsFunc(text, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && r != '\r' })
}

// networkDocument is what the service has below meta-data/network, as JSON. The address of IPv6 of a single interface is
// that of the instance.
func networkDocument(all map[string]string, nics []string) datasources.Document {
	network := map[string]any{}
	for _, path := range nics {
		plant(network, strings.TrimPrefix(path, "meta-data/network/"), all[path])
	}
	if len(nics) == 1 {
		nic := strings.TrimSuffix(strings.TrimPrefix(nics[0], "meta-data/network/"), addresses)
		plant(network, nic+"ipv6s", all[ipv6])
	}
	text, err := json.Marshal(network)
	if err != nil {
		panic("internal error: texts that are no JSON: " + err.Error())
	}
	return datasources.Document{Name: "network", Kind: "ec2", Bytes: text}
}

// tree is everything the service said, by its own names, for templates: "meta_data" and "dynamic" at the top.
func tree(all map[string]string) map[string]any {
	meta, dynamic := map[string]any{}, map[string]any{}
	for path, text := range all {
		if rest, ok := strings.CutPrefix(path, "meta-data/"); ok && !strings.HasSuffix(path, "/") {
			plant(meta, rest, text)
		}
	}
	var identity map[string]any
	if json.Unmarshal([]byte(all[document]), &identity) == nil {
		dynamic["instance-identity"] = map[string]any{"document": identity}
	}
	return map[string]any{"meta_data": meta, "dynamic": dynamic}
}

// plant puts a text at a path of maps; an absent one, "", is not put there.
func plant(in map[string]any, path, text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	for {
		dir, rest, more := strings.Cut(path, "/")
		if !more {
			in[path] = text
			return
		}
		next, ok := in[dir].(map[string]any)
		if !ok {
			next = map[string]any{}
			in[dir] = next
		}
		in, path = next, rest
	}
}
