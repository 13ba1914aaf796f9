package review

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A pattern is made of path.Match's, with / between them; ** stands for any folders, none included.

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

var errPattern = errors.New("not a pattern; * ? [a-z] and ** mean something in one")

func checkPattern(pattern string) error {
	for _, part := range strings.Split(pattern, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return errPattern
		}
	}
	return nil
}

// matches says that a pattern is about a path, or about a folder that it is in.
func matches(pattern, name string) bool {
	parts, names := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(name, "/")
	if parts[len(parts)-1] != "**" {
		parts = append(parts, "**")
	}
	// As many folders as need be are given to the last ** seen; an earlier one never has to take more.
	i, j, star, mark := 0, 0, -1, 0
	for j < len(names) {
		if i < len(parts) && parts[i] == "**" {
			star, mark = i, j
			i++
			continue
		}
		if i < len(parts) {
			if ok, _ := path.Match(parts[i], names[j]); ok {
				i++
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(parts) && parts[i] == "**" {
		i++
	}
	return i == len(parts)
}

// expand is the regular files that a pattern matches, sorted. What is hidden has to be asked for by its dot, and no
// link is followed.
func expand(files fs.FS, pattern string) []string {
	parts := strings.Split(pattern, "/")
	if parts[len(parts)-1] == "**" {
		parts = append(parts, "*")
	}
	type visit struct {
		dir  string
		left int
	}
	seen := map[visit]bool{}
	var out []string
	var walk func(dir string, parts []string)
	walk = func(dir string, parts []string) {
		if v := (visit{dir, len(parts)}); seen[v] {
			return
		} else {
			seen[v] = true
		}
		entries, err := fs.ReadDir(files, dir)
		if err != nil {
			return // what cannot be looked into matches nothing, as in a shell
		}
		if parts[0] == "**" {
			walk(dir, parts[1:])
		}
		for _, e := range entries {
			ok := parts[0] == "**" && e.IsDir()
			if parts[0] != "**" {
				ok, _ = path.Match(parts[0], e.Name())
			}
			below := path.Join(dir, e.Name())
			switch {
			case !ok, isHidden(e.Name()) && !isHidden(parts[0]):
			case parts[0] == "**":
				walk(below, parts)
			case len(parts) > 1 && e.IsDir():
				walk(below, parts[1:])
			case len(parts) == 1 && e.Type().IsRegular():
				out = append(out, below)
			}
		}
	}
	walk(".", parts)
	slices.Sort(out)
	return slices.Compact(out)
}
