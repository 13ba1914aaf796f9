package azure

import (
	"errors"
	"fmt"

	"cloudconfig/datasources/claims"
	"cloudconfig/datasources/xmltree"
)

// media is what the provisioning media say. The password of the user is on them too, and is not read.
type media struct {
	hostname, userName string
	keys               []string
	customData         []byte // nil if there is none
}

const ovfEnv = "ovf-env.xml"

// parseMedia reads ovf-env.xml. The error wraps errNoProvisioning if it is another platform's, and quotes nothing.
func parseMedia(text []byte) (media, error) {
	root, err := xmltree.Parse(string(text))
	if err != nil {
		return media{}, fmt.Errorf("%s: %w", ovfEnv, err)
	}
	set := root.Find("ProvisioningSection", "LinuxProvisioningConfigurationSet")
	if set == nil {
		return media{}, fmt.Errorf("%s: %w", ovfEnv, errNoProvisioning)
	}
	var c claims.Checker
	m := media{hostname: c.Hostname("HostName", set.String("HostName")), userName: c.Word("UserName", set.String("UserName"))}
	var keys []string
	for _, key := range set.Find("SSH", "PublicKeys").All("PublicKey") {
		keys = append(keys, openSSH(key.String("Value"))) // one with a fingerprint alone is a certificate's
	}
	m.keys = c.Keys("PublicKey", keys)
	custom, bad := unbase64(set.String("CustomData"))
	if bad {
		c.Unreadable("CustomData", "base64")
	}
	m.customData = custom
	if c.Err() != nil {
		return media{}, fmt.Errorf("%s: %w", ovfEnv, c.Err())
	}
	return m, nil
}

// addMedia reads the media, and passes over those of another platform.
func (f *found) addMedia(text []byte) error {
	m, err := parseMedia(text)
	if errors.Is(err, errNoProvisioning) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.add(m)
}

// add takes what the media say: a hostname that was asked for, keys that are not known yet, and custom data before
// user-data.
func (f *found) add(m media) error {
	if m.hostname != "" && !f.named {
		f.Meta.Hostname = m.hostname
	}
	var c claims.Checker
	f.Meta.SSHKeys = c.Keys("PublicKey", withNew(f.Meta.SSHKeys, m.keys))
	if meta, ok := f.Tree["meta_data"].(map[string]any); ok && m.userName != "" {
		meta["admin_username"] = m.userName
	}
	if m.customData != nil {
		f.UserData = m.customData
	}
	return c.Err()
}

// withNew is a list with what another one has beyond it.
func withNew(have, more []string) []string {
	known := map[string]bool{}
	for _, key := range have {
		known[key] = true
	}
	for _, key := range more {
		if !known[key] {
			have, known[key] = append(have, key), true
		}
	}
	return have
}
