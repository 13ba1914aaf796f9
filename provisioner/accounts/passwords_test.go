package accounts_test

import (
	"fmt"
	"strings"
	"testing"

	"cloudconfig/provisioner/accounts"
	"cloudconfig/schema"
)

func password(name, text string, options ...func(*accounts.Password)) accounts.Want {
	p := accounts.Password{Password: schema.Password{Text: schema.Value[schema.Secret]{V: schema.Secret(text), Set: true}}}
	p.User = schema.Value[string]{V: name, Set: true}
	for _, o := range options {
		o(&p)
	}
	return accounts.Want{Passwords: []accounts.Password{p}}
}

func hashed(p *accounts.Password)   { p.Hashed = true }
func expiring(p *accounts.Password) { p.Expire = true }
func lockable(p *accounts.Password) { p.Lockable = true }

func (w withUsers) of(want accounts.Want) accounts.Want { want.Users = w; return want }

type withUsers []accounts.User

func TestPasswords(t *testing.T) {
	const line, today = "daemon:%s:%s:0:99999:7:::\n", "20000"
	old := accounts.Hash("secret", "daemon", []byte("of the machine before"))
	fresh := accounts.Hash("secret", "daemon", []byte("random"))
	anna := accounts.Hash("secret", "ann", []byte("random"))
	daemon := func(hash, date string) string { return fmt.Sprintf(line, hash, date) }
	shadow := func(hash, date string) func(map[string]string) {
		return func(f map[string]string) { f[accounts.Shadow] = daemon(hash, date) }
	}
	both := func(first, second accounts.Want) accounts.Want {
		first.Passwords = append(first.Passwords, second.Passwords...)
		return first
	}
	for _, tc := range []struct {
		name   string
		change func(map[string]string)
		want   accounts.Want
		shadow string // the line of the user, "" for as it was
	}{
		{"in plain text", shadow("*", "19000"), password("daemon", "secret"), daemon(fresh, today)},
		{"to be changed at the first login", shadow("*", "19000"), password("daemon", "secret", expiring), daemon(fresh, "0")},
		{"a hash", shadow("*", "19000"), password("daemon", old, hashed, expiring), daemon(old, "0")},
		{"it is that already", shadow(old, "19000"), password("daemon", "secret", expiring), ""},
		{"the hash is that already", shadow(old, "19000"), password("daemon", old, hashed, expiring), ""},
		{"another one", shadow(old, "19000"), password("daemon", "other"), daemon(accounts.Hash("other", "daemon", []byte("random")), today)},
		{"it opens an account that is locked", shadow("!"+old, "19000"), password("daemon", "secret"), daemon(old, today)},
		{"and one that an item locks", shadow("!"+old, "19000"), withUsers{user("daemon", lock(true))}.of(password("daemon", "secret")), daemon(old, today)},
		{"unless it is the item's own", shadow("!"+old, "19000"), withUsers{user("daemon", lock(true))}.of(password("daemon", "secret", lockable)), ""},
		{"before the hash of an item", shadow("*", "19000"), withUsers{user("daemon", hash(old))}.of(password("daemon", "secret")), daemon(fresh, today)},
		{"the last one counts", shadow("*", "19000"), both(password("daemon", "other"), password("daemon", "secret")), daemon(fresh, today)},
		{"of a new user", nil, withUsers{user("ann")}.of(password("ann", "secret", expiring)), "ann:" + anna + ":0:0:99999:7:::\n"},
		{"later", shadow(old, "19000"), func() accounts.Want {
			w := password("daemon", "other")
			w.HashLater = true
			return w
		}(), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := debian()
			if tc.change != nil {
				tc.change(files)
			}
			for round := range 2 {
				state := stateOf(files)
				state.Salt = []byte("random")
				if round > 0 {
					state.Salt = []byte("other random")
				}
				result := accounts.Edit(state, tc.want)
				if len(result.Diagnostics) > 0 {
					t.Errorf("%v", findings(result.Diagnostics))
				}
				text := ""
				for _, f := range result.Files {
					if f.Path == accounts.Shadow {
						text = string(f.Data)
						for _, r := range f.Records {
							if strings.Contains(fmt.Sprint(r), "$") {
								t.Errorf("a record shows a secret: %+v", r)
							}
						}
					}
					files[f.Path] = string(f.Data)
				}
				if round == 0 && (tc.shadow != "" && !strings.Contains(text, tc.shadow) || tc.shadow == "" && text != "") {
					t.Errorf("shadow becomes\n%s\nwant the line\n%s", text, tc.shadow)
				}
				if round > 0 && len(result.Files) > 0 {
					t.Errorf("a second edit still has %s", result.Files[0].Path)
				}
			}
		})
	}
}

func TestPasswordsThatCannotBe(t *testing.T) {
	for _, tc := range []struct {
		name string
		want accounts.Want
		rule string
	}{
		{"nobody", password("nadie", "secret"), "password-user"},
		{"too long", password("daemon", strings.Repeat("x", 512)), "password-long"},
		{"a hash that breaks the line", password("daemon", "a:b", hashed), "account-field"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			diags := accounts.Edit(stateOf(debian()), tc.want).Diagnostics
			if len(diags) != 1 || diags[0].Rule.ID != tc.rule || !diags[0].Secret {
				t.Errorf("%v, want %s without an excerpt", findings(diags), tc.rule)
			}
		})
	}
}
