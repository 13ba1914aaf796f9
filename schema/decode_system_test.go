package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

// values leaves the places out of a comparison, and looks into secrets.
var values = cmp.Options{
	cmpopts.IgnoreTypes(source.Range{}),
	cmp.Transformer("Reveal", func(s schema.Secret) string { return "secret: " + s.Reveal() }),
}

func val[T any](v T) schema.Value[T] { return schema.Value[T]{V: v, Set: true} }

const hash = "$6$saltsalt$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestSystem(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       schema.System
	}{
		{"names", "fqdn: web1.example.com\nprefer_fqdn_over_hostname: yes\npreserve-hostname: off\ncreate_hostname_file: true", schema.System{
			FQDN: val("web1.example.com"), PreferFQDN: val(true), PreserveHostname: val(false), CreateHostnameFile: val(true)}},
		{"places", "timezone: Europe/Berlin\nlocale: C.UTF-8\nkeyboard: {layout: no, options: ''}", schema.System{
			Timezone: val("Europe/Berlin"), Locale: val("C.UTF-8"), Keyboard: schema.Keyboard{Layout: val("no"), Options: val("")}}},
		{"a locale that stays", "locale: false", schema.System{}},
		{"time without servers", "ntp: null", schema.System{}},
		{"time", "ntp: {enabled: true, servers: [a.example.com], pools: [pool.ntp.org]}", schema.System{
			NTP: schema.NTP{Enabled: val(true), Servers: []schema.Value[string]{val("a.example.com")}, Pools: []schema.Value[string]{val("pool.ntp.org")}}}},
		{"a resolver that is managed", "manage_resolv_conf: true\nresolv_conf: {nameservers: [192.0.2.1], searchdomains: [a.example], domain: b.example}", schema.System{
			Resolver: schema.Resolver{Nameservers: []schema.Value[string]{val("192.0.2.1")}, SearchDomains: []schema.Value[string]{val("a.example")}, Domain: val("b.example")}}},
		{"a resolver that is not", "resolv_conf: {nameservers: [192.0.2.1]}", schema.System{}},
		{"authorities", "ca-certs: {remove-defaults: true, trusted: [a, b]}", schema.System{
			CACerts: schema.CACerts{RemoveDefaults: val(true), Trusted: []schema.Value[string]{val("a"), val("b")}}}},
		{"sshd", "ssh_pwauth: 'yes'\ndisable_root: false\ndisable_root_opts: no-pty\nssh_deletekeys: true\nssh_genkeytypes: [ed25519]", schema.System{
			SSH: schema.SSHServer{PasswordAuthentication: val(true), DisableRoot: val(false), DisableRootOptions: val("no-pty"), DeleteKeys: val(true), GenerateKeyTypes: []schema.Value[string]{val("ed25519")}}}},
		{"keys on the console", "ssh: {emit_keys_to_console: false}\nno_ssh_fingerprints: true\nauthkey_hash: md5\nssh_fp_console_blacklist: [ssh-rsa]\nssh_key_console_blacklist: [ssh-dss]", schema.System{
			SSH: schema.SSHServer{Console: schema.SSHConsole{HostKeys: val(false), NoFingerprints: val(true), KeyHash: val("md5"),
				WithoutFingerprint: []schema.Value[string]{val("ssh-rsa")}, WithoutKey: []schema.Value[string]{val("ssh-dss")}}}}},
		{"sshd as it is", "ssh_pwauth: unchanged", schema.System{}},
		{"a host key of another type is left out", "ssh_keys: {rsa_public: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f, ed25519_public: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f}", schema.System{
			SSH: schema.SSHServer{HostKeys: []schema.HostKey{{Type: "ed25519", Public: val("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f")}}}}},
		{"passwords in their order", "chpasswd:\n  expire: false\n  users: [{name: anna, password: " + hash + "}, {name: bert, type: text, password: '$x$'}, {name: carl, type: RANDOM}, {name: dora, password: none}]\n" +
			"  list: |\n    emil:" + hash + "\n    fred:a:b\n    gina:R\n    no colon\npassword: p\nusers: [{name: hans, plain_text_passwd: q}]", schema.System{
			ExpirePasswords: val(false),
			Passwords: []schema.Password{
				{User: val("hans"), Text: val(schema.Secret("q")), OfUsers: true},
				{Text: val(schema.Secret("p"))},
				{User: val("anna"), Text: val(schema.Secret(hash)), Hashed: true},
				{User: val("bert"), Text: val(schema.Secret("$x$"))},
				{User: val("emil"), Text: val(schema.Secret(hash)), Hashed: true},
				{User: val("fred"), Text: val(schema.Secret("a:b"))},
			}}},
		{"a password of a user by name", "users: {hans: {plain_text_passwd: q}}", schema.System{
			Passwords: []schema.Password{{User: val("hans"), Text: val(schema.Secret("q")), OfUsers: true}}}},
		{"an empty password is none", "password: ''\nchpasswd: {list: ['anna:R']}", schema.System{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, found := decode("system", []byte("#cloud-config\n"+test.text+"\n"))
			if found.HasErrors() {
				t.Fatalf("%+v", found)
			}
			if diff := cmp.Diff(test.want, cfg.System, values); diff != "" {
				t.Errorf("want - and got +:\n%s", diff)
			}
		})
	}
}

