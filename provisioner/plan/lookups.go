package plan

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxNames bounds the names that are waited for: an agent that cannot find one of many finds another.
const maxNames = 16

// lookUps are the names of hosts in the settings of agents that this plan starts, which must be found before they are:
// etcd ends, and is not started again, if its discovery service cannot be looked up.
func (c *computation) lookUps() {
	for i := range c.Config.Agents {
		a := &c.Config.Agents[i]
		unit := agentUnit(a.Name)
		if !slices.ContainsFunc(c.plan.Jobs, func(j Job) bool { return j.Unit == unit && j.Action != "stop" }) {
			continue
		}
		for _, s := range a.Settings {
			for _, item := range strings.Split(s.Value.V, ",") {
				name := hostIn(item)
				if name != "" && len(c.plan.Hosts) < maxNames && !slices.Contains(c.plan.Hosts, name) {
					c.plan.Hosts = append(c.plan.Hosts, name)
				}
			}
		}
	}
}

// hostIn is the name in a URL, with or without the name of a member and "=" in front; "" if it has an address or
// a variable there.
func hostIn(item string) string {
	if i := strings.Index(item, "://"); i < 0 {
		return ""
	} else if member := strings.LastIndexByte(item[:i], '='); member >= 0 {
		item = item[member+1:]
	}
	u, err := url.Parse(strings.TrimSpace(item))
	if err != nil {
		return ""
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || strings.ContainsAny(host, "$%") {
		return ""
	}
	return host
}
