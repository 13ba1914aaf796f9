package assemble

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"cloudconfig/datasources/httpget"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// An include is a document that another one asked for.
type include struct {
	url  *url.URL // without a fragment; the path of file: is absolute
	by   *include // nil for the user-data itself
	deep int      // 0 for the user-data itself
}

// base is the user-data itself, as what its includes may be relative to.
func base(from string) *include {
	u, err := url.Parse(from)
	if err != nil || !u.IsAbs() {
		return nil
	}
	return &include{url: u}
}

// list takes a list of includes: one URL, or path behind file:, a line; comments and blank lines are passed over. The
// words #include and #include-once may stand before an address, and hold for what follows.
//
// Source: cloud-init, cloudinit/user_data.py, _do_include (2026).
func (a *assembler) list(f *source.File, p place) {
	once := f.Type == typeIncludeOnce
	if len(withoutMark(f.Bytes)) < len(f.Bytes) {
		a.markFound(f)
	}
	for at := 0; at < len(f.Bytes) && a.err == nil; {
		line, next := nextLine(f.Bytes, at)
		if at == 0 {
			at = len(line) - len(withoutMark(line))
			line = withoutMark(line)
		}
		switch word := firstWord(line); word {
		case "#include", "#include-once":
			once = word == "#include-once"
			at += len(word)
			line = line[len(word):]
		}
		text := strings.TrimSpace(string(line))
		if text != "" && text[0] != '#' {
			at += strings.Index(string(line), text)
			a.include(text, once, f.Range(at, at+len(text)), p)
		}
		at = next
	}
}

// include takes what stands behind one line of a list.
func (a *assembler) include(ref string, once bool, at source.Range, p place) {
	if a.includes++; a.includes > MaxIncludes {
		if a.includes == MaxIncludes+1 {
			a.report(rules.TooLarge, at, "there are more than %d includes", MaxIncludes)
		}
		return
	}
	in := &include{by: p.include, deep: 1}
	if in.by != nil {
		in.deep = in.by.deep + 1
	}
	if in.deep > MaxIncludeDepth {
		a.report(rules.TooLarge, at, "includes are more than %d deep inside each other", MaxIncludeDepth)
		return
	}
	problem := ""
	if in.url, problem = resolve(in.by, ref); problem != "" {
		d := a.report(rules.IncludeAddress, at, "%s", problem)
		d.Detail, d.Secret = "one address of https, or one absolute path behind file:, a line", strings.ContainsAny(ref, "@?")
		return
	}
	address := in.url.String()
	for up := in.by; up != nil; up = up.by {
		if up.url.String() == address {
			through := ""
			switch between := in.by.deep - up.deep; between {
			case 0:
			case 1:
				through = ", through another"
			default:
				through = fmt.Sprintf(", through %d others", between)
			}
			a.report(rules.IncludeCycle, at, "the document includes itself%s", through).Secret = isPrivate(in.url)
			return
		}
	}
	text, ok := a.fetch(in.url, once, at)
	if !ok || !a.take(len(text), at) {
		return
	}
	f := &source.File{Name: a.includeName(in.url), Bytes: text}
	a.document(f, place{nesting: p.nesting, include: in})
}

// resolve is the address that a line means, or says what is wrong with it.
func resolve(by *include, ref string) (u *url.URL, problem string) {
	u, err := url.Parse(ref)
	if err != nil || strings.ContainsAny(ref, " \t") {
		return nil, "this is no address"
	}
	if u.Scheme == "file" && u.Opaque != "" { // file:name, which is relative
		u = &url.URL{Path: u.Opaque}
		if by != nil && by.url.Scheme != "file" {
			return nil, "a path behind file: is absolute"
		}
	}
	if !u.IsAbs() {
		if by == nil {
			return nil, "the address is relative, and there is nothing that it is relative to"
		}
		u = by.url.ResolveReference(u)
	}
	u.Fragment = ""
	switch {
	case u.Scheme == "file" && u.Host == "" && path.IsAbs(u.Path):
		return &url.URL{Scheme: "file", Path: path.Clean(u.Path)}, ""
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return u, ""
	}
	return nil, "this is no address that can be included"
}

// fetch gives what stands behind an address; ok is false if that was not to be had, which is told.
func (a *assembler) fetch(u *url.URL, once bool, at source.Range) (text []byte, ok bool) {
	address := u.String()
	kept, known := a.o.Once[address]
	switch {
	case once && known:
		text = kept
	case u.Scheme == "file" && a.o.ReadFile == nil, u.Scheme != "file" && a.o.Get == nil:
		a.Pending++
		d := a.report(rules.IncludeUnread, at, "what is included is not looked at")
		d.Detail, d.Secret = "it is read on the machine", isPrivate(u)
		return nil, false
	case a.ctx.Err() != nil:
		a.failed = append(a.failed, fmt.Errorf("%s: include: not asked for: %w", at, a.ctx.Err()))
		return nil, false
	default:
		var err error
		if u.Scheme == "file" {
			text, err = a.o.ReadFile(u.Path)
		} else {
			text, err = a.o.Get(a.ctx, address)
		}
		if u.Scheme == "file" && errors.Is(err, fs.ErrNotExist) {
			a.report(rules.IncludeMissing, at, "the included file does not exist").Detail = "a boothook may write it"
			return nil, false
		}
		if err != nil {
			a.failed = append(a.failed, fmt.Errorf("%s: include: %w", at, err))
			return nil, false
		}
	}
	if once && u.Scheme != "file" {
		if a.Result.Once == nil {
			a.Result.Once = map[string][]byte{}
		}
		a.Result.Once[address] = text
	}
	return text, true
}

// isPrivate says that an address may hold what others must not see.
func isPrivate(u *url.URL) bool { return u.User != nil || u.RawQuery != "" }

// includeName is what an included document is called: its address, without what is private in it.
func (a *assembler) includeName(u *url.URL) string {
	name := httpget.Redact(u.String())
	if u.Scheme == "file" {
		name = u.Path
	}
	unique := name
	for n := 2; a.names[unique]; n++ {
		unique = fmt.Sprintf("%s (%d)", name, n)
	}
	a.names[unique] = true
	return unique
}
