// Package datasources says what a datasource is: where a machine's user-data and metadata come from.
//
// Each datasource has a folder of its own; package catalog has the table of all, in the order they are tried.
package datasources

import (
	"context"
	"errors"
	"net/http"
	"time"

	"cloudconfig/datasources/clock"
	"cloudconfig/datasources/trust"
	"cloudconfig/schema"
)

// Data is what a datasource gave.
type Data struct {
	// UserData is as the platform has it, still compressed or encoded; nil if there is none.
	UserData []byte
	// Name is how diagnostics call the user-data: "user-data", or the path of a file.
	Name string
	Meta schema.Metadata
	// Vendor are documents of the platform's own, in the order in which they are merged before user-data. They are as
	// the platform has them, still compressed or encoded.
	Vendor []Document
	// Network are the platform's descriptions of the machine's network, the best first.
	Network []Document
	// Tree is what the platform says as a tree of maps, lists, texts, numbers and truth values, for templates:
	// "meta_data" at its top.
	Tree map[string]any
	// Notes are what the owner of the machine should be told of how this was fetched, a line each, which can be printed.
	Notes []string
	// Routed says that the metadata came over a network that others can be on, without anything that proves
	// where it is from: nobody is let in by it before user-data is checked.
	Routed bool
	// Proof is what shows where the user-data is from; "" for a disk and for the platform's own channel.
	Proof trust.Proof
	// From is the URL that user-data is from, which what it includes may be relative to; "" for none. Its query may be
	// secret.
	From string
	// Trust is what was asked of user-data, and is asked of what it includes; nil means Env.Trust.
	Trust *trust.Policy
	// Reporter, if not nil, is the source itself, whose platform is to know how the first boot ended.
	Reporter Reporter
	// Transport, if not nil, is what every later request is answered by, whatever its scheme: the source is a record.
	Transport http.RoundTripper
}

// Document is a text of the platform's.
type Document struct {
	// Name is how diagnostics call it: "vendor-data", "network-config".
	Name string
	// Kind is the form of a description of the network: "openstack" (network_data.json), "rackspace" (network_info),
	// "debian" (interfaces), "cloud-init" (network-config of version 1 or 2), "ec2", "gce", "digitalocean", "vmware", "azure",
	// "hetzner". "" for others.
	Kind  string
	Bytes []byte
}

// Source is one datasource, ready to be asked.
type Source interface {
	// Name is what --datasource calls it: "ec2".
	Name() string
	// Fetch asks once for everything. It wraps ErrAbsent if this machine is not on that platform, which is
	// definitive, and ErrNotReady if it should be asked again; anything else ends the search. A source that is
	// asked again may keep what it was told before. It is not called twice at the same time.
	Fetch(ctx context.Context) (Data, error)
}

// Reporter is a source whose platform is to know how the first boot of an instance ended: it waits to be told, or it
// keeps values where others on the machine can read them until they were used.
type Reporter interface {
	// Report tells the platform that the configuration was committed, or that it was not and why: in words of ours,
	// without a secret. It asks again until it is heard or the context ends, and may be called after any Fetch.
	Report(ctx context.Context, ready bool, reason string) error
}

var (
	// ErrAbsent says that the machine is not on the platform, or that the thing asked for is not there.
	ErrAbsent = errors.New("absent")
	// ErrNotReady says that the answer may come later.
	ErrNotReady = errors.New("not ready")
)

// Env is what a datasource may touch. The zero value is the real world.
type Env struct {
	// Root is the folder of the caller's file system below which /sys, /proc and disks are read; "/" normally.
	Root string
	// Transport makes connections; nil means one of our own, as package httpget describes it.
	Transport http.RoundTripper
	// Limits bounds what is waited for.
	Limits Limits
	// Policy is what the owner of the image allows.
	Policy Policy
	// Now and Sleep are the clock; nil means the real one. Sleep returns early with the context's error.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Awaited says that the machine is known to have the source, or that it is the only one named: a disk that is not
	// there yet is waited for. Without it, one that is not there when all devices are announced is absent.
	Awaited bool
	// Trust is what the image's owner asks of what comes over a routed network.
	Trust trust.Policy
	// Clock is what certificates are judged by; nil means Now, which nobody puts right.
	Clock *clock.Clock
	// Waiting, if not nil, is told in a line what is asked and what is waited for, the latter at most once in 15 s
	// for the same thing. It may be called from several goroutines.
	Waiting func(line string)
	// Answered, if not nil, is told every answer that a source was given, for the record. It may be called from several
	// goroutines.
	Answered func(Answer)
}

// Answer is one exchange of a datasource. It is told whole, with what is secret in it.
type Answer struct {
	// Method is "GET" or another of HTTP's, or "READ" for a file of a disk or a value of the hypervisor's.
	Method string
	// URL is what was asked for; of a file its device and path, "/dev/sr0:/openstack/latest/meta_data.json".
	URL string
	// Status and Header are those of an HTTP answer; 0 and nil if there is none, and for files.
	Status int
	Header http.Header
	// Body is not changed afterwards.
	Body []byte
	// Err is why there was no answer, "" if there was one.
	Err string
}

// Answer tells whoever keeps the record of an answer.
func (e Env) Answer(a Answer) {
	if e.Answered != nil {
		e.Answered(a)
	}
}

// Decision is what became of one datasource, and why.
type Decision struct {
	Source string `json:"source"` // "ec2", "file=PATH"; a URL is without user info and query values
	Taken  bool   `json:"taken"`
	Reason string `json:"reason"`
	// Took is how long it was asked.
	Took time.Duration `json:"-"`
}

// Policy is what the owner of the image allows beyond what is safe anywhere. The zero value allows nothing.
type Policy struct {
	// IMDSv1 takes version 1 of EC2's metadata service where there are no session tokens.
	IMDSv1 bool
	// Removable looks for configurations on removable disks.
	Removable bool
}

// Limits bounds what is waited for. A field that is 0 means what WithDefaults makes of it.
type Limits struct {
	// Connect is for making a connection, the look-up of the name included.
	Connect time.Duration
	// Answer is from a request to the first byte of its answer, and for each further piece of it.
	Answer time.Duration
	// Slow takes the place of Answer for a service that has not answered in time three times.
	Slow time.Duration
	// Overall is for one source or one URL, from the first question to the last answer. The deadline of a
	// context may come sooner.
	Overall time.Duration
}

// WithDefaults is the limits with 2 s, 4 s, 15 s and 5 minutes for what is 0.
func (l Limits) WithDefaults() Limits {
	if l.Connect == 0 {
		l.Connect = 2 * time.Second
	}
	if l.Answer == 0 {
		l.Answer = 4 * time.Second
	}
	if l.Slow == 0 {
		l.Slow = max(15*time.Second, l.Answer)
	}
	if l.Overall == 0 {
		l.Overall = 5 * time.Minute
	}
	return l
}
