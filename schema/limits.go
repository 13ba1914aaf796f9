package schema

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// platformLimits are how many bytes of user-data a platform takes, as they are before base64; smallest first.
//
// Sources, read in November 2026: EC2 User Guide, "Work with instance user data"; Hetzner Cloud API, "Create a
// server" (32,768); OpenStack Nova, "Provide user data to instances" (65,535 bytes of base64); Microsoft, "Custom
// data and cloud-init on Azure Virtual Machines"; vmware-tanzu/vm-operator#138; Compute Engine API, metadata items.
var platformLimits = []struct {
	name  string
	bytes int
}{
	{"EC2", 16 << 10},
	{"Hetzner Cloud", 32 << 10},
	{"OpenStack", 65535 / 4 * 3},
	{"Azure", 64 << 10},
	{"VMware", 64 << 10},
	{"Compute Engine", 256 << 10},
}

// size says which platforms do not take user-data of this many bytes, and that the smallest limit is near.
func (d *decoder) size(f *source.File, raw []byte) {
	smallest := platformLimits[0]
	n := len(raw)
	if n <= smallest.bytes/10*8 {
		return
	}
	at := f.Range(0, 0)
	if n <= smallest.bytes {
		d.ReportAt(rules.PlatformSize, "", at, "%d bytes of the %d that %s takes", n, smallest.bytes, smallest.name)
		return
	}
	var names []string
	for _, p := range platformLimits {
		if n > p.bytes {
			names = append(names, p.name)
		}
	}
	s := d.ReportAt(rules.PlatformSize, "", at, "%d bytes are more than %s take", n, strings.Join(names, ", "))
	if len(names) == 1 {
		s.Summary = fmt.Sprintf("%d bytes are more than the %d that %s takes", n, smallest.bytes, smallest.name)
	}
	s.Detail = "leave contents out and fetch them at run time"
	// What is beyond every limit is not compressed on the off chance.
	if largest := platformLimits[len(platformLimits)-1].bytes; n <= 2*largest && !bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
		if packed := gzipped(raw); packed <= smallest.bytes {
			s.Detail = fmt.Sprintf("compress it: %d bytes with gzip -9, and it is read all the same", packed)
		} else if packed < n {
			s.Detail = fmt.Sprintf("compressed it would have %d bytes; %s", packed, s.Detail)
		}
	}
}

// gzipped is how many bytes a text has once it is compressed.
func gzipped(text []byte) int {
	var n counter
	z, err := gzip.NewWriterLevel(&n, gzip.BestCompression)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	z.Write(text)
	z.Close()
	return int(n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
