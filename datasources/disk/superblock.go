package disk

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
)

const (
	isoSector     = 2048
	isoStart      = 16 * isoSector
	maxVolumes    = 16       // descriptors that are looked at
	maxRootFolder = 64 << 10 // bytes of FAT's root folder that are looked at
)

// hasUDF says that the files are in a UDF file system, too: a disk can have both, with names that differ. Source:
// ECMA-167 (3rd edition, 1997) part 2 section 9.1: the descriptors of both stand in one sequence.
func hasUDF(r io.ReaderAt) bool {
	var id [6]byte
	for n := range int64(2 * maxVolumes) {
		if _, err := r.ReadAt(id[:], isoStart+n*isoSector); err != nil {
			return false
		}
		switch string(id[1:]) {
		case "NSR02", "NSR03":
			return true
		case "CD001", "BEA01", "BOOT2", "CDW02":
		default:
			return false
		}
	}
	return false
}

// superblock is what a file system says of itself.
type superblock struct {
	kind          string // ISO9660 or VFAT
	label, second string
}

// readSuperblock looks for the label of a file system. One without a label is none that anybody looks for.
func readSuperblock(r io.ReaderAt) (superblock, bool) {
	b, ok := readISO9660(r)
	if !ok {
		b, ok = readFAT(r)
	}
	if b.label == "" {
		b.label, b.second = b.second, ""
	}
	if b.second == b.label {
		b.second = ""
	}
	return b, ok && b.label != ""
}

// readISO9660 reads the volume descriptors, which begin at sector 16. The primary one has the label in ASCII; one that
// Joliet has for itself has it in UCS-2, and so in small letters or with a hyphen, where the primary one, by the letter,
// has only capitals. Source: ECMA-119 (4th edition, 2019) 8.4 and 8.5; Joliet Specification (1995) section 2.
func readISO9660(r io.ReaderAt) (b superblock, ok bool) {
	var sector [isoSector]byte
	for n := range int64(maxVolumes) {
		if _, err := r.ReadAt(sector[:], isoStart+n*isoSector); err != nil || string(sector[1:6]) != "CD001" {
			break
		}
		const primary, supplementary, terminator = 1, 2, 255
		name := sector[40:72]
		switch escape := string(sector[88:91]); {
		case sector[0] == terminator:
			return b, ok
		case sector[0] == primary && !ok:
			b.kind, b.label, ok = ISO9660, label(name), true
		case sector[0] == supplementary && (escape == "%/@" || escape == "%/C" || escape == "%/E"):
			var units []uint16
			for i := 0; i < len(name); i += 2 {
				units = append(units, binary.BigEndian.Uint16(name[i:]))
			}
			b.second = label([]byte(string(utf16.Decode(units))))
		}
	}
	return b, ok
}

// readFAT reads the boot sector, which has a label, and the root folder, which may have another: tools that change a
// label often change that one alone. Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03 (2000).
func readFAT(r io.ReaderAt) (superblock, bool) {
	var boot [512]byte
	if _, err := r.ReadAt(boot[:], 0); err != nil || boot[510] != 0x55 || boot[511] != 0xAA {
		return superblock{}, false
	}
	u16 := func(at int) int64 { return int64(binary.LittleEndian.Uint16(boot[at:])) }
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(boot[at:])) }
	bytesPerSector, perCluster, reserved, tables := u16(11), int64(boot[13]), u16(14), int64(boot[16])
	media := boot[21]
	if !isPower(bytesPerSector, 512, 4096) || !isPower(perCluster, 1, 128) || reserved == 0 || tables == 0 || tables > 2 || media != 0xF0 && media < 0xF8 {
		return superblock{}, false
	}
	b := superblock{kind: VFAT}
	entries, size := u16(17), u16(22)
	extended := 38 // where the part begins that has the label
	var at, length int64
	switch {
	case size != 0 && entries != 0: // FAT12 or FAT16, whose root folder has a place of its own
		at, length = (reserved+tables*size)*bytesPerSector, entries*32
	case size == 0 && entries == 0 && u32(36) != 0 && u32(44) >= 2:
		extended = 66
		at, length = (reserved+tables*u32(36)+(u32(44)-2)*perCluster)*bytesPerSector, perCluster*bytesPerSector
	default:
		return superblock{}, false
	}
	if boot[extended] == 0x29 {
		b.second = label(boot[extended+5 : extended+16])
	}
	folder := make([]byte, min(length, maxRootFolder))
	if n, err := r.ReadAt(folder, at); err == nil || err == io.EOF {
		b.label = folderLabel(folder[:n])
	}
	return b, true
}

func isPower(n, from, to int64) bool { return n >= from && n <= to && n&(n-1) == 0 }

// folderLabel is the entry of a root folder that is a label; it is the first, as a rule.
func folderLabel(folder []byte) string {
	const free, isVolume, isFolder, isLongName = 0xE5, 0x08, 0x10, 0x0F
	for ; len(folder) >= 32 && folder[0] != 0; folder = folder[32:] {
		attributes := folder[11]
		if folder[0] != free && attributes&0x3F != isLongName && attributes&(isVolume|isFolder) == isVolume {
			return label(folder[:11])
		}
	}
	return ""
}

// label is a label without its filler; "" for one that nobody looks for, which may be any bytes.
func label(raw []byte) string {
	text := strings.TrimRight(string(raw), " \x00")
	if text == "NO NAME" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return text
}
