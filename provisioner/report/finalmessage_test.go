package report_test

import (
	"testing"

	"cloudconfig/provisioner/report"
)

func TestFinalMessageValues(t *testing.T) {
	values := map[string]string{"uptime": "1.5", "version": "$uptime"}
	for text, want := range map[string]string{
		"up $uptime.": "up 1.5.",
		"${uptime}s $UPTIME {{uptime}} {{ Uptime }}": "1.5s 1.5 1.5 1.5",
		"$version": "$uptime", // no value is looked at again
		"$uptimes ${uptime $5 $$uptime {{uptime}": "$uptimes ${uptime $5 $1.5 {{uptime}",
		"{{ hostname }} {{":                       "{{ hostname }} {{",
		"$":                                       "$",
		"## template: jinja\n{{version}}\n":       "$uptime\n",
		"## template:basic":                       "",
		"é $uptime 日":                             "é 1.5 日",
	} {
		if got := report.FinalMessage(text, values); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}
