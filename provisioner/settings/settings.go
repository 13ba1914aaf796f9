// Package settings reads /etc/provisioner/provisioner.yaml, in which the owner of an image says where
// configurations may come from and what is done with them. No configuration can write there.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloudconfig/datasources/trust"
	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/owner"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// Path is where the settings are, below the root.
const Path = "etc/provisioner/provisioner.yaml"

// Bounds of NetworkTimeout. With all that may have to be put back after the longest, it is less than what the unit of the boot is
// given.
const (
	ShortestNetworkTimeout = 5 * time.Second
	LongestNetworkTimeout  = 8 * time.Minute
)

// Settings are the image owner's. The zero value of a field is never meant: Load fills in the defaults.
type Settings struct {
	// Datasources are asked in this order, as --datasource takes them; none means those that are detected.
	Datasources []string
	// DefaultUser is whom platform keys and top-level keys belong to; "core" if nothing is said.
	DefaultUser string
	// LaterBoots says what a boot does with a configuration other than the one applied: "report" or "apply".
	LaterBoots string
	// CloudInitCompat says whether files of cloud-init's are left for scripts that wait for them.
	CloudInitCompat bool
	// KeepUserData says whether user-data is kept, readable by root alone, for boots without a datasource.
	KeepUserData bool
	// IMDSv1 says whether version 1 of EC2's metadata service is taken where it has no session tokens.
	IMDSv1 bool
	// Floor says whether keys and hostname of the platform are applied before user-data is.
	Floor bool
	// Trust is what is asked of what comes over a routed network; its keys are those in /etc/provisioner/*.pub.
	Trust trust.Policy
	// NTP are the time servers that are asked if the clock is wrong, at most four.
	NTP []string
	// Removable says whether a first boot takes a configuration from a disk that somebody can plug in.
	Removable bool
	// NetworkTimeout is how long a network is checked before what was there is put back; 0 for what fits the machine.
	NetworkTimeout time.Duration
	// NetworkCheck is what a network must reach, "HOST:PORT"; "" for nothing.
	NetworkCheck string
	// Owner says who provisions this machine where another program would too; see package owner. "" leaves it undecided.
	Owner string
	// ReportURL is where the report of a run is posted to, which may have a secret in it; "" for nowhere.
	ReportURL string
}

var accountName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`) })

// Load reads the settings below a root; without a file they are the defaults. An error names the line: the
// settings are the image's, not the user's, so nothing goes on with settings that are wrong.
func Load(root fsroot.FS) (Settings, error) {
	s := Settings{DefaultUser: "core", LaterBoots: "report", KeepUserData: true, Floor: true}
	var err error
	if s.Trust.Keys, err = loadKeys(root); err != nil {
		return s, err
	}
	data, _, err := root.ReadFile(Path, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the settings: %w", err)
	}
	tree, findings := yamltree.Parse(&source.File{Name: "/" + Path, Bytes: data})
	if findings.HasErrors() {
		return s, fmt.Errorf("%s: %s", findings[0].Subject, findings[0].Summary)
	}
	if tree == nil || tree.Kind == yamltree.Null {
		return s, nil
	}
	if tree.Kind != yamltree.Mapping {
		return s, fmt.Errorf("%s: the settings are a mapping of keys to values", tree.Range)
	}
	for _, p := range tree.Pairs {
		if err := s.set(p.Key.Value, p.Value, root); err != nil {
			return s, fmt.Errorf("%s: %w", p.Value.Range, err)
		}
	}
	if strings.HasPrefix(s.ReportURL, "http:") && !s.Trust.Insecure {
		return s, fmt.Errorf("/%s: report-url is of http, where anybody on the way can read and answer; take https, or say insecure: yes in trust", Path)
	}
	return s, nil
}

// set takes one key. Files that a value names are below the root.
func (s *Settings) set(key string, n *yamltree.Node, root fsroot.FS) error {
	switch key {
	case "datasources":
		s.Datasources = nil
		if n.Kind != yamltree.Sequence {
			return errors.New("datasources must be a list")
		}
		for _, item := range n.Items {
			if item.Kind != yamltree.Scalar {
				return errors.New("a datasource is a name, or name=argument")
			}
			s.Datasources = append(s.Datasources, item.Value)
		}
	case "default-user":
		if !accountName().MatchString(n.Value) {
			return errors.New("default-user must be the name of an account")
		}
		s.DefaultUser = n.Value
	case "later-boots":
		if n.Value != "report" && n.Value != "apply" {
			return errors.New("later-boots must be report or apply")
		}
		s.LaterBoots = n.Value
	case "cloud-init-compat":
		return yesOrNo(&s.CloudInitCompat, key, n)
	case "keep-user-data":
		return yesOrNo(&s.KeepUserData, key, n)
	case "imdsv1":
		return yesOrNo(&s.IMDSv1, key, n)
	case "floor":
		return yesOrNo(&s.Floor, key, n)
	case "trust":
		return setTrust(&s.Trust, n, root)
	case "ntp":
		return s.setServers(n)
	case "removable":
		return yesOrNo(&s.Removable, key, n)
	case "network-timeout":
		d, err := time.ParseDuration(n.Value)
		if err != nil || d < ShortestNetworkTimeout || d > LongestNetworkTimeout {
			return fmt.Errorf("network-timeout must be from %s to %s", ShortestNetworkTimeout, LongestNetworkTimeout)
		}
		s.NetworkTimeout = d
	case "network-check":
		host, err := HostOf(n.Value)
		if err != nil {
			return fmt.Errorf("network-check must be a URL of http or https, or tcp://HOST:PORT: %w", err)
		}
		s.NetworkCheck = host
	case "owner":
		if err := owner.Check(n.Value); err != nil {
			return err
		}
		s.Owner = n.Value
	case "report-url":
		u, err := url.Parse(n.Value)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			return errors.New("report-url must be a URL of https or http")
		}
		s.ReportURL = n.Value
	default:
		return fmt.Errorf("unknown setting %q; known are cloud-init-compat, datasources, default-user, floor, imdsv1, keep-user-data, later-boots, network-check, network-timeout, ntp, owner, removable, report-url and trust", key)
	}
	return nil
}

func yesOrNo(to *bool, key string, n *yamltree.Node) error {
	switch n.Value {
	case "yes", "true":
		*to = true
	case "no", "false":
		*to = false
	default:
		return fmt.Errorf("%s must be yes or no", key)
	}
	return nil
}

// HostOf is what a URL of http, https or tcp connects to: "192.0.2.1:80". An error has nothing of the URL, which may have a secret.
func HostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", errors.New("it has no host")
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	case u.Scheme == "https":
		port = "443"
	default:
		return "", errors.New("it has no port")
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}
