// Command packages makes what is installed beside the program, and packages of it. None of it is in the program.
//
//	packages share DIR VERSION BINARY    man pages, completions and licences below DIR, as below /usr/share
//	packages build TREE OUT VERSION ARCH a .deb and an .rpm of what "make install DESTDIR=TREE" made, in OUT
//
// Both give the same bytes for the same input and the same $SOURCE_DATE_EPOCH. The working directory is the top of the
// project.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	date, err := sourceDate()
	if err != nil {
		return err
	}
	switch {
	case len(args) == 4 && args[0] == "share":
		return errors.Join(manPages(args[1]+"/man", args[2], date), completions(args[1]), licences(args[1]+"/doc/provisioner", args[3]))
	case len(args) == 5 && args[0] == "build":
		return build(args[1], args[2], packageVersion(args[3], date), args[4], date)
	}
	return errors.New("usage: packages share DIR VERSION BINARY, or packages build TREE OUT VERSION ARCH")
}

// sourceDate is the time that everything is dated with.
func sourceDate() (time.Time, error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// packageVersion is a version that dpkg and rpm can compare: "1.2.0" of v1.2.0, "1.2.0+3.g0123abc" of what comes after it,
// "0~20261128.0123abc" where there is no tag.
func packageVersion(version string, date time.Time) string {
	if number, ok := strings.CutPrefix(version, "v"); ok && number != "" && number[0] >= '0' && number[0] <= '9' {
		return strings.ReplaceAll(strings.Replace(number, "-", "+", 1), "-", ".")
	}
	return "0~" + date.Format("20060102") + "." + strings.ReplaceAll(version, "-", ".")
}
