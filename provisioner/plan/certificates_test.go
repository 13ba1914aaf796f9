package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/provisioner/plan"
	"cloudconfig/schema"
	"cloudconfig/schema/certificate"
	ct "cloudconfig/schema/certificate/certificatetest"
	"cloudconfig/schema/language"
)

var (
	testCA   = ct.Make(ct.Request{Name: "Example CA", From: "2020-01-01", To: "2089-12-31", CA: true, Key: ct.ECDSA(9)})
	testPeer = ct.Make(ct.Request{Name: "peer", Hosts: []string{"peer"}, From: "2020-01-01", To: "2069-12-31", Issuer: testCA})
	testOld  = ct.Make(ct.Request{Name: "peer", Hosts: []string{"peer"}, From: "2020-01-01", To: "2021-01-01", Issuer: testCA})
)

// certificateOf is an entry with a part at each path: "leaf /etc/peer.pem" to what is in it.
func certificateOf(from string, parts map[certificate.Part][2]string) schema.Certificate {
	crt := schema.Certificate{
		At: at(1), Name: val("peer"), Source: val(from),
		Mode: schema.Value[uint32]{V: 0o644}, KeyMode: schema.Value[uint32]{V: 0o600},
	}
	for p, pathAndContent := range parts {
		if pathAndContent[0] != "" {
			crt.Parts[p].Path = val(pathAndContent[0], 2+int(p))
		}
		crt.Parts[p].Content = val(schema.Secret(pathAndContent[1]), 2+int(p))
	}
	return crt
}

func peer() schema.Certificate {
	return certificateOf(language.SourceInline, map[certificate.Part][2]string{
		certificate.PrivateKey: {"/etc/ssl/etcd/peer.key", testPeer.KeyPEM()},
		certificate.Leaf:       {"/etc/ssl/etcd/peer.pem", testPeer.PEM()},
		certificate.CA:         {"/etc/ssl/etcd/ca.pem", strings.TrimSuffix(testCA.PEM(), "\n")},
	})
}

func TestCertificateFiles(t *testing.T) {
	crt := peer()
	crt.Owner, crt.Reload = val("anna:staff"), []schema.Value[string]{val("etcd2.service", 9), val("nginx.service", 9)}
	d := accountsOf(map[string]string{"usr/lib/systemd/system/etcd2.service": "[Service]\n", "etc/systemd/system/nginx.service": "-> /dev/null"})
	in := plan.Input{Config: &schema.Config{
		Certificates: []schema.Certificate{crt},
		Units:        []schema.Unit{{At: at(20), Name: val("etcd2.service"), Command: val("start", 20)}},
	}}
	p := d.applied(t, in)

	for path, want := range map[string]node{
		"etc/ssl/etcd/peer.key": {data: testPeer.KeyPEM(), attr: fsroot.Attr{Mode: 0o600, UID: 1000, GID: 50}},
		"etc/ssl/etcd/peer.pem": {data: testPeer.PEM(), attr: fsroot.Attr{Mode: 0o644, UID: 1000, GID: 50}},
		"etc/ssl/etcd/ca.pem":   {data: testCA.PEM(), attr: fsroot.Attr{Mode: 0o644, UID: 1000, GID: 50}},
	} {
		if got := d[path]; got.data != want.data || got.attr != want.attr {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	for _, c := range p.Changes {
		if c.Secret != strings.HasSuffix(c.Path, ".key") {
			t.Errorf("%s: secret is %v", c.Path, c.Secret)
		}
	}
	wantJobs := []string{"reload-or-try-restart etcd2.service once", "start etcd2.service"}
	if got := jobs(p); !slices.Equal(got, wantJobs) {
		t.Errorf("jobs %q, want %q: reload comes first, and a masked unit is left alone", got, wantJobs)
	}
	if again, _ := d.compute(t, in); !slices.Equal(jobs(again), wantJobs[1:]) {
		t.Errorf("jobs %q where nothing changes", jobs(again))
	}
}

func jobs(p plan.Plan) []string {
	var out []string
	for _, j := range p.Jobs {
		s := j.Action + " " + j.Unit
		if j.Once {
			s += " once"
		}
		out = append(out, s)
	}
	return out
}

func TestCertificateSharedFile(t *testing.T) {
	d := newDisk(nil)
	d.applied(t, plan.Input{Config: &schema.Config{Certificates: []schema.Certificate{
		certificateOf(language.SourceInline, map[certificate.Part][2]string{
			certificate.Leaf:  {"/etc/web.pem", testPeer.PEM()},
			certificate.Chain: {"", testCA.PEM()},
		}),
		certificateOf(language.SourceInline, map[certificate.Part][2]string{
			certificate.Leaf:       {"/etc/proxy.pem", testPeer.PEM()},
			certificate.PrivateKey: {"/etc/proxy.pem", testPeer.KeyPEM()},
		}),
	}}})
	if got := d.content("etc/web.pem"); got != testPeer.PEM()+testCA.PEM() {
		t.Errorf("a chain without a path is not after its certificate:\n%s", got)
	}
	if got := d["etc/proxy.pem"]; got.data != testPeer.PEM()+testPeer.KeyPEM() || got.attr.Mode != 0o600 {
		t.Errorf("a file with the key in it is %+v", got)
	}
}

func TestCertificatesFromFiles(t *testing.T) {
	leaf := func(from, to string) schema.Certificate {
		return certificateOf(language.SourceFile, map[certificate.Part][2]string{certificate.Leaf: {to, from}})
	}
	for _, tt := range []struct {
		name string
		disk map[string]string
		crt  schema.Certificate
		also schema.Config
		want []string
		file string // what is at /etc/peer.pem afterwards
	}{
		{name: "copied", disk: map[string]string{"media/peer.pem": testPeer.PEM()}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), file: testPeer.PEM()},
		{name: "through a link", disk: map[string]string{"media/peer.pem": "-> ../srv/x.pem", "srv/x.pem": testPeer.PEM()}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), file: testPeer.PEM()},
		{name: "it stays where it is", disk: map[string]string{"etc/peer.pem": testPeer.PEM()}, crt: leaf("/etc/peer.pem", ""), file: testPeer.PEM()},
		{name: "written by the same configuration", crt: leaf("/srv/x.pem", "/etc/peer.pem"), also: schema.Config{Files: []schema.File{file("/srv/x.pem", testPeer.PEM(), 8)}}, file: testPeer.PEM()},
		{name: "missing", crt: leaf("/media/peer.pem", "/etc/peer.pem"), want: []string{"error certificate-file"}, file: "(none)"},
		{name: "a directory", disk: map[string]string{"media/peer.pem/": ""}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), want: []string{"error certificate-file"}, file: "(none)"},
		{name: "expired", disk: map[string]string{"media/peer.pem": testOld.PEM()}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), want: []string{"error certificate-file"}, file: "(none)"},
		{name: "of another machine", disk: map[string]string{"media/peer.pem": testPeer.PEM()}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), also: schema.Config{Hostname: val("other")}, want: []string{"warning certificate-file"}, file: testPeer.PEM()},
		{name: "DER", disk: map[string]string{"media/peer.pem": string(testPeer.Certificate.Raw)}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), want: []string{"error certificate-file"}, file: "(none)"},
		{name: "a placeholder", disk: map[string]string{"media/peer.pem": "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"}, crt: leaf("/media/peer.pem", "/etc/peer.pem"), want: []string{"error certificate-file"}, file: "(none)"},
		{name: "the key of another", disk: map[string]string{"media/peer.pem": testPeer.PEM(), "media/peer.key": testCA.KeyPEM()}, crt: certificateOf(language.SourceFile, map[certificate.Part][2]string{
			certificate.Leaf: {"/etc/peer.pem", "/media/peer.pem"}, certificate.PrivateKey: {"/etc/peer.key", "/media/peer.key"},
		}), want: []string{"error certificate-file"}, file: "(none)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(tt.disk)
			cfg := tt.also
			cfg.Certificates = []schema.Certificate{tt.crt}
			in := plan.Input{Config: &cfg, Facts: plan.Facts{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}}
			p, found := d.compute(t, in)
			if got := findings(found); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if !found.HasErrors() {
				d.apply(p)
			}
			if got := d.content("etc/peer.pem"); got != tt.file {
				t.Errorf("/etc/peer.pem is %q", got)
			}
		})
	}
}

