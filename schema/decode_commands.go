package schema

import (
	"fmt"
	"strconv"
	"strings"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/glyphs"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/script"
	"cloudconfig/schema/yamltree"
)

// commands reads bootcmd or runcmd. Items that run nothing are left out.
func (d *decoder) commands(m reader, key string) []Command {
	var out []Command
	for i, item := range m.items(key) {
		c := Command{At: findings.FirstLine(item.Range), Name: fmt.Sprintf("%s[%d]", key, i)}
		at, line := c.Name, item
		if item.Kind == yamltree.Mapping {
			im := d.mapping(item, language.At(key))
			line, at = im.node("command"), language.Join(at, "command")
			c.Continue = im.word("on_error").V == "continue"
		}
		if d.Bad[item] || line == nil || d.Bad[line] || line.Kind == yamltree.Null {
			continue
		}
		if c.Text = d.commandLine(line, at); c.Text != "" {
			out = append(out, c)
		}
	}
	return out
}

// commandLine is a command as a text for the shell, which takes the words of a list as they are; empty if it runs
// nothing.
//
// Source: cloud-init, cloudinit/util.py, shellify, at 26.2 (2026-08).
func (d *decoder) commandLine(n *yamltree.Node, at string) string {
	if n.Kind == yamltree.Scalar {
		p := findings.Passage{Path: at, Node: n, Text: n.Value}
		d.Slips(p, script.CheckCommand(n.Value))
		d.Slips(p, glyphs.Hidden(n.Value))
		if strings.TrimSpace(n.Value) == "" {
			d.runsNothing(n, at)
			return ""
		}
		return n.Value
	}
	var words []string
	for _, item := range n.Items {
		v := d.asText(item)
		if !v.Set {
			return ""
		}
		words = append(words, "'"+strings.ReplaceAll(v.V, "'", `'\''`)+"'")
	}
	if len(words) == 0 || n.Items[0].Value == "" {
		d.runsNothing(n, at)
		return ""
	}
	if program, rest, more := strings.Cut(n.Items[0].Value, " "); more && len(words) == 1 && (!strings.Contains(program, "/") || strings.HasPrefix(rest, "-")) {
		d.ReportAt(rules.CommandWords, at+"[0]", n.Items[0].Range, "the whole of this is taken for the name of a program").Detail = "write the words as items of the list, or the command as a text without the list"
	}
	return strings.Join(words, " ")
}

func (d *decoder) runsNothing(n *yamltree.Node, at string) {
	d.ReportAt(rules.CommandEmpty, at, n.Range, "%s runs nothing", at).Detail = "leave it out"
}

// readPowerState reads power_state. One with a condition of false asks for nothing.
func (d *decoder) readPowerState(m reader) {
	n := m.node("power_state")
	if n == nil {
		return
	}
	pm := d.mapping(n, language.At("power_state"))
	p := PowerState{At: findings.FirstLine(n.Range), Mode: pm.word("mode").V, Message: pm.text("message").V}
	if delay := pm.text("delay").V; delay != "" && delay != "now" {
		// The table has let a number through and nothing else; one that is too large for a number is the largest.
		p.DelayMinutes, _ = strconv.Atoi(strings.TrimPrefix(delay, "+"))
	}
	if when := pm.node("condition"); when != nil {
		if wanted, isSwitch := language.AsBoolean(when); isSwitch && when.Style == yamltree.Plain {
			if !wanted {
				return
			}
		} else if p.Condition = d.commandLine(when, "power_state.condition"); p.Condition == "" {
			return // which is told
		}
	}
	if p.Mode != "" {
		d.config.PowerState = p
	}
}
