package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/datasources/record"
	"cloudconfig/schema"
)

func example() datasources.Data {
	return datasources.Data{
		UserData: []byte("#cloud-config\n\xff"), Name: "user-data", Routed: true,
		Meta:    schema.Metadata{Version: 1, Datasource: "openstack", InstanceID: "i-1", SSHKeys: []string{"ssh-ed25519 AAAA"}},
		Vendor:  []datasources.Document{{Name: "vendor-data", Bytes: []byte("v")}},
		Network: []datasources.Document{{Name: "network-config", Kind: "openstack", Bytes: []byte("{}")}},
		Tree:    map[string]any{"meta_data": map[string]any{"n": json.Number("12345678901234567890"), "list": []any{"a", true, nil}}},
	}
}

func written(t *testing.T, r *record.Recorder, data datasources.Data, bodies bool) (path string, rec record.Record) {
	t.Helper()
	text, err := r.JSON("OpenStack", []datasources.Decision{{Source: "openstack", Taken: true, Reason: "it answered"}}, data, bodies)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "record.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	return path, rec
}

func replayed(path string) (datasources.Data, error) {
	s, err := record.New(datasources.Env{}, path)
	if err != nil {
		return datasources.Data{}, err
	}
	return s.Fetch(context.Background())
}

func TestWhatWasGivenIsGivenAgain(t *testing.T) {
	path, rec := written(t, record.NewRecorder(metadatatest.NewClock().Now), example(), true)
	data, err := replayed(path)
	if err != nil {
		t.Fatal(err)
	}
	if data.Transport == nil {
		t.Error("later requests would go to the network")
	}
	data.Transport = nil
	if diff := cmp.Diff(example(), data); diff != "" {
		t.Error(diff)
	}
	if rec.Version != 1 || rec.Platform != "OpenStack" || len(rec.Decisions) != 1 || rec.Made.Year() != 2026 {
		t.Errorf("record %+v", rec)
	}
	empty := datasources.Data{Name: "user-data", UserData: []byte{}}
	path, _ = written(t, record.NewRecorder(metadatatest.NewClock().Now), empty, true)
	if data, err = replayed(path); err != nil || data.UserData == nil || data.Tree != nil || data.Vendor != nil {
		t.Errorf("empty user-data is %+v, %v", data, err)
	}
}

// A client that is recorded, and one that is answered from the record, are told the same.
func TestAnswers(t *testing.T) {
	clock := metadatatest.NewClock()
	r := record.NewRecorder(clock.Now)
	busy := 5
	answers := map[string]func(http.ResponseWriter, *http.Request){
		"/text":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
		"/moved": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/text", http.StatusFound) },
		"/late": func(w http.ResponseWriter, _ *http.Request) {
			if busy--; busy > 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, "there")
		},
		"/none": http.NotFound,
	}
	env := datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Answered: r.Answered, Transport: served(func(w http.ResponseWriter, req *http.Request) {
		answers[req.URL.Path](w, req)
	})}
	ask := func(env datasources.Env) (told []string) {
		client := httpget.New(env, httpget.Options{})
		for _, url := range []string{"https://u:secret@a.example/text?token=hunter2", "https://a.example/moved", "https://a.example/late", "https://a.example/none"} {
			body, err := client.Get(t.Context(), url)
			told = append(told, fmt.Sprintf("%s %v %v", body, err, errors.Is(err, datasources.ErrAbsent)))
		}
		return told
	}
	first := ask(env)
	given := example()
	given.UserData = []byte("there") // what is given is one of the answers, and not written twice
	path, rec := written(t, r, given, true)
	data, err := replayed(path)
	if err != nil {
		t.Fatal(err)
	}
	offline := datasources.Env{Now: clock.Now, Sleep: clock.Sleep, Transport: data.Transport}
	before := clock.Since()
	if diff := cmp.Diff(first, ask(offline)); diff != "" {
		t.Error(diff)
	}
	_, err = httpget.New(offline, httpget.Options{}).Get(t.Context(), "https://a.example/other?token=hunter2")
	if !errors.Is(err, datasources.ErrAbsent) || !strings.Contains(err.Error(), "get https://a.example/other?token=...: the record has no answer to this") {
		t.Errorf("another question: %v", err)
	}
	if clock.Since() != before {
		t.Errorf("it was waited %v for answers that never come", clock.Since()-before)
	}
	var kept []string
	for _, a := range rec.Answers {
		kept = append(kept, fmt.Sprintf("%s %s %d %d times %q %s", a.Method, a.URL, a.Status, a.Times, a.Body, a.SameAs))
	}
	want := []string{
		`GET https://u:secret@a.example/text?token=hunter2 200 1 times "hello" `,
		`GET https://a.example/moved 302 1 times "<a href=\"/text\">Found</a>.\n\n" `,
		`GET https://a.example/text 200 1 times "hello" `,
		`GET https://a.example/late 503 4 times "" `,
		`GET https://a.example/late 200 1 times "" user_data`,
		`GET https://a.example/none 404 1 times "404 page not found\n" `,
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Error(diff)
	}
}

