package plan

import (
	"slices"
	"strings"

	"cloudconfig/provisioner/fsroot"
	"cloudconfig/schema"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/unitfile"
)

// agentSecrets has a file for each agent with secret settings. A drop-in is world-readable, as is what
// "systemctl show" prints of it, and these agents take no credentials: so their secrets are in the
// environment, from a file that only root, and so only systemd, can read.
const agentSecrets = "run/systemd/provisioner"

// agents plans the settings of etcd, etcd2, fleet and locksmith as a drop-in 20-cloudinit.conf for each, below
// /run as coreos-cloudinit has it, and those of flannel as its options.env. A setting that the user wrote is
// there even if it is false, 0 or empty. Nothing is started: that is for the user's units to say.
func (c *computation) agents() {
	for i := range c.Config.Agents {
		a := &c.Config.Agents[i]
		if len(a.Settings) == 0 {
			continue
		}
		if a.Name == "flannel" {
			c.flannel(a)
		} else {
			c.dropIn(a)
		}
	}
}

// dropIn plans the drop-in of one agent, and the file of its secrets.
func (c *computation) dropIn(a *schema.Agent) {
	var lines, secrets strings.Builder
	lines.WriteString("[Service]\n")
	for _, s := range a.Settings {
		value, ok := c.oneLine(s.Value)
		if !ok {
			continue
		}
		if s.Secret {
			secrets.WriteString(s.Variable + "=" + environmentValue(value) + "\n")
			continue
		}
		quoted, err := unitfile.Quote(s.Variable + "=" + value)
		if err != nil {
			c.report(rules.OneLine, s.Value.At, "%s: %v", s.Key, err)
			continue
		}
		lines.WriteString("Environment=" + quoted + "\n")
	}
	why := []source.Range{a.At}
	if secrets.Len() > 0 {
		file := agentSecrets + "/" + a.Name + ".env"
		lines.WriteString("EnvironmentFile=/" + file + "\n")
		c.put(&Change{Kind: MakeDirectory, Path: agentSecrets, Attr: fsroot.Attr{Mode: 0o700}, Why: why})
		c.put(&Change{Kind: WriteFile, Path: file, Attr: fsroot.Attr{Mode: 0o600}, Data: []byte(secrets.String()), Secret: true, Why: why})
	}
	c.put(&Change{
		Kind: WriteFile, Path: "run/systemd/system/" + agentUnit(a.Name) + ".d/20-cloudinit.conf",
		Attr: fsroot.Attr{Mode: 0o644}, Data: []byte(lines.String()), Why: why,
	})
}

// agentUnit is the unit of an agent.
func agentUnit(agent string) string {
	switch agent {
	case "locksmith":
		return locksmith
	case "flannel":
		return flanneld
	}
	return agent + ".service"
}

// flannel plans flannel's settings, which its unit reads as an environment file.
func (c *computation) flannel(a *schema.Agent) {
	want := Change{Kind: WriteFile, Path: "run/flannel/options.env", Attr: fsroot.Attr{Mode: 0o644}, Why: []source.Range{a.At}}
	for _, s := range a.Settings {
		value, ok := c.oneLine(s.Value)
		if !ok {
			continue
		}
		want.Data = append(want.Data, s.Variable+"="+environmentValue(value)+"\n"...)
		if s.Secret {
			want.Secret, want.Attr.Mode = true, 0o600
		}
	}
	c.put(&want)
}

// environmentValue writes a value for a file that systemd reads with EnvironmentFile=. It is bare wherever
// systemd takes that literally, so that docker's --env-file, which knows no quotes, reads the same.
//
// Source: systemd 252, src/basic/env-file.c.
func environmentValue(value string) string {
	if strings.Trim(value, " \t") == value && !strings.ContainsRune(value, '\\') && !strings.HasPrefix(value, `"`) && !strings.HasPrefix(value, "'") {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(value) + `"`
}

const (
	locksmith    = "locksmithd.service"
	updateEngine = "update-engine.service"
)

// updateJobs makes the agents take up /etc/coreos/update.conf: locksmithd by a restart, or stopped and masked
// until the next boot if the strategy is "off", and the update engine by a restart. Where the file says it
// already, nothing is restarted. A mask that is the user's own, in this configuration or in /etc, stays.
func (c *computation) updateJobs() {
	u := &c.Config.Update
	if !u.RebootStrategy.Set && !u.Group.Set && !u.Server.Set {
		return
	}
	changed := c.changes(updateFile)
	if u.RebootStrategy.Set && u.RebootStrategy.V != "" {
		c.rebootStrategy(u.RebootStrategy, changed)
	}
	for _, v := range []schema.Value[string]{u.Group, u.Server} {
		if v.Set && changed {
			c.agentJob(updateEngine, "restart", v.At)
			break
		}
	}
}

func (c *computation) rebootStrategy(strategy schema.Value[string], changed bool) {
	why := []source.Range{strategy.At}
	mask := "run/systemd/system/" + locksmith
	if strategy.V == "off" {
		if !c.find(locksmith).exists() {
			return // then nobody reboots
		}
		c.put(&Change{Kind: MakeLink, Path: mask, Target: devNull, Why: why})
		if changed || c.changes(mask) {
			c.plan.Jobs = append(c.plan.Jobs, Job{Unit: locksmith, Action: "stop", Once: true, Why: why})
		}
		return
	}
	if slices.ContainsFunc(c.Config.Units, func(u schema.Unit) bool { return u.Name.V == locksmith && u.Mask.V }) {
		return
	}
	masked := c.isMask(mask)
	if masked {
		c.put(&Change{Kind: Remove, Path: mask, Why: why})
	}
	if changed || masked {
		c.agentJob(locksmith, "restart", strategy.At)
	}
}

// agentJob asks for a job of an agent that may not be there.
func (c *computation) agentJob(unit, action string, at source.Range) {
	switch f := c.find(unit); {
	case !f.exists():
		c.report(rules.AgentMissing, at, "%s is not on this machine", unit)
	case !f.masked:
		c.plan.Jobs = append(c.plan.Jobs, Job{Unit: unit, Action: action, Once: true, Why: []source.Range{at}})
	}
}

// changes says whether what is planned at a path is other than what is there.
func (c *computation) changes(p string) bool {
	cl := c.claimAt(p)
	return cl != nil && !cl.want.IsAlready(cl.seen)
}