// TestSystemIsThere: what is written without a value of its own has a place.
func TestSystemIsThere(t *testing.T) {
	cfg, _ := decode("system", []byte("#cloud-config\nntp:\nmanage_resolv_conf: true\nresolv_conf: {}\n"))
	if cfg.System.NTP.At.IsZero() || cfg.System.Resolver.At.IsZero() {
		t.Errorf("NTP at %v, resolver at %v", cfg.System.NTP.At, cfg.System.Resolver.At)
	}
	if cfg, _ := decode("system", []byte("#cloud-config\nhostname: a\n")); !cfg.System.NTP.At.IsZero() || !cfg.System.Resolver.At.IsZero() {
		t.Error("what is not written has a place")
	}
}

// TestUsers: every way of writing users.
func TestUsers(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []schema.User
	}{
		{"one text", "users: 'default, anna'", []schema.User{{Default: true}, {Name: val("anna")}}},
		{"names and lists of names", "users: [default, [anna, bert]]", []schema.User{{Default: true}, {Name: val("anna")}, {Name: val("bert")}}},
		{"by name", "users: {default: true, anna: {uid: '1743', inactive: 5}, bert: false}", []schema.User{{Default: true}, {Name: val("anna"), UID: val(1743), Inactive: val(5)}}},
		{"no users", "users: []", nil},
		{"fields of cloud-init's", "users: [{name: anna, expiredate: 2032-09-01, groups: {wheel: null}, sudo: [null, ALL=(ALL) ALL], ssh_import_id: [gh:a-b, lp:c]}]", []schema.User{
			{Name: val("anna"), ExpireDate: val("2032-09-01"), Groups: []schema.Value[string]{val("wheel")}, Sudo: []schema.Value[string]{val("ALL=(ALL) ALL")}, ImportGitHub: []schema.Value[string]{val("a-b")}}}},
		{"an import for the default user", "users: [anna]\nssh_import_id: [gh:bert]", []schema.User{{Name: val("anna")}, {Default: true, ImportGitHub: []schema.Value[string]{val("bert")}}}},
		{"a user of snap's", "users: [{snapuser: anna@example.com}]", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, found := decode("users", []byte("#cloud-config\n"+test.text+"\n"))
			if found.HasErrors() {
				t.Fatalf("%+v", found)
			}
			if diff := cmp.Diff(test.want, cfg.Users, values); diff != "" {
				t.Errorf("want - and got +:\n%s", diff)
			}
		})
	}
}

