package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/schema"
	"cloudconfig/schema/source"
)

func TestCommands(t *testing.T) {
	run := func(name, text string) schema.Command { return schema.Command{Name: name, Text: text} }
	for _, test := range []struct {
		name, text string
		want       schema.Config
	}{
		{"texts and lists", "runcmd: ['a $b', [echo, $b, \"it's\", 5, yes]]", schema.Config{
			RunCommands: []schema.Command{run("runcmd[0]", "a $b"), run("runcmd[1]", `'echo' '$b' 'it'\''s' '5' 'yes'`)}}},
		{"what is nothing counts and does not run", "runcmd: [null, '', [], a]", schema.Config{RunCommands: []schema.Command{run("runcmd[3]", "a")}}},
		{"mappings", "bootcmd: [{command: a, on-error: continue}, {command: [b], on_error: stop}]", schema.Config{
			BootCommands: []schema.Command{{Name: "bootcmd[0]", Text: "a", Continue: true}, run("bootcmd[1]", "'b'")}}},
		{"off", "power_state: {mode: poweroff}", schema.Config{PowerState: schema.PowerState{Mode: "poweroff"}}},
		{"later", "power_state: {mode: reboot, delay: +5, message: bye, timeout: 3, condition: test -e /x}", schema.Config{
			PowerState: schema.PowerState{Mode: "reboot", DelayMinutes: 5, Message: "bye", Condition: "test -e /x"}}},
		{"now", "power_state: {mode: halt, delay: now, condition: true}", schema.Config{PowerState: schema.PowerState{Mode: "halt"}}},
		{"a number of minutes", "power_state: {mode: halt, delay: 10, condition: [a, b c]}", schema.Config{PowerState: schema.PowerState{Mode: "halt", DelayMinutes: 10, Condition: "'a' 'b c'"}}},
		{"not at all", "power_state: {mode: halt, condition: no}", schema.Config{}},
		{"a program of that name", "power_state: {mode: halt, condition: 'false'}", schema.Config{PowerState: schema.PowerState{Mode: "halt", Condition: "false"}}},
		{"a message", "final_message: $uptime", schema.Config{FinalMessage: val("$uptime")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := decode("user-data", []byte("#cloud-config\n"+test.text+"\n"))
			got.Hidden = nil
			if diff := cmp.Diff(&test.want, got, values); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The commands of parts come one after the other, vendor data first; of power_state the later one wins.
func TestCommandsOfParts(t *testing.T) {
	file := func(name, text string) *source.File {
		return &source.File{Name: name, Bytes: []byte("#cloud-config\n" + text + "\n")}
	}
	got, _ := schema.Decode(schema.Input{
		Vendor: []*source.File{file("vendor", "runcmd: [a]\npower_state: {mode: halt, delay: 5}")},
		Files:  []*source.File{file("one", "runcmd: [b]"), file("two", "runcmd: [[c]]\npower_state: {mode: reboot}")},
	})
	want := []schema.Command{{Name: "runcmd[0]", Text: "a"}, {Name: "runcmd[1]", Text: "b"}, {Name: "runcmd[2]", Text: "'c'"}}
	if diff := cmp.Diff(want, got.RunCommands, values); diff != "" {
		t.Error(diff)
	}
	if p := got.PowerState; p.Mode != "reboot" || p.DelayMinutes != 5 {
		t.Errorf("%+v", p)
	}
}
