package report

import (
	"encoding/json"

	"cloudconfig/provisioner/handoff"
)

// maxTold bounds each list of what others are told, so that it is less than half a MiB.
const maxTold = 50

// Told is what the server at report-url is told of a run: what everybody on the machine may know of it, and who the
// machine is. There is nothing in it of the user's text.
type Told struct {
	Status
	InstanceID string `json:"instance_id,omitempty"`
	Hostname   string `json:"hostname,omitempty"`
	// Configuration is the SHA-256, in hex, of the user-data as it was fetched.
	Configuration string `json:"configuration,omitempty"`
	// ChangeCount is how many changes were committed; Changes are not told.
	ChangeCount int       `json:"change_count"`
	HostKeys    []HostKey `json:"host_keys,omitempty"`
	Versions    Versions  `json:"versions"`
}

// Tell is the report as others are told it, as JSON.
func (r *Report) Tell(hostname string, keys []HostKey) ([]byte, error) {
	t := Told{Status: r.Status, Hostname: printable(hostname), ChangeCount: len(r.Changes), HostKeys: keys, Versions: r.Versions}
	t.PID, t.Changes = 0, nil
	t.Diagnostics = first(&t.Omitted, t.Diagnostics)
	t.Errors, t.Warnings = first(&t.Omitted, t.Errors), first(&t.Omitted, t.Warnings)
	t.Kept, t.Orphans = first(&t.Omitted, t.Kept), first(&t.Omitted, t.Orphans)
	t.Stages = first(&t.Omitted, t.Stages)
	bad := []handoff.Outcome{}
	for _, j := range t.Jobs {
		if !j.OK() {
			bad = append(bad, j)
		}
	}
	t.Jobs = first(&t.Omitted, bad)
	if r.Metadata != nil {
		t.InstanceID = r.Metadata.InstanceID
	}
	if r.Fetched != nil {
		t.Configuration = r.Fetched.UserDataSHA256
	}
	return json.Marshal(t)
}

// first is the beginning of a list; what is left out is counted.
func first[T any](omitted *int, list []T) []T {
	n := min(len(list), maxTold)
	*omitted += len(list) - n
	return list[:n]
}
