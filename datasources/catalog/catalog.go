// Package catalog has the table of all datasources, in the order they are tried, and asks them.
//
// [Fetch] is the thing to call.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/address"
	"cloudconfig/datasources/azure"
	"cloudconfig/datasources/brightbox"
	"cloudconfig/datasources/cmdline"
	"cloudconfig/datasources/configdrive"
	"cloudconfig/datasources/digitalocean"
	"cloudconfig/datasources/ec2"
	"cloudconfig/datasources/endpoint"
	"cloudconfig/datasources/file"
	"cloudconfig/datasources/gce"
	"cloudconfig/datasources/hetzner"
	"cloudconfig/datasources/httpget"
	"cloudconfig/datasources/nocloud"
	"cloudconfig/datasources/openstack"
	"cloudconfig/datasources/record"
	"cloudconfig/datasources/trust"
	"cloudconfig/datasources/vmware"
	"cloudconfig/schema"
)

// Entry is a datasource that can be named.
type Entry struct {
	Name string
	// ArgHelp is the form of what may follow the name: "=PATH", in brackets if it may be left out.
	ArgHelp string
	// Help is one line on where the data comes from.
	Help string
	// Service says that what may follow the name is the address of a metadata service.
	Service bool
	// New makes the source; arg is "" if none was given. The error says what is wrong with arg.
	New func(env datasources.Env, arg string) (datasources.Source, error)
}

// Entries is every datasource, in the order they are tried. The slice is the caller's.
func Entries() []Entry {
	return []Entry{
		{
			Name: "file", ArgHelp: "=PATH", Help: "a file of this machine; it has no metadata",
			New: func(env datasources.Env, path string) (datasources.Source, error) {
				if path == "" {
					return nil, errors.New("it needs a path: file=PATH")
				}
				return file.New(env, path), nil
			},
		},
		{
			Name: "replay", ArgHelp: "=FILE", Help: "the record of an earlier run, without a network",
			New: record.New,
		},
		{
			Name: "url", ArgHelp: "=URL", Help: "a document at a URL of http, https or tftp; it has no metadata",
			New: address.New,
		},
		{
			Name: "cmdline", Help: "the URL on the kernel command line, cloud-config-url=",
			New: cmdline.New,
		},
		{
			Name: "nocloud", ArgHelp: "[=DIR|URL]", Help: "a disk labelled cidata, or a seed in a directory or at a URL",
			New: nocloud.New,
		},
		{
			Name: "configdrive", ArgHelp: "[=DIR]", Help: "a disk labelled config-2, or a directory with its files",
			New: configdrive.New,
		},
		{
			Name: "vmware", ArgHelp: "[=FILE]", Help: "guestinfo variables of a VMware hypervisor, or an OVF environment in a file",
			New: vmware.New,
		},
		{
			Name: "ec2", ArgHelp: "[=URL]", Service: true, Help: "the instance metadata service of Amazon EC2 (IMDSv2)",
			New: ec2.New,
		},
		{
			Name: "gce", ArgHelp: "[=URL]", Service: true, Help: "the metadata server of Google Compute Engine",
			New: gce.New,
		},
		{
			Name: "openstack", ArgHelp: "[=URL]", Service: true, Help: "the metadata service of OpenStack",
			New: openstack.New,
		},
		{
			Name: "azure", ArgHelp: "[=URL|DIR]", Service: true, Help: "Microsoft Azure's metadata service and provisioning media, or its agent's directory",
			New: azure.New,
		},
		{
			Name: "digitalocean", ArgHelp: "[=URL]", Service: true, Help: "the metadata service of a DigitalOcean Droplet",
			New: digitalocean.New,
		},
		{
			Name: "hetzner", ArgHelp: "[=URL]", Service: true, Help: "the metadata service of Hetzner Cloud",
			New: hetzner.New,
		},
		{
			Name: "brightbox", ArgHelp: "[=URL]", Service: true, Help: "the metadata service of Brightbox",
			New: brightbox.New,
		},
	}
}

