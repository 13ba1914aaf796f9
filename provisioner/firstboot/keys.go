package firstboot

import (
	"context"

	"cloudconfig/provisioner/fingerprints"
	"cloudconfig/provisioner/report"
)

// showKeys keeps the host keys for the report, and prints what is to be printed of keys to the console itself.
func (r *run) showKeys(ctx context.Context) {
	k := r.request.Keys
	keys, err := fingerprints.Await(ctx, r.Root, k.Host && r.Live, r.Now)
	if err != nil {
		r.say("report", "%v", err)
	}
	r.HostKeys = nil
	for _, key := range keys {
		r.HostKeys = append(r.HostKeys, report.HostKey{Type: key.Type, Bits: key.Bits, Fingerprint: key.Fingerprint})
	}
	if err := fingerprints.Print(r.Root, r.Terminal, k, keys); err != nil {
		r.say("report", "the fingerprints of keys cannot be printed: %v", err)
	}
}