func TestSource(t *testing.T) {
	cfg, _ := decode("source", []byte("#cloud-config\nwrite_files: [{path: /a, source: {uri: https://example.com/a, headers: {Accept: text/plain}}}]\n"))
	want := schema.Source{URI: val("https://example.com/a"), Headers: []schema.Header{{Name: "Accept", Value: val(schema.Secret("text/plain"))}}}
	if diff := cmp.Diff(want, cfg.Files[0].Source, values); diff != "" {
		t.Errorf("want - and got +:\n%s", diff)
	}
}

// TestSecretLines: no finding draws the line of a secret value, whatever it is about.
func TestSecretLines(t *testing.T) {
	for _, text := range []string{
		"users: [{name: anna, plain_text_passwd: canary, shel: /bin/sh}]",
		"chpasswd: {list: ['anna:canary'], lst: 1}",
		"chpasswd:\n  list: |\n    anna:canary\n    canary\n",
		"ssh_keys: {rsa_private: canary, x: 1}",
		"user: {name: anna, plain-text-passwd: canary}",
		"write_files: [{path: /a, source: {uri: a, headers: {Authorization: canary}}}]",
		"chpasswd: {users: [{name: anna, type: canary2, password: canary, x: 1}]}",
		"chpasswd: {users: [{name: anna, type: text, password: [canary]}]}",
		"password: {canary: 1}",
	} {
		_, found := decode("secret", []byte("#cloud-config\n"+text+"\n"))
		if len(found) == 0 {
			t.Errorf("%s: nothing is found", text)
		}
		for _, d := range found {
			line := strings.Split("#cloud-config\n"+text, "\n")[d.Subject.Start.Line-1]
			if strings.Contains(line, "canary") && !d.Secret {
				t.Errorf("%s: %s is drawn", text, d.Rule.ID)
			}
		}
	}
}

// TestCloudInitKeys: every key of cloud-init's top level is typed, or known to have no effect here; in both spellings.
//
// Source: properties of cloudinit/config/schemas/schema-cloud-config-v1.json (2026-08).
func TestCloudInitKeys(t *testing.T) {
	const keys = `allow_public_ssh_keys ansible apk_repos apt apt_pipelining apt_reboot_if_required apt_update apt_upgrade authkey_hash autoinstall
		bootcmd byobu_by_default ca-certs ca_certs chef chpasswd cloud_config_modules cloud_final_modules cloud_init_modules create_hostname_file
		device_aliases disable_ec2_metadata disable_piwiz disable_root disable_root_opts disk_setup drivers enable_rpi_connect fan final_message fqdn
		fs_setup groups growpart grub-dpkg grub_dpkg hostname keyboard landscape launch-index locale locale_configfile lxd manage_etc_hosts
		manage_resolv_conf mcollective merge_how merge_type migrate mount_default_fields mounts no_ssh_fingerprints ntp output
		package_reboot_if_required package_update package_upgrade packages password phone_home power_state prefer_fqdn_over_hostname
		preserve_hostname puppet random_seed reporting resize_rootfs resolv_conf rh_subscription rpi_interfaces rpi_userconf rsyslog runcmd salt_minion
		snap spacewalk ssh ssh_authorized_keys ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id ssh_key_console_blacklist ssh_keys
		ssh_publish_hostkeys ssh_pwauth ssh_quiet_keygen swap system_info timezone ubuntu_advantage ubuntu_pro updates user users vendor_data version
		wireguard write_files yum_repo_dir yum_repos zypper`
	for _, key := range strings.Fields(keys) {
		for _, spelling := range []string{key, strings.ReplaceAll(key, "_", "-")} {
			_, found := decode("key", []byte("#cloud-config\n"+spelling+": {}\n"))
			for _, d := range found {
				if d.Rule.ID == "unknown-key" {
					t.Errorf("%s: %s", spelling, d.Summary)
				}
			}
		}
	}
}
