package accounts

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// defs is what login.defs(5) and useradd(8)'s defaults say. The values are those of shadow-utils where the
// files are silent.
type defs struct {
	uidMin, uidMax, sysUIDMin, sysUIDMax int
	gidMin, gidMax, sysGIDMin, sysGIDMax int
	subUIDMin, subUIDMax, subUIDCount    int
	subGIDMin, subGIDMax, subGIDCount    int
	passMin, passMax, passWarn           string // days, as text; empty for no limit
	inactive, expire                     string // days, as text; empty for never
	homeMode                             uint32
	userGroups                           bool
	home, shell, group, skel             string
}

func parseDefs(loginDefs, defaults []byte) defs {
	login := map[string]string{}
	for raw := range bytes.Lines(loginDefs) {
		f := strings.Fields(string(raw))
		if len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
			login[f[0]] = strings.Trim(f[1], `"`)
		}
	}
	parse := func(key string, base, otherwise int) int {
		n, err := strconv.ParseUint(login[key], base, 32)
		if err != nil {
			return otherwise
		}
		return int(n)
	}
	number := func(key string, otherwise int) int { return parse(key, 0, otherwise) }
	days := func(key string) string {
		if n := number(key, -1); n >= 0 {
			return strconv.Itoa(n)
		}
		return ""
	}
	d := defs{
		uidMin: number("UID_MIN", 1000), uidMax: number("UID_MAX", 60000),
		gidMin: number("GID_MIN", 1000), gidMax: number("GID_MAX", 60000),
		sysUIDMin: number("SYS_UID_MIN", 101), sysGIDMin: number("SYS_GID_MIN", 101),
		subUIDMin: number("SUB_UID_MIN", 100000), subUIDMax: number("SUB_UID_MAX", 600100000), subUIDCount: number("SUB_UID_COUNT", 65536),
		subGIDMin: number("SUB_GID_MIN", 100000), subGIDMax: number("SUB_GID_MAX", 600100000), subGIDCount: number("SUB_GID_COUNT", 65536),
		passMin: days("PASS_MIN_DAYS"), passMax: days("PASS_MAX_DAYS"), passWarn: days("PASS_WARN_AGE"),
		userGroups: !strings.EqualFold(login["USERGROUPS_ENAB"], "no"),
		home:       "/home", shell: "/bin/bash", group: "100", skel: "etc/skel",
	}
	d.sysUIDMax, d.sysGIDMax = number("SYS_UID_MAX", d.uidMin-1), number("SYS_GID_MAX", d.gidMin-1)
	d.homeMode = uint32(parse("HOME_MODE", 8, 0o777&^parse("UMASK", 8, 0o022))) & 0o7777

	for raw := range bytes.Lines(defaults) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(raw)), "=")
		if !ok {
			continue
		}
		switch key {
		case "HOME":
			d.home = value
		case "SHELL":
			d.shell = value
		case "GROUP":
			d.group = value
		case "SKEL":
			d.skel = strings.Trim(value, "/")
		case "INACTIVE":
			if n, err := strconv.Atoi(value); err == nil && n >= 0 {
				d.inactive = strconv.Itoa(n)
			}
		case "EXPIRE":
			if t, err := time.Parse(time.DateOnly, value); err == nil {
				d.expire = strconv.FormatInt(t.Unix()/secondsPerDay, 10)
			}
		}
	}
	return d
}

const secondsPerDay = 24 * 60 * 60