type served func(http.ResponseWriter, *http.Request)

func (s served) RoundTrip(req *http.Request) (*http.Response, error) {
	w := &answer{header: http.Header{}, status: 200}
	s(w, req)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())), Request: req}, nil
}

type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// An outage of hours, and a service that never says the same twice, do not fill a disk; the newest answer stays.
func TestBounds(t *testing.T) {
	clock := metadatatest.NewClock()
	r := record.NewRecorder(clock.Now)
	big := make([]byte, 33<<20)
	for i := range 2 {
		r.Answered(datasources.Answer{Method: "GET", URL: fmt.Sprint("http://big/", i), Status: 200, Body: big})
	}
	for i := range 10_000 {
		r.Answered(datasources.Answer{Method: "GET", URL: "http://a/", Status: 503, Body: fmt.Append(nil, i)})
	}
	r.Answered(datasources.Answer{Method: "GET", URL: "http://a/", Status: 200, Body: []byte("at last")})
	r.Answered(datasources.Answer{Method: "GET", URL: "http://b/", Status: 200, Body: []byte("too late")})
	_, rec := written(t, r, datasources.Data{}, true)
	total, leftOut := 0, 0
	for _, a := range rec.Answers {
		total += len(a.Body)
		if a.SizeBytes > 0 {
			leftOut++
		}
	}
	last := rec.Answers[len(rec.Answers)-1]
	if len(rec.Answers) != 4096 || total > record.MaxBodies || leftOut != 1 || string(last.Body) != "at last" {
		t.Errorf("%d answers, %d bytes, %d left out, the last %q", len(rec.Answers), total, leftOut, last.Body)
	}
	if want := 2 + 10_000 + 2 - 4096; rec.Omitted != want {
		t.Errorf("omitted %d, want %d", rec.Omitted, want)
	}
}

func TestWithoutBodies(t *testing.T) {
	r := record.NewRecorder(metadatatest.NewClock().Now)
	r.Answered(datasources.Answer{Method: "GET", URL: "http://a/", Status: 200, Body: []byte("hunter2")})
	path, rec := written(t, r, example(), false)
	if rec.Data.UserData != nil || rec.Data.Tree != nil || rec.Data.Vendor != nil || rec.Data.Network != nil || rec.Answers[0].Body != nil || rec.Answers[0].SizeBytes != 7 {
		t.Errorf("record %+v", rec)
	}
	if _, err := replayed(path); err == nil || !strings.Contains(err.Error(), "keep-user-data: no") {
		t.Errorf("error %v", err)
	}
}

func TestAnswersOfSeveralAtOnce(t *testing.T) {
	r := record.NewRecorder(metadatatest.NewClock().Now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				r.Answered(datasources.Answer{Method: "READ", URL: fmt.Sprint(i, "/", j), Body: []byte("x")})
			}
		})
	}
	wg.Wait()
	if _, rec := written(t, r, datasources.Data{}, true); len(rec.Answers) != 800 {
		t.Errorf("%d answers", len(rec.Answers))
	}
}

func TestNoRecord(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		text, want string
		absent     bool
	}{
		"missing":  {"", "no such file", true},
		"garbage":  {"hunter2", "is not a record", false},
		"later":    {`{"version": 2}`, "version 2 is not known", false},
		"of other": {`{"version": 1, "data": []}`, "is not a record", false},
	} {
		path := filepath.Join(dir, name)
		if tt.text != "" {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := replayed(path)
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, datasources.ErrAbsent) != tt.absent || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := replayed(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := record.New(datasources.Env{}, ""); err == nil {
		t.Error("a record without a path")
	}
}

func FuzzReplay(f *testing.F) {
	text, err := record.NewRecorder(metadatatest.NewClock().Now).JSON("", nil, example(), true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"answers":[{"method":"GET","url":"http://a/","status":-1,"header":{"\r\n":["x"]}}]}`))
	path := filepath.Join(f.TempDir(), "record.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := replayed(path)
		if err != nil {
			return
		}
		var rec record.Record
		if err := json.Unmarshal(text, &rec); err != nil {
			return
		}
		for _, a := range rec.Answers {
			req, err := http.NewRequest(a.Method, a.URL, nil)
			if err != nil {
				continue
			}
			if resp, err := data.Transport.RoundTrip(req); err == nil {
				if _, err := io.ReadAll(resp.Body); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
