package disk_test

import (
	"bytes"
	"testing"

	"cloudconfig/datasources/disk"
)

func TestHasUDF(t *testing.T) {
	image := func(ids ...string) []byte {
		b := make([]byte, (17+len(ids))*2048)
		for i, id := range ids {
			copy(b[(16+i)*2048+1:], id)
		}
		return b
	}
	long := make([]string, 1000)
	for i := range long {
		long[i] = "CD001"
	}
	for _, tt := range []struct {
		name  string
		image []byte
		want  bool
	}{
		{"ISO 9660 alone", image("CD001", "CD001"), false},
		{"both", image("CD001", "CD001", "BEA01", "NSR02", "TEA01"), true},
		{"UDF alone", image("BEA01", "NSR03", "TEA01"), true},
		{"neither", image("", "NSR02"), false},
		{"a sequence without end", image(long...), false},
		{"an image that is cut short", image("CD001")[:17*2048], false},
	} {
		if got := disk.HasUDF(bytes.NewReader(tt.image)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
