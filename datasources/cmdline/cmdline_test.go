package cmdline_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/cmdline"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

// boot is a machine that was booted with a command line, and what its web server has: "SERVER" is its address.
func boot(t *testing.T, line string, insecure bool) (datasources.Source, *metadatatest.World, *[]string) {
	t.Helper()
	w := metadatatest.NewWorld(t, metadatatest.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/CZ3401HB2K.yaml":
			_, _ = w.Write([]byte("#cloud-config\nhostname: web1\n"))
		case "/empty":
		default:
			http.NotFound(w, r)
		}
	})), 0)
	w.Env.Root = t.TempDir()
	w.Env.Trust.Insecure = insecure
	for path, text := range map[string]string{
		"proc/cmdline": strings.ReplaceAll(line, "SERVER", w.URL), "sys/class/dmi/id/product_serial": "CZ3401HB2K\n",
	} {
		path = filepath.Join(w.Env.Root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	w.Env.Waiting = func(line string) { lines = append(lines, line) }
	s, err := cmdline.New(w.Env, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, w, &lines
}

func TestFetch(t *testing.T) {
	const url = "cloud-config-url=SERVER/${serial}.yaml"
	for _, tt := range []struct {
		name, line string
		strict     bool
		want       string // the user-data, "" for none
		wantErr    string
		class      error
	}{
		{name: "the document of this machine", line: "quiet " + url + " console=ttyS0", want: "#cloud-config\nhostname: web1\n"},
		{name: "with underscores", line: "cloud_config_url=SERVER/${serial}.yaml", want: "#cloud-config\nhostname: web1\n"},
		{name: "the last one wins", line: "cloud-config-url=SERVER/no-such " + url, want: "#cloud-config\nhostname: web1\n"},
		{name: "nothing in the document", line: "cloud-config-url=SERVER/empty"},
		{name: "nothing there", line: "cloud-config-url=SERVER/no-such", wantErr: "status 404", class: datasources.ErrAbsent},
		{name: "no parameter", line: "quiet", wantErr: "has no cloud-config-url=", class: datasources.ErrAbsent},
		{name: "an empty one", line: "cloud-config-url=", wantErr: "has no cloud-config-url=", class: datasources.ErrAbsent},
		{name: "for init", line: "-- " + url, wantErr: "has no cloud-config-url=", class: datasources.ErrAbsent},
		{name: "a variable that does not exist", line: "cloud-config-url=SERVER/${sysserial}", wantErr: `"sysserial" is not a variable of a URL`},
		{name: "a file", line: "cloud-config-url=file:///etc/passwd", wantErr: "the address is not a URL"},
		{name: "plain http that nothing proves", line: url, strict: true, wantErr: "http"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, w, _ := boot(t, tt.line, !tt.strict)
			data, err := s.Fetch(t.Context())
			if tt.wantErr != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "cmdline: ") || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				for _, class := range []error{datasources.ErrAbsent, datasources.ErrNotReady} {
					if errors.Is(err, class) != (tt.class == class) {
						t.Errorf("error %v is %v: %v", err, class, errors.Is(err, class))
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := datasources.Data{Name: "user-data", Meta: schema.Metadata{Version: 1, Datasource: "cmdline"}, Proof: trust.None, Routed: true, Trust: &w.Env.Trust}
			if tt.want != "" {
				want.UserData = []byte(tt.want)
			}
			if !strings.HasPrefix(data.From, w.URL+"/") || strings.Contains(data.From, "$") {
				t.Errorf("it is from %q", data.From)
			}
			data.From = ""
			if diff := cmp.Diff(want, data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The command line is public: what looks like a secret in its URL is told, once and without a word of it.
func TestSecretInTheURL(t *testing.T) {
	for query, told := range map[string]bool{"?token=canary": true, "?api_key=canary": true, "?mac=canary": false, "": false} {
		s, _, lines := boot(t, "cloud-config-url=SERVER/empty"+query, true)
		for range 2 {
			if _, err := s.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		all := strings.Join(*lines, "\n")
		if n := strings.Count(all, "seems to hold a secret"); n != 1 && told || n != 0 && !told {
			t.Errorf("%q: told %d times: %q", query, n, *lines)
		}
		if strings.Contains(all, "canary") {
			t.Errorf("the secret is printed: %q", *lines)
		}
	}
}

func TestInAContainer(t *testing.T) {
	s, w, _ := boot(t, "cloud-config-url=SERVER/empty", true)
	if err := os.MkdirAll(filepath.Join(w.Env.Root, "run/systemd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Env.Root, "run/systemd/container"), []byte("docker"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(t.Context()); !errors.Is(err, datasources.ErrAbsent) || len(w.Handler.Requests()) > 0 {
		t.Errorf("error %v, requests %q", err, w.Handler.Requests())
	}
}

// A server is announced once, and that it is slow is not forgotten, however often it is asked.
func TestAskedAgain(t *testing.T) {
	s, _, lines := boot(t, "cloud-config-url=SERVER/missing", true)
	for range 3 {
		if _, err := s.Fetch(t.Context()); !errors.Is(err, datasources.ErrAbsent) {
			t.Errorf("error %v", err)
		}
	}
	if len(*lines) != 1 {
		t.Errorf("said %q", *lines)
	}
}