// SpecError says that a datasource is not named as it should be: the caller's mistake, found before anything is
// asked.
type SpecError struct {
	Spec    string // as given, without user info and query values if it has a URL
	Problem string
}

func (e *SpecError) Error() string { return fmt.Sprintf("datasource %q: %s", e.Spec, e.Problem) }

type named struct {
	label  string
	source datasources.Source
	proof  trust.Proof // of a service at an address of its own
}

// errUnproven says that a service is not asked: whoever is in between could answer.
var errUnproven = errors.New("nothing shows that a service at a routed address is the platform's; use https, or let the settings of the image say trust: {insecure: yes}")

// proofOf is what shows that a service at an address is the one that is meant: "" for one on our link or of this
// machine, of which the platform takes care.
func proofOf(e Entry, address string) trust.Proof {
	if !e.Service || address == "" {
		return ""
	}
	base, routed, err := endpoint.Parse(address)
	switch {
	case err != nil || !routed:
		return ""
	case strings.HasPrefix(base, "https:"):
		return trust.TLS
	}
	return trust.None
}

// fetch asks once.
func (s named) fetch(ctx context.Context, env datasources.Env) (datasources.Data, error) {
	if s.proof == trust.None && !env.Trust.Insecure {
		return datasources.Data{}, fmt.Errorf("%s: %w", s.source.Name(), errUnproven)
	}
	data, err := s.source.Fetch(ctx)
	if s.proof != "" {
		data.Proof = s.proof
	}
	return data, err
}

// Fetch asks the datasources named by specs ("file=PATH", "ec2", "ec2=URL"), which are in the order of their
// priority, until one has an answer. One that wraps datasources.ErrAbsent is passed over. One that is not ready
// is asked again until env.Limits.Overall is over for all of them together, and then the search ends in its
// error: a later one never wins because an earlier one is slow. The error has the cause of every source that was
// asked, and is a *[SpecError] if a spec is wrong. There is a decision for every source, the error or not. With an
// error there may be data all the same: the metadata of a source of which only the user-data was not to be had.
//
// Without specs nothing is asked, and the metadata has the datasource "none".
func Fetch(ctx context.Context, env datasources.Env, specs []string) (datasources.Data, []datasources.Decision, error) {
	if len(specs) == 0 {
		return datasources.Data{Meta: schema.Metadata{Version: 1, Datasource: "none"}}, nil, nil
	}
	env.Awaited = env.Awaited || len(specs) == 1
	sources, err := parse(env, specs)
	if err != nil {
		return datasources.Data{}, nil, err
	}
	return ask(ctx, env, sources)
}

// FetchLocal is Fetch from those that come first and are local, for a time without a network: the others are not asked, and
// there is no decision for them. If the first is not local, nothing is asked, as without specs.
func FetchLocal(ctx context.Context, env datasources.Env, specs []string) (datasources.Data, []datasources.Decision, error) {
	env.Awaited = env.Awaited || len(specs) == 1
	n := 0
	for n < len(specs) && IsLocal(specs[n]) {
		n++
	}
	if n == 0 {
		return Fetch(ctx, env, nil)
	}
	sources, err := parse(env, specs[:n])
	if err != nil {
		return datasources.Data{}, nil, err
	}
	return ask(ctx, env, sources)
}

func ask(ctx context.Context, env datasources.Env, sources []named) (datasources.Data, []datasources.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, env.Limits.WithDefaults().Overall)
	defer cancel()

	decisions := make([]datasources.Decision, len(sources))
	for i, s := range sources {
		decisions[i].Source = s.label
	}
	var causes []error
	var data datasources.Data
	now := env.Now
	if now == nil {
		now = time.Now
	}
	for i, s := range sources {
		began := now()
		err := env.Retry(ctx, "datasource "+s.label, func(ctx context.Context) (err error) {
			data, err = s.fetch(ctx, env)
			return err
		})
		decisions[i].Took = now().Sub(began)
		if r, ok := s.source.(datasources.Reporter); ok && !errors.Is(err, datasources.ErrAbsent) {
			data.Reporter = r
		}
		if err == nil {
			decisions[i].Taken, decisions[i].Reason = true, strings.Join(append([]string{"it answered"}, data.Notes...), "; ")
			skip(decisions[i+1:], s.label+" comes before it and was taken")
			return data, decisions, nil
		}
		decisions[i].Reason = err.Error()
		causes = append(causes, err)
		if !errors.Is(err, datasources.ErrAbsent) {
			skip(decisions[i+1:], s.label+" comes before it and failed")
			break
		}
	}
	return data, decisions, errors.Join(causes...)
}

