package firstboot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloudconfig/provisioner/report"
	"cloudconfig/schema/diag"
)

// How long a platform may keep us that is told how the boot went: on the first boot of an instance, when it waits for
// that, and on a later one, when it may not have heard it.
const (
	reportTime      = 30 * time.Second
	reportLaterTime = 5 * time.Second
)

// tellPlatform tells the platform, if it is one that is to know, that the configuration is committed or that it is not.
// That it cannot be told is said on the console, and changes nothing else. On a later boot a platform that knows it all
// is told again: the power may have gone between the commit and the report.
func (r *run) tellPlatform(ctx context.Context, st report.State) {
	committed := st == report.Done || st == report.Degraded
	if !r.Live || r.data.Reporter == nil || r.later && !committed {
		return
	}
	patience := reportTime
	if r.later {
		patience = reportLaterTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer r.waiting("the platform, to be told")()
	if err := r.data.Reporter.Report(ctx, committed, r.whyNot(st)); err != nil {
		r.say("report", "the platform could not be told how it went: %v", err)
	}
}

// whyNot is why nothing was committed, without a word of the user's; "" if it was.
func (r *run) whyNot(st report.State) string {
	switch {
	case st == report.Refused:
		var places []string
		for _, d := range r.found {
			const shown = 3
			if d.Severity == diag.Error && len(places) < shown {
				places = append(places, fmt.Sprintf("%s [%s]", d.Subject, d.Rule.ID))
			}
		}
		return "the configuration is refused: " + strings.Join(places, ", ")
	case st == report.Failed && len(r.Errors) > 0:
		return r.Errors[0]
	}
	return ""
}
