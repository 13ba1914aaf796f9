package assemble_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cloudconfig/datasources/assemble"
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// What is small and becomes large is stopped early: what is allocated in all, garbage included, has a bound that does
// not depend on what it would become.
func TestBombs(t *testing.T) {
	zeros := make([]byte, assemble.MaxBytes)
	again := func(b []byte) []byte { return bytes.Repeat(b, 64) } // 2 GiB in all
	wide := []byte("\x28\xb5\x2f\xfd\x00\xa0")                    // a window of 1 GiB
	small := packXZ(t, []byte("#!/bin/sh\n"))
	huge := withWindow(small, 40) // of 4 GiB
	archive := func(depth int) string {
		text := "#!/bin/sh\n"
		for range depth {
			text = "#cloud-config-archive\n- |\n  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
		}
		return text
	}
	aliases := "#cloud-config-archive\n- &a \"#!" + strings.Repeat("x", 1<<20) + "\"\n" + strings.Repeat("- *a\n", 900)
	for _, tt := range []struct {
		name  string
		in    []byte
		rule  *diag.Rule
		parts int
		most  uint64 // MiB
	}{
		{"gzip", again(pack(t, zeros)), rules.TooLarge, 0, 256},
		{"gzip in gzip", pack(t, again(pack(t, zeros))), rules.TooLarge, 0, 256},
		{"gzip in base64", inBase64(again(pack(t, zeros))), rules.TooLarge, 0, 300},
		{"xz", again(packXZ(t, zeros)), rules.TooLarge, 0, 300},
		{"zstd", again(packZstd(t, zeros)), rules.TooLarge, 0, 256},
		{"zstd with a large window", wide, rules.DecompressionFailed, 0, 32},
		{"xz with a large window that it does not need", huge, nil, 1, 32},
		{"xz in many blocks, each with a window of its own", bytes.Repeat(huge, 1000), rules.DecompressionFailed, 0, 2048},
		{"archives inside each other", []byte(archive(assemble.MaxNesting)), nil, 1, 32},
		{"archives too deep inside each other", []byte(archive(assemble.MaxNesting + 1)), rules.TooLarge, 0, 32},
		{"an archive of aliases", []byte(aliases), rules.YAMLTooLarge, 4, 128},
		{"an archive of too many parts", []byte("#cloud-config-archive\n" + strings.Repeat("- \"#!/bin/sh\"\n", assemble.MaxParts)), rules.TooLarge, assemble.MaxParts - 1, 64},
		{"archives of packed archives", packedArchives(t, 4), rules.TooLarge, 3, 512},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r, err := assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: tt.in}, assemble.Options{})
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			has := func(d diag.Diagnostic) bool { return d.Rule == tt.rule }
			if tt.rule == nil && len(r.Found) > 0 || tt.rule != nil && !slices.ContainsFunc(r.Found, has) || len(r.Parts) != tt.parts {
				t.Errorf("%d parts, found %.300s", len(r.Parts), told(assemble.Result{Found: r.Found}))
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > tt.most {
				t.Errorf("%d MiB were allocated, %d are allowed", mib, tt.most)
			}
		})
	}
}

// withWindow is xz data whose first block says that it needs a window of another size, which is a code of the format's.
func withWindow(b []byte, code byte) []byte {
	b = bytes.Clone(b)
	header := b[12 : 12+4*(int(b[12])+1)]
	at := bytes.Index(header, []byte{0x21, 1})
	header[at+2] = code
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	return b
}

// packedArchives is an archive of parts that are archives of 20 MiB once unpacked.
func packedArchives(t *testing.T, n int) []byte {
	inner := inBase64(pack(t, append([]byte("#!/bin/sh\n"), make([]byte, 20<<20)...)))
	var b strings.Builder
	b.WriteString("#cloud-config-archive\n")
	for range n {
		fmt.Fprintf(&b, "- %s\n", inner)
	}
	return []byte(b.String())
}
