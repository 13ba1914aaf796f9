// Package record keeps what a datasource decided and was told, whole, and gives it again without a network.
//
// A [Recorder] listens to a run by its Answered, and [Recorder.JSON] is the file. [New] is the datasource that reads
// such a file: what the original gave, and from the same file every answer that is asked for later. A record has
// everything that is secret in user-data and metadata: it is for root alone.
package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

const (
	// MaxBodies is how much is kept of all answers together: 64 MiB.
	MaxBodies  = 64 << 20
	maxAnswers = 4096

	sameAsUserData = "user_data"
)

// Record is the JSON of a record.
type Record struct {
	// Version is that of the form: 1.
	Version int `json:"version"`
	// Made is when, in UTC.
	Made time.Time `json:"made"`
	// Platform is what the machine ran on, "" if that is not known.
	Platform  string                 `json:"platform,omitempty"`
	Decisions []datasources.Decision `json:"decisions"`
	Data      Data                   `json:"data"`
	// Answers are in the order in which each was first given.
	Answers []Answer `json:"answers"`
	// Omitted counts the answers that were too many to be kept.
	Omitted int `json:"omitted,omitempty"`
	// WithoutBodies says that the settings want no user-data kept: there is none in Data, and no answer has a body.
	WithoutBodies bool `json:"without_bodies,omitempty"`
}

// Data is what the source gave; see [datasources.Data].
type Data struct {
	UserData []byte          `json:"user_data"`
	Name     string          `json:"name"`
	Meta     schema.Metadata `json:"metadata"`
	Vendor   []Document      `json:"vendor,omitempty"`
	Network  []Document      `json:"network,omitempty"`
	Tree     map[string]any  `json:"tree,omitempty"`
	Routed   bool            `json:"routed,omitempty"`
	Proof    trust.Proof     `json:"proof,omitempty"`
	From     string          `json:"from,omitempty"`
}

// Document is a text of the platform's.
type Document struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Bytes []byte `json:"bytes"`
}

// Answer is one exchange; see [datasources.Answer].
type Answer struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Status int         `json:"status,omitempty"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
	Err    string      `json:"error,omitempty"`
	// SameAs is "user_data" if the body is that of Data, which is not written twice.
	SameAs string `json:"same_as,omitempty"`
	// SizeBytes is how long the body is, if it is left out.
	SizeBytes int `json:"left_out_bytes,omitempty"`
	// At is when it came for the last time, in UTC, and Times how often it came the same in a row.
	At    time.Time `json:"at"`
	Times int       `json:"times"`
}

// Recorder collects answers. It may be used by several goroutines.
type Recorder struct {
	now func() time.Time

	mu      sync.Mutex
	answers []Answer
	last    map[string]int // the last answer to a question
	bytes   int
	omitted int
}

// NewRecorder makes a recorder with a clock.
func NewRecorder(now func() time.Time) *Recorder {
	return &Recorder{now: now, last: map[string]int{}}
}

// Answered keeps an answer. One that is the same as the one before to the same question is counted, not kept again: a
// service that is not up yet is asked hundreds of times.
func (r *Recorder) Answered(a datasources.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made := Answer{Method: a.Method, URL: a.URL, Status: a.Status, Header: needed(a.Header), Body: a.Body, Err: a.Err, At: r.now().UTC().Round(0), Times: 1}
	question := a.Method + " " + a.URL
	at, asked := r.last[question]
	if asked && isSame(r.answers[at], made) {
		r.answers[at].At = made.At
		r.answers[at].Times++
		return
	}
	if len(r.answers) == maxAnswers {
		r.omitted++
		if !asked {
			return
		}
		// The newest answer to a question is the one that counts.
		r.bytes -= len(r.answers[at].Body)
		r.answers[at] = r.bounded(made)
		return
	}
	r.last[question] = len(r.answers)
	r.answers = append(r.answers, r.bounded(made))
}

// Reached gives what of makes of the URL of an answer, of the first one that it takes; "" if it takes none.
func (r *Recorder) Reached(of func(url string) (string, bool)) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.answers {
		if a.Status != 0 {
			if s, ok := of(a.URL); ok {
				return s
			}
		}
	}
	return ""
}

// bounded is an answer without its body if that would be too much.
func (r *Recorder) bounded(a Answer) Answer {
	if len(a.Body) > MaxBodies-r.bytes {
		a.Body, a.SizeBytes = nil, len(a.Body)
	}
	r.bytes += len(a.Body)
	return a
}

func isSame(a, b Answer) bool {
	return a.Status == b.Status && a.Err == b.Err && a.SizeBytes == 0 && bytes.Equal(a.Body, b.Body)
}

// needed is what of a header says something about the answer.
func needed(h http.Header) http.Header {
	var out http.Header
	for _, key := range []string{"Content-Type", "Content-Encoding", "Date", "Location", "Metadata-Flavor", "Retry-After", "Server"} {
		if v := h.Values(key); len(v) > 0 {
			if out == nil {
				out = http.Header{}
			}
			out[key] = v
		}
	}
	return out
}

// JSON is the record of a run that has come to data. Without bodies it has neither user-data nor what was answered.
func (r *Recorder) JSON(platform string, decisions []datasources.Decision, data datasources.Data, bodies bool) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Record{
		Version: 1, Made: r.now().UTC().Round(0), Platform: platform, Decisions: decisions, Omitted: r.omitted, WithoutBodies: !bodies,
		Data:    Data{Name: data.Name, Meta: data.Meta, Routed: data.Routed, Proof: data.Proof, From: data.From},
		Answers: append([]Answer{}, r.answers...),
	}
	if out.Decisions == nil {
		out.Decisions = []datasources.Decision{}
	}
	if bodies {
		out.Data.UserData, out.Data.Tree = data.UserData, data.Tree
		out.Data.Vendor, out.Data.Network = documents(data.Vendor), documents(data.Network)
		for i, a := range out.Answers {
			if len(a.Body) > 0 && bytes.Equal(a.Body, data.UserData) {
				out.Answers[i].Body, out.Answers[i].SameAs = nil, sameAsUserData
			}
		}
	} else {
		for i, a := range out.Answers {
			out.Answers[i].Body, out.Answers[i].SizeBytes = nil, max(a.SizeBytes, len(a.Body))
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write the record: %w", err)
	}
	return append(text, '\n'), nil
}

func documents(all []datasources.Document) []Document {
	var out []Document
	for _, d := range all {
		out = append(out, Document{d.Name, d.Kind, d.Bytes})
	}
	return out
}
