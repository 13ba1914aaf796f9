package plan_test

import (
	"slices"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

func TestLockout(t *testing.T) {
	at := source.Range{File: "user-data", Start: source.Pos{Line: 4, Column: 9}, End: source.Pos{Line: 4, Column: 30}}
	broken := schema.Value[string]{V: "ssh-rsa AAAA...", At: at, Set: true}
	const hash = "$6$examplesalt$jfTLmATMLm2jDA3ByHyFJeVai3E8Gbt9AA7EuFAupFJWg8unspwt5kkHp4zW8Susuta6Rd6iSk0sucz5sJm/j0"
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	user := func(change func(*schema.User)) *schema.Config {
		u := schema.User{At: at, Name: schema.Value[string]{V: "anna", At: at, Set: true}, SSHAuthorizedKeys: []schema.Value[string]{broken}}
		change(&u)
		return &schema.Config{Users: []schema.User{u}}
	}
	for _, c := range []struct {
		name   string
		config *schema.Config
		meta   schema.Metadata
		want   bool
	}{
		{"no valid key and no password", user(func(*schema.User) {}), schema.Metadata{}, true},
		{"a password lets in", user(func(u *schema.User) { u.Passwd = schema.Value[schema.Secret]{V: hash, At: at, Set: true} }), schema.Metadata{}, false},
		{"a locked one does not", user(func(u *schema.User) {
			u.Passwd = schema.Value[schema.Secret]{V: hash, At: at, Set: true}
			u.LockPasswd = schema.Value[bool]{V: true, Set: true}
		}), schema.Metadata{}, true},
		{"another key lets in", user(func(u *schema.User) {
			u.SSHAuthorizedKeys = append(u.SSHAuthorizedKeys, schema.Value[string]{V: key, At: at, Set: true})
		}), schema.Metadata{}, false},
		{"nothing was asked for", user(func(u *schema.User) { u.SSHAuthorizedKeys = nil }), schema.Metadata{}, false},
		{"the default user", &schema.Config{SSHAuthorizedKeys: []schema.Value[string]{broken}}, schema.Metadata{}, true},
		{"the platform's key lets the default user in", &schema.Config{SSHAuthorizedKeys: []schema.Value[string]{broken}}, schema.Metadata{SSHKeys: []string{key}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, found := debianDisk(nil).compute(t, plan.Input{Config: c.config, Meta: c.meta, DefaultUser: "core", Facts: clock()})
			got := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Rule.ID == "lockout" })
			if got != c.want {
				t.Errorf("lockout %v, want %v: %v", got, c.want, found)
			}
		})
	}
}
