package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
)

// authority is a certificate of a letter, which is all that is looked at here.
func authority(letter string) string {
	return "-----BEGIN CERTIFICATE-----\n" + strings.Repeat(letter, 64) + "\n-----END CERTIFICATE-----\n"
}

func TestCACerts(t *testing.T) {
	const update, updateTrust = "/usr/sbin/update-ca-certificates", "/usr/bin/update-ca-trust"
	a, b := authority("A"), authority("B")
	debian := map[string]string{
		update[1:]: "#!/bin/sh", "usr/local/share/ca-certificates/": "", "etc/ssl/certs/": "",
		"etc/ca-certificates.conf": "# comment\n\nmozilla/A.crt\n!mozilla/B.crt\nmozilla/C.crt\n",
	}
	with := func(more map[string]string) map[string]string {
		out := maps.Clone(debian)
		maps.Copy(out, more)
		return out
	}
	trusted := schema.CACerts{Trusted: vals("a comment\n"+a+b, strings.TrimSuffix(a, "\n"))}
	const local = "usr/local/share/ca-certificates/provisioner-"
	files := map[string]string{local + "1.crt": a, local + "2.crt": b, local + "3.crt": a}
	made := map[string]string{
		"etc/ssl/certs/provisioner-1.pem": "-> /" + local + "1.crt", "etc/ssl/certs/provisioner-2.pem": "-> /" + local + "2.crt",
		"etc/ssl/certs/provisioner-3.pem": "-> /" + local + "3.crt",
	}
	whole := with(files)
	maps.Copy(whole, made)
	for _, tt := range []struct {
		name     string
		ca       schema.CACerts
		disk     map[string]string
		image    bool
		want     map[string]string
		run      []string
		findings []string
	}{
		{name: "Debian, a file for each certificate", ca: trusted, disk: debian, want: files, run: []string{update}},
		{name: "it is so already", ca: trusted, disk: whole},
		{name: "a run that was cut short", ca: trusted, disk: with(files), run: []string{update}},
		{name: "an image", ca: trusted, disk: debian, image: true, want: files, run: []string{update}, findings: []string{"info trust-refresh"}},
		{name: "Fedora", ca: schema.CACerts{Trusted: vals(a)}, disk: map[string]string{updateTrust[1:]: "#!/bin/sh", "etc/pki/ca-trust/source/anchors/": ""},
			want: map[string]string{"etc/pki/ca-trust/source/anchors/provisioner-1.pem": a}, run: []string{updateTrust}},
		{name: "openSUSE", ca: schema.CACerts{Trusted: vals(a)}, disk: map[string]string{update[1:]: "#!/bin/sh", "etc/pki/trust/anchors/": "", "usr/local/share/ca-certificates/": ""},
			want: map[string]string{"etc/pki/trust/anchors/provisioner-1.pem": a}, run: []string{update}},
		{name: "Arch", ca: schema.CACerts{Trusted: vals(a)}, disk: map[string]string{updateTrust[1:]: "#!/bin/sh", "etc/ca-certificates/trust-source/anchors/": ""},
			want: map[string]string{"etc/ca-certificates/trust-source/anchors/provisioner-1.pem": a}, run: []string{updateTrust}},
		{name: "Flatcar", ca: schema.CACerts{Trusted: vals(a)}, disk: map[string]string{update[1:]: "#!/bin/sh", "etc/ssl/certs/": ""},
			want: map[string]string{"etc/ssl/certs/provisioner-1.pem": a}, run: []string{update}},
		{name: "nothing that is known", ca: trusted, disk: map[string]string{"etc/ssl/certs/": ""}, findings: []string{"warning trust-store-missing"}},
		{name: "the distribution's are deselected", ca: schema.CACerts{RemoveDefaults: val(true)}, disk: debian,
			want: map[string]string{"etc/ca-certificates.conf": "# comment\n\n!mozilla/A.crt\n!mozilla/B.crt\n!mozilla/C.crt\n"}, run: []string{update}},
		{name: "they are already", ca: schema.CACerts{RemoveDefaults: val(true)}, disk: with(map[string]string{"etc/ca-certificates.conf": "!mozilla/A.crt\n"})},
		{name: "they cannot be", ca: schema.CACerts{RemoveDefaults: val(true)}, disk: map[string]string{updateTrust[1:]: "#!/bin/sh", "etc/pki/ca-trust/source/anchors/": "", "etc/ca-certificates.conf": "left.crt\n"},
			findings: []string{"warning trust-defaults-kept"}},
		{name: "they are to stay", ca: schema.CACerts{RemoveDefaults: val(false)}, disk: debian},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runSystem(t, []systemCase{{name: "files", config: schema.System{CACerts: tt.ca}, disk: tt.disk, image: tt.image, want: tt.want, findings: tt.findings}})
			in := plan.Input{Config: &schema.Config{System: schema.System{CACerts: tt.ca}}}
			p, _ := newDisk(tt.disk).compute(t, in)
			var run []string
			for _, c := range p.Commands {
				run = append(run, strings.Join(c.Argv, " "))
				if c.Inputs == "" || len(c.Why) == 0 {
					t.Errorf("nobody knows what for: %+v", c)
				}
			}
			if !slices.Equal(run, tt.run) {
				t.Errorf("%q is run, want %q", run, tt.run)
			}
		})
	}
}
