package brightbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/assemble"
	"cloudconfig/datasources/brightbox"
	"cloudconfig/datasources/catalog"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

func TestLadder(t *testing.T) {
	metadatatest.Ladder(t, metadatatest.Platform{
		Serve:    metadatatest.ServeBrightbox,
		New:      brightbox.New,
		Requests: 10, Series: 3,
	})
}

// A server's user-data with the line ends of DOS, as its control panel makes them: every value is as from one without.
func TestFetch(t *testing.T) {
	i := metadatatest.ExampleBrightbox()
	i.UserData = []byte("#cloud-config\r\nhostname: web1\r\nwrite_files:\r\n- path: /etc/motd\r\n  content: |\r\n    hello\r\n    you\r\n")
	w := metadatatest.NewWorld(t, metadatatest.Brightbox(i), 0)
	data, decisions, err := catalog.Fetch(t.Context(), w.Env, []string{"brightbox=" + w.URL})
	if err != nil || decisions[0].Reason != "it answered" {
		t.Fatalf("error %v, decisions %+v", err, decisions)
	}
	want := schema.Metadata{
		Version: 1, Datasource: "brightbox", InstanceID: "srv-agvxl", Hostname: "srv-agvxl.gb1.brightbox.com",
		PublicIPv4: "203.0.113.7", PrivateIPv4: "10.240.177.218", PublicIPv6: "2001:db8::5", Zone: "gb1-b", InstanceType: "nano",
		SSHKeys: []string{i.Keys[0].OpenSSH},
	}
	if diff := cmp.Diff(want, data.Meta); diff != "" {
		t.Error(diff)
	}
	for _, r := range w.Handler.Requests() {
		if strings.HasPrefix(r, "PUT") {
			t.Errorf("asked for a token: %s", r)
		}
	}

	made, err := assemble.Parts(t.Context(), &source.File{Name: data.Name, Bytes: data.UserData}, assemble.Options{})
	if err != nil || made.Found.HasErrors() {
		t.Fatalf("error %v, findings %v", err, made.Found)
	}
	cfg, found := schema.Decode(schema.Input{Files: made.Parts, Now: w.Clock.Now()})
	if found.HasErrors() {
		t.Fatalf("findings %v", found)
	}
	if cfg.Hostname.V != "web1" || len(cfg.Files) != 1 || string(cfg.Files[0].Content.V) != "hello\nyou\n" {
		t.Errorf("hostname %q, files %+v", cfg.Hostname.V, cfg.Files)
	}
}

// A service with tokens is not well; one without an instance is none of Brightbox's, and not asked for more.
func TestAnotherPlatform(t *testing.T) {
	w := metadatatest.NewWorld(t, metadatatest.EC2(metadatatest.Example()), 0) // wants tokens: 401
	_, _, err := catalog.Fetch(t.Context(), w.Env, []string{"brightbox=" + w.URL})
	if err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("error %v", err)
	}
	if _, err := brightbox.New(datasources.Env{}, "169.254.169.254"); err == nil {
		t.Error("took an address that is no URL")
	}
	w = metadatatest.NewWorld(t, metadatatest.ServeBrightbox(nil, metadatatest.Fault{Trouble: metadatatest.Status, Code: 404}), 0)
	_, _, err = catalog.Fetch(t.Context(), w.Env, []string{"brightbox=" + w.URL})
	if n := len(w.Handler.Requests()); !errors.Is(err, datasources.ErrAbsent) || n != 2 {
		t.Errorf("error %v after %d requests", err, n)
	}
}
