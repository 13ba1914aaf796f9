package firstboot

import (
	"context"

	"cloudconfig/provisioner/arp"
	"cloudconfig/provisioner/plan"
)

// askForHolders asks whether somebody else has addresses that the plan gives to the machine, each once in a run. That takes
// about a second. Where nobody can be asked they count as free: what is not right with them shows once they are used.
func (r *run) askForHolders(ctx context.Context, claims []plan.Claim, f *plan.Facts) {
	if r.holders == nil {
		r.holders = map[plan.Claim]string{}
	}
	f.Holders = r.holders
	var asked []arp.Claim
	for _, c := range claims {
		if _, done := r.holders[c]; !done {
			asked = append(asked, arp.Claim(c))
			r.holders[c] = ""
		}
	}
	if len(asked) == 0 || r.offline {
		return
	}
	r.say("plan", "asking for a second whether somebody has one of %d new addresses", len(asked))
	defer r.waiting("others who have a new address")()
	conflicts, err := arp.Probe(ctx, asked)
	if err != nil {
		r.say("plan", "%v", err)
	}
	for _, c := range conflicts {
		r.holders[plan.Claim(c.Claim)] = c.MAC
	}
}
