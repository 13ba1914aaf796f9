package catalog_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

func TestFetch(t *testing.T) {
	type decisions = []datasources.Decision
	dir := t.TempDir()
	config := filepath.Join(dir, "web.yaml")
	if err := os.WriteFile(config, []byte("#cloud-config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.yaml")
	instance := metadatatest.Example()
	good := serve(t, metadatatest.EC2(instance))
	other := serve(t, metadatatest.EC2(instance, metadatatest.Fault{Trouble: metadatatest.Status, Code: 404}))
	lying := serve(t, metadatatest.EC2(metadatatest.Instance{ID: "not one word"}))
	busy := serve(t, metadatatest.EC2(instance, metadatatest.Fault{Trouble: metadatatest.Status, Code: 503}))

	const answered = "it answered"
	for _, tt := range []struct {
		name     string
		specs    []string
		from     string // the metadata's datasource; "" for an error
		userData string
		dataName string
		want     decisions // a reason that ends in "..." is how one begins
		wantText []string  // of the error
		absent   bool
		waits    bool
	}{
		{name: "nothing named, nothing asked", from: "none"},
		{
			name: "a file", specs: []string{"file=" + config}, from: "file", userData: "#cloud-config\n", dataName: config,
			want: decisions{{Source: "file=" + config, Taken: true, Reason: answered}},
		},
		{
			name: "a service", specs: []string{"ec2=" + good}, from: "ec2", userData: string(instance.UserData), dataName: "user-data",
			want: decisions{{Source: "ec2=" + good, Taken: true, Reason: answered}},
		},
		{
			name: "the first that is there, in the order given", specs: []string{"file=" + missing, "ec2=" + other, "ec2=" + good, "file=" + config},
			from: "ec2", userData: string(instance.UserData), dataName: "user-data",
			want: decisions{
				{Source: "file=" + missing, Reason: "file: absent: ..."},
				{Source: "ec2=" + other, Reason: "ec2: no session tokens, so no IMDSv2, and the settings do not allow version 1 (imdsv1): put " + other + "/latest/api/token: status 404 Not Found"},
				{Source: "ec2=" + good, Taken: true, Reason: answered},
				{Source: "file=" + config, Reason: "not asked: ec2=" + good + " comes before it and was taken"},
			},
		},
		{
			name: "a slow one is not overtaken", specs: []string{"ec2=" + busy, "file=" + config}, waits: true,
			want: decisions{
				{Source: "ec2=" + busy, Reason: "gave up after ..."},
				{Source: "file=" + config, Reason: "not asked: ec2=" + busy + " comes before it and failed"},
			},
			wantText: []string{"status 503"},
		},
		{
			name: "one that lies ends the search", specs: []string{"file=" + missing, "ec2=" + lying, "file=" + config},
			want: decisions{
				{Source: "file=" + missing, Reason: "file: absent: ..."},
				{Source: "ec2=" + lying, Reason: "ec2: meta-data/instance-id: ..."},
				{Source: "file=" + config, Reason: "not asked: ec2=" + lying + " comes before it and failed"},
			},
			wantText: []string{"missing.yaml", "is not one word"},
		},
		{
			name: "named and absent", specs: []string{"file=" + missing, "ec2=" + other}, absent: true,
			want: decisions{
				{Source: "file=" + missing, Reason: "file: absent: ..."},
				{Source: "ec2=" + other, Reason: "ec2: no session tokens..."},
			},
			wantText: []string{"missing.yaml", "no IMDSv2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := metadatatest.NewClock()
			env := datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Limits: datasources.Limits{Overall: 10 * time.Second}}
			data, got, err := catalog.Fetch(t.Context(), env, tt.specs)
			for i := range got {
				if waits := got[i].Took > 9*time.Second; waits != (tt.waits && i == 0) {
					t.Errorf("%s was asked for %v", got[i].Source, got[i].Took)
				}
				got[i].Took = 0
				if i < len(tt.want) {
					if start, open := strings.CutSuffix(tt.want[i].Reason, "..."); open && strings.HasPrefix(got[i].Reason, start) {
						got[i].Reason = tt.want[i].Reason
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if waited := clock.Since() > 9*time.Second; waited != tt.waits {
				t.Errorf("asked for %v", clock.Since())
			}
			if tt.from != "" {
				if err != nil {
					t.Fatal(err)
				}
				if data.Meta.Datasource != tt.from || data.Meta.Version != 1 || string(data.UserData) != tt.userData || data.Name != tt.dataName {
					t.Errorf("data %+v", data)
				}
				return
			}
			if err == nil || errors.Is(err, datasources.ErrAbsent) != (tt.absent || len(tt.wantText) > 1) {
				t.Fatalf("error %v", err)
			}
			for _, text := range tt.wantText {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q lacks %q", err, text)
				}
			}
			if diff := cmp.Diff(datasources.Data{}, data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func serve(t *testing.T, h *metadatatest.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestNothingNamed(t *testing.T) {
	data, _, err := catalog.Fetch(t.Context(), datasources.Env{}, nil)
	want := datasources.Data{Meta: schema.Metadata{Version: 1, Datasource: "none"}}
	if diff := cmp.Diff(want, data); diff != "" || err != nil {
		t.Errorf("error %v, %s", err, diff)
	}
}

func TestSpecs(t *testing.T) {
	for _, tt := range []struct{ name, spec, want string }{
		{"another name", "aws", `datasource "aws": there is none of this name (known: file, `},
		{"a letter too few", "fil=x", `did you mean "file"?`},
		{"a letter too many", "files=x", `did you mean "file"?`},
		{"another letter", "ec1", `did you mean "ec2"?`},
		{"letters swapped", "flie=x", `did you mean "file"?`},
		{"letter case", "EC2", `did you mean "ec2"?`},
		{"nothing", "", "there is none of this name"},
		{"a file without a path", "file", "it needs a path: file=PATH"},
		{"a file with an empty path", "file=", "it needs a path: file=PATH"},
		{"a service without a scheme", "ec2=169.254.169.254", "the address is no URL"},
		{"a URL without a name", "http://me:s3cret@host/?token=s3cret", `datasource "(a URL without a name before it)": there is none of this name`},
		{"a URL with a slash too few", "url=http:/me:s3cret@host/?token=s3cret", `datasource "url=(unreadable URL)": the address`},
		{"a URL without a colon", "url=http//me:s3cret@host/?token=s3cret", `datasource "url=(unreadable URL)": the address`},
		{"a URL with a secret", "ec2=http://me:s3cret@host/?token=s3cret", `datasource "ec2=http://host/?token=...": the address has more`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The first is well named and must not be asked before the second is found wrong.
			data, decisions, err := catalog.Fetch(t.Context(), datasources.Env{}, []string{"file=/dev/null", tt.spec})
			var spec *catalog.SpecError
			if !errors.As(err, &spec) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %q tells a secret", err)
			}
			if decisions != nil || data.UserData != nil {
				t.Errorf("decisions %v", decisions)
			}
		})
	}
}

func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range catalog.Entries() {
		if e.Name == "" || seen[e.Name] || strings.ContainsAny(e.Name, "= ") {
			t.Errorf("name %q", e.Name)
		}
		seen[e.Name] = true
		arg := "http://127.0.0.1:1"
		if e.ArgHelp == "" {
			arg = ""
		} else if !strings.HasPrefix(strings.Trim(e.ArgHelp, "[]"), "=") {
			t.Errorf("%s: argument %q", e.Name, e.ArgHelp)
		}
		if e.Help == "" {
			t.Errorf("%s has no help", e.Name)
		}
		source, err := e.New(datasources.Env{}, arg)
		if err != nil || source.Name() != e.Name {
			t.Errorf("%s: makes %v, error %v", e.Name, source, err)
		}
	}
}

// A metadata service at a routed address is asked only if TLS or the owner of the image vouches for it.
func TestRoutedServices(t *testing.T) {
	for _, name := range []string{"ec2", "gce", "openstack", "azure", "digitalocean", "hetzner", "brightbox"} {
		for _, tt := range []struct {
			address  string
			insecure bool
			asked    bool
			proof    trust.Proof
		}{
			{"http://192.0.2.1", false, false, ""},
			{"http://[2001:db8::1]", false, false, ""},
			{"http://192.0.2.1", true, true, trust.None},
			{"https://192.0.2.1", false, true, trust.TLS},
			{"http://169.254.169.254", false, true, ""},
			{"", false, true, ""},
		} {
			var asked atomic.Bool // some ask from several goroutines
			env := datasources.Env{
				Root: t.TempDir(), Limits: datasources.Limits{Overall: 200 * time.Millisecond}, Trust: trust.Policy{Insecure: tt.insecure},
				Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					asked.Store(true)
					return nil, errors.New("nobody there")
				}),
			}
			data, _, err := catalog.Fetch(t.Context(), env, []string{strings.TrimSuffix(name+"="+tt.address, "=")})
			if said := err != nil && strings.Contains(err.Error(), "trust: {insecure: yes}"); asked.Load() != tt.asked || said == tt.asked || data.Proof != tt.proof {
				t.Errorf("%s=%s, insecure %v: asked %v, proof %q, error %v", name, tt.address, tt.insecure, asked.Load(), data.Proof, err)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
