package objects

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// repeated checks what entries say about each other: the same path, unit content or drop-in twice.
func (w *world) repeated() {
	c := w.config
	files := map[string]source.Range{}
	for i := range c.Files {
		f := &c.Files[i]
		if !f.Path.Set {
			continue
		}
		if first, there := files[f.Path.V]; there && !f.Append.V {
			w.twice(f.Path.At, first, "file %q is written twice", f.Path.V)
		} else if !there {
			files[f.Path.V] = f.Path.At
		}
	}
	contents := map[string]source.Range{}
	for i := range c.Units {
		u := &c.Units[i]
		if u.Name.Set && u.Content.V != "" {
			w.once(contents, u.Name.V, u.Name.At, "unit %q has content twice", u.Name.V)
		}
		for _, drop := range u.DropIns {
			if !u.Name.Set || !drop.Name.Set {
				continue
			}
			w.once(contents, u.Name.V+"/"+drop.Name.V, drop.Name.At, "drop-in %q of this unit is written twice", drop.Name.V)
		}
	}
}

func (w *world) once(seen map[string]source.Range, key string, at source.Range, format string, args ...any) {
	if first, there := seen[key]; there {
		w.twice(at, first, format, args...)
		return
	}
	seen[key] = at
}

func (w *world) twice(at, first source.Range, format string, args ...any) {
	f := w.ReportAt(rules.ItemTwice, "", at, format, args...)
	f.Related = []diag.Related{{Message: "the first one", At: first}}
}