// TestCertificateClockOfMachine: a clock that shows less than the age of the program is no reason to refuse.
func TestCertificateClockOfMachine(t *testing.T) {
	d := newDisk(map[string]string{"media/peer.pem": testPeer.PEM()})
	in := plan.Input{Facts: plan.Facts{Now: time.Unix(0, 0), Built: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}, Config: &schema.Config{
		Certificates: []schema.Certificate{certificateOf(language.SourceFile, map[certificate.Part][2]string{certificate.Leaf: {"/etc/peer.pem", "/media/peer.pem"}})},
	}}
	d.applied(t, in)
}

func TestCertificateFindings(t *testing.T) {
	stranger := peer()
	stranger.Owner = val("nobody-here")
	lonely := peer()
	lonely.Reload = []schema.Value[string]{val("gone.service")}
	linked := certificateOf(language.SourceInline, map[certificate.Part][2]string{certificate.Leaf: {"/srv/etcd/peer.pem", testPeer.PEM()}})
	for _, tt := range []struct {
		name string
		cfg  schema.Config
		want []string
	}{
		{"an owner who is nowhere", schema.Config{Certificates: []schema.Certificate{stranger}}, []string{"error owner-unknown"}},
		{"a unit that is nowhere", schema.Config{Certificates: []schema.Certificate{lonely}}, []string{"warning certificate-reload"}},
		{"one file by two paths", schema.Config{Certificates: []schema.Certificate{peer(), linked}}, []string{"error path-twice"}},
		{"a file of write_files by another path", schema.Config{Certificates: []schema.Certificate{linked}, Files: []schema.File{file("/etc/ssl/etcd/peer.pem", "x", 9)}}, []string{"error path-twice"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(map[string]string{"etc/ssl/etcd/": "", "srv/etcd": "-> ../etc/ssl/etcd"})
			if _, found := d.compute(t, plan.Input{Config: &tt.cfg}); !slices.Equal(findings(found), tt.want) {
				t.Errorf("found %q, want %q", findings(found), tt.want)
			}
		})
	}
}