// Names are the names of all datasources, in the order they are tried.
func Names() []string {
	var names []string
	for _, e := range Entries() {
		names = append(names, e.Name)
	}
	return names
}

// Label is a spec as it may be printed: a URL is without user info and query values, also one that was mistyped.
func Label(spec string) string {
	name, arg, hasArg := strings.Cut(spec, "=")
	switch {
	case strings.ContainsAny(name, ":/@?"):
		return "(a URL without a name before it)"
	case strings.ContainsAny(arg, "@?") && !strings.Contains(arg, "://") && (strings.Contains(arg, ":/") || strings.Contains(arg, "//")):
		return name + "=(unreadable URL)"
	case strings.Contains(arg, "://"):
		return name + "=" + httpget.Redact(arg)
	case hasArg:
		return name + "=" + arg
	}
	return name
}

// IsLocal says that what a spec names is a disk of this machine or a channel of its hypervisor, so that nobody on the
// network can answer in its place.
func IsLocal(spec string) bool {
	name, arg, _ := strings.Cut(spec, "=")
	switch name {
	case "file", "replay", "configdrive", "vmware":
		return true
	case "nocloud":
		return !strings.Contains(arg, "://")
	}
	return false
}

// HasMetadata says that what a spec names can tell who the machine is, and who may log in: a document alone cannot.
func HasMetadata(spec string) bool {
	name, _, _ := strings.Cut(spec, "=")
	return name != "file" && name != "url" && name != "cmdline"
}

// Check says what is wrong with the first of specs that is not as it should be, as a *[SpecError]. It asks nothing.
func Check(specs []string) error {
	_, err := parse(datasources.Env{}, specs)
	return err
}

func skip(rest []datasources.Decision, reason string) {
	for i := range rest {
		rest[i].Reason = "not asked: " + reason
	}
}

// parse makes the sources of all specs, or says what is wrong with the first wrong one.
func parse(env datasources.Env, specs []string) ([]named, error) {
	sources := make([]named, 0, len(specs))
	for _, spec := range specs {
		name, arg, _ := strings.Cut(spec, "=")
		label := Label(spec)
		entry, err := lookup(name)
		if err == nil {
			var source datasources.Source
			if source, err = entry.New(env, arg); err == nil {
				sources = append(sources, named{label, source, proofOf(entry, arg)})
				continue
			}
		}
		return nil, &SpecError{Spec: label, Problem: err.Error()}
	}
	return sources, nil
}

func lookup(name string) (Entry, error) {
	for _, e := range Entries() {
		if e.Name == name {
			return e, nil
		}
	}
	names := Names()
	problem := "there is none of this name"
	if near := nearest(name, names); near != "" {
		problem += fmt.Sprintf(", did you mean %q?", near)
	}
	return Entry{}, fmt.Errorf("%s (known: %s)", problem, strings.Join(names, ", "))
}

// nearest is the first name that one slip, or other letter case, would turn into the word; "" if there is none.
func nearest(word string, names []string) string {
	word = strings.ToLower(word)
	for _, name := range names {
		if oneSlip(word, name) || oneSlip(name, word) {
			return name
		}
	}
	return ""
}

// oneSlip says that a becomes b by nothing, by dropping or changing one letter, or by swapping two neighbours.
func oneSlip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) {
		return i == len(b)
	}
	rest := a[i+1:]
	switch {
	case rest == b[i:], i < len(b) && rest == b[i+1:]:
		return true
	}
	return len(a) == len(b) && i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
