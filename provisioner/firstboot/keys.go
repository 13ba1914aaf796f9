package firstboot

import (
	"context"

	"cloudconfig/provisioner/fingerprints"
	"cloudconfig/provisioner/hostkeys"
	"cloudconfig/provisioner/report"
)

// showKeys keeps the host keys for the report, and prints what is to be printed of keys to the console itself.
func (r *run) showKeys(ctx context.Context) {
	k := r.request.Keys
	keys, err := fingerprints.Await(ctx, r.Root, k.Host && r.Live, r.Now)
	if err != nil {
		r.say("report", "%v", err)
	}
	r.HostKeys = fingerprintsOf(keys)
	if err := fingerprints.Print(r.Root, r.Terminal, k, keys); err != nil {
		r.say("report", "the fingerprints of keys cannot be printed: %v", err)
	}
}

// fingerprintsOf are host keys as a report has them.
func fingerprintsOf(keys []hostkeys.Key) (out []report.HostKey) {
	for _, k := range keys {
		out = append(out, report.HostKey{Type: k.Type, Bits: k.Bits, Fingerprint: k.Fingerprint})
	}
	return out
}
