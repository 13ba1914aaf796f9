package plan

import (
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

const (
	timesyncd     = "systemd-timesyncd.service"
	timesyncdFile = "etc/systemd/timesyncd.conf.d/20-provisioner.conf"
	resolved      = "systemd-resolved.service"
	resolvedFile  = "etc/systemd/resolved.conf.d/20-provisioner.conf"
)

// ntp plans the servers of systemd-timesyncd, and that it is started at boot. Where a distribution has another
// service for the time, that one stays as it is: both would set the clock, and their units rule each other out.
//
// Source: timesyncd.conf(5) of systemd 252: what is assigned adds to what other files have, and an empty value
// clears the list.
func (c *computation) ntp() {
	n := c.Config.System.NTP
	if n.At.IsZero() || n.Enabled.Set && !n.Enabled.V {
		return
	}
	unit := c.find(timesyncd)
	switch other := c.otherTimeService(); {
	case other != "":
		c.report(rules.TimeServiceMissing, n.At, "%s keeps the time on this machine: ntp is not applied", other)
		return
	case !unit.exists():
		c.report(rules.TimeServiceMissing, n.At, "%s is not on this machine: ntp is not applied", timesyncd)
		return
	case unit.masked:
		c.report(rules.TimeServiceMissing, n.At, "%s is masked on this machine: ntp is not applied", timesyncd)
		return
	}
	servers, why, ok := c.words(slices.Concat(n.Servers, n.Pools))
	if !ok {
		return
	}
	files := []string{}
	if len(servers) > 0 {
		c.serviceFile(timesyncdFile, "[Time]\nNTP=\nNTP="+strings.Join(servers, " ")+"\n", why)
		files = append(files, timesyncdFile)
	}
	before := len(c.order)
	u := schema.Unit{At: n.At, Name: schema.Value[string]{V: timesyncd}, Enable: schema.Value[bool]{V: true, At: n.At}}
	c.enable(&u, c.plannedDropIns())
	for _, cl := range c.order[before:] {
		files = append(files, cl.want.Path)
	}
	c.restart(timesyncd, "restart", n.At, files...)
}

// otherTimeService is the service that is enabled and keeps the time instead of systemd-timesyncd, or "".
func (c *computation) otherTimeService() string {
	for _, name := range []string{"chronyd.service", "chrony.service", "ntpsec.service", "ntpd.service", "ntp.service", "openntpd.service"} {
		if kind, _ := c.will("etc/systemd/system/multi-user.target.wants/" + name); kind == fsroot.Link {
			return name
		}
	}
	return ""
}

// resolver plans the servers and search domains of systemd-resolved.
//
// Source: resolved.conf(5) of systemd 252: what is assigned adds to what other files have, and an empty value
// clears the list.
func (c *computation) resolver() {
	r := c.Config.System.Resolver
	if r.At.IsZero() {
		return
	}
	switch unit := c.find(resolved); {
	case !unit.exists():
		c.report(rules.ResolverMissing, r.At, "%s is not on this machine: resolv_conf is not applied", resolved)
		return
	case unit.masked:
		c.report(rules.ResolverMissing, r.At, "%s is masked on this machine: resolv_conf is not applied", resolved)
		return
	}
	servers, why, ok := c.words(r.Nameservers)
	if !ok {
		return
	}
	search := r.SearchDomains
	if r.Domain.Set && r.Domain.V != "" {
		search = slices.Concat([]schema.Value[string]{r.Domain}, search)
	}
	domains, more, ok := c.words(search)
	if !ok || len(servers)+len(domains) == 0 {
		return
	}
	text := "[Resolve]\n"
	if len(servers) > 0 {
		text += "DNS=\nDNS=" + strings.Join(servers, " ") + "\n"
	}
	if len(domains) > 0 {
		text += "Domains=\nDomains=" + strings.Join(domains, " ") + "\n"
	}
	c.serviceFile(resolvedFile, text, append(why, more...))
	c.restart(resolved, "try-restart", r.At, resolvedFile)
}

// words are values that become words of a line, each once; ok is false, and reported, if one would be more.
func (c *computation) words(values []schema.Value[string]) (words []string, why []source.Range, ok bool) {
	for _, v := range values {
		word, ok := c.oneLine(v)
		if !ok {
			return nil, nil, false
		}
		if strings.ContainsAny(word, " \t") {
			c.report(rules.OneLine, v.At, "the value has a blank in it").Secret = true
			return nil, nil, false
		}
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
			why = append(why, v.At)
		}
	}
	return words, why, true
}

// serviceFile plans a settings file of a service, which everybody may read as they may the service's own.
func (c *computation) serviceFile(file, text string, why []source.Range) {
	c.put(&Change{Kind: WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(text), Why: unique(why)})
}
