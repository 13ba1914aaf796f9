//go:build linux

package firstboot_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/metadatatest"
	"cloudconfig/provisioner/firstboot"
	"cloudconfig/provisioner/report"
)

// What a boot waited for is in its report, with how long that took: nobody has to guess.
func TestWaitsAreInTheReport(t *testing.T) {
	server := httptest.NewServer(metadatatest.EC2(metadatatest.Example(), metadatatest.Fault{Trouble: metadatatest.Status, Code: 503, Path: "/latest/user-data"}))
	defer server.Close()
	clock := metadatatest.NewClock()
	m := newMachine(t, nil)
	r, _ := m.run(firstboot.Apply, func(e *firstboot.Env) {
		e.Datasources = []string{"ec2=" + server.URL}
		e.Sources.Now, e.Sources.Sleep, e.Now = clock.Now, clock.Sleep, clock.Now
		e.Sources.Limits = datasources.Limits{Overall: 20 * time.Second}
	})
	if r.State != report.Failed || r.FailedStage == "" {
		t.Errorf("%s in %q", r.State, r.FailedStage)
	}
	var waits []report.Awaited
	for _, s := range r.Stages {
		if s.Name == "fetch" {
			waits = s.Waits
		}
	}
	if len(waits) != 1 || !strings.HasPrefix(waits[0].What, "datasource ec2=") || waits[0].DurationMS < 18_000 {
		t.Errorf("fetch waited for %+v", waits)
	}
}

// What was fetched is known by its size and digest, and by no word of it.
func TestWhatWasFetched(t *testing.T) {
	m := fromFile(t, config)
	r, _ := m.run(firstboot.Apply)
	if f := r.Fetched; f == nil || f.UserDataBytes != int64(len(config)) || len(f.UserDataSHA256) != 64 || f.Parts != 1 {
		t.Errorf("%+v", f)
	}
}
