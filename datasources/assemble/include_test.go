package assemble_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/assemble"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
)

// web is what there is to be included, by address; files by their path.
type web struct {
	texts map[string]string
	asked []string
}

func (w *web) get(_ context.Context, address string) ([]byte, error) {
	w.asked = append(w.asked, address)
	if text, there := w.texts[address]; there {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("get %s: status 404 Not Found", address)
}

func (w *web) read(path string) ([]byte, error) {
	w.asked = append(w.asked, path)
	if text, there := w.texts[path]; there {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("read %s: %w", path, fs.ErrNotExist)
}

// told is a result in words: a line for each part, then one for each finding.
func told(r assemble.Result) string {
	var b strings.Builder
	for _, p := range r.Parts {
		text := strings.TrimSpace(string(p.Bytes))
		fmt.Fprintf(&b, "%s:%d %q\n", p.Name, p.Range(0, 0).Start.Line, text[strings.LastIndexByte(text, '\n')+1:])
	}
	for _, d := range r.Found.Sorted() {
		fmt.Fprintf(&b, "%s %s %s\n", d.Subject, d.Rule.ID, d.Summary)
	}
	return b.String()
}

func TestIncludes(t *testing.T) {
	const config = "#cloud-config\n"
	for _, tt := range []struct {
		name, in string
		base     string
		texts    map[string]string
		want     string
		asked    []string
		errs     []string
	}{
		{
			name:  "comments and blank lines are passed over",
			in:    "#include\n# the base\nhttps://a.example/base.yaml\n\n  https://a.example/web.yaml  \r\n",
			texts: map[string]string{"https://a.example/base.yaml": config + "a: 1", "https://a.example/web.yaml": config + "b: 1"},
			want:  "https://a.example/base.yaml:1 \"a: 1\"\nhttps://a.example/web.yaml:1 \"b: 1\"\n",
			asked: []string{"https://a.example/base.yaml", "https://a.example/web.yaml"},
		},
		{
			name:  "an address on the first line",
			in:    "#include https://a.example/base.yaml\n",
			texts: map[string]string{"https://a.example/base.yaml": config + "a: 1"},
			want:  "https://a.example/base.yaml:1 \"a: 1\"\n",
			asked: []string{"https://a.example/base.yaml"},
		},
		{
			name:  "what is included may be anything, and has its address for a name",
			in:    "#include\nhttps://a.example/x?token=hunter2\nhttps://u:p@a.example/x?token=hunter3\n",
			texts: map[string]string{"https://a.example/x?token=hunter2": string(pack(t, []byte("#!/bin/sh\n"))), "https://u:p@a.example/x?token=hunter3": message("\n#!/bin/bash")},
			want:  "https://a.example/x?token=... (gunzipped):1 \"#!/bin/sh\"\nhttps://a.example/x?token=... (2):5 \"#!/bin/bash\"\n",
			asked: []string{"https://a.example/x?token=hunter2", "https://u:p@a.example/x?token=hunter3"},
		},
		{
			name: "relative to what asks for it",
			in:   "#include\nhttps://a.example/dir/list\nfile:///etc/list\n",
			texts: map[string]string{
				"https://a.example/dir/list": "#include\n../one\n//b.example/two\n", "https://a.example/one": config + "one: 1", "https://b.example/two": config + "two: 1",
				"/etc/list": "#include\nmore/three\nfile:four\nfile:/five\n", "/etc/more/three": config + "three: 1", "/etc/four": config + "four: 1", "/five": config + "five: 1",
			},
			want:  "https://a.example/one:1 \"one: 1\"\nhttps://b.example/two:1 \"two: 1\"\n/etc/more/three:1 \"three: 1\"\n/etc/four:1 \"four: 1\"\n/five:1 \"five: 1\"\n",
			asked: []string{"https://a.example/dir/list", "https://a.example/one", "https://b.example/two", "/etc/list", "/etc/more/three", "/etc/four", "/five"},
		},
		{
			name: "relative to where the user-data is from", in: "#include\nweb.yaml\n", base: "https://a.example/boot/first",
			texts: map[string]string{"https://a.example/boot/web.yaml": config + "a: 1"},
			want:  "https://a.example/boot/web.yaml:1 \"a: 1\"\n",
			asked: []string{"https://a.example/boot/web.yaml"},
		},
		{
			name: "no address",
			in:   "#include\nweb.yaml\nftp://a.example/x\nfile://host/x\nhttps:///x\nhttps://a.example/a b\nhttps://a.example:port/\nfile:x\n",
			want: `user-data:2:1 include-address the address is relative, and there is nothing that it is relative to
user-data:3:1 include-address this is no address that can be included
user-data:4:1 include-address this is no address that can be included
user-data:5:1 include-address this is no address that can be included
user-data:6:1 include-address this is no address
user-data:7:1 include-address this is no address
user-data:8:1 include-address the address is relative, and there is nothing that it is relative to
`,
		},
		{
			name:  "a cycle",
			in:    "#include\nhttps://a.example/1\n",
			texts: map[string]string{"https://a.example/1": "#include\nhttps://a.example/2\n", "https://a.example/2": "#include\nhttps://a.example/2#x\n1\n"},
			want: `https://a.example/2:2:1 include-cycle the document includes itself
https://a.example/2:3:1 include-cycle the document includes itself, through another
`,
			asked: []string{"https://a.example/1", "https://a.example/2"},
		},
		{
			name:  "what fails is named, all of it, and the rest is fetched",
			in:    "#include\nhttps://a.example/1\nhttps://a.example/2\nhttps://a.example/3\n",
			texts: map[string]string{"https://a.example/2": config + "b: 1"},
			want:  "https://a.example/2:1 \"b: 1\"\n",
			asked: []string{"https://a.example/1", "https://a.example/2", "https://a.example/3"},
			errs: []string{
				"user-data:2:1: include: get https://a.example/1: status 404 Not Found", "user-data:4:1: include: get https://a.example/3: status 404 Not Found",
			},
		},
		{
			name: "a file that is not there is a finding", in: "#include\nfile:///run/secrets/config.yaml\n",
			want:  "user-data:2:1 include-missing the included file does not exist\n",
			asked: []string{"/run/secrets/config.yaml"},
		},
		{
			name: "dots lead nowhere", in: "#include\nfile:///run/../../etc/./x\n",
			texts: map[string]string{"/etc/x": config + "a: 1"},
			want:  "/etc/x:1 \"a: 1\"\n",
			asked: []string{"/etc/x"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &web{texts: tt.texts}
			r, err := assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: []byte(tt.in)}, assemble.Options{Base: tt.base, Get: w.get, ReadFile: w.read})
			if diff := cmp.Diff(tt.want, told(r)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.asked, w.asked); diff != "" {
				t.Error(diff)
			}
			if got := strings.Join(tt.errs, "\n"); err == nil && got != "" || err != nil && err.Error() != got {
				t.Errorf("error %v, want %s", err, got)
			}
			for _, d := range r.Found {
				if !slices.ContainsFunc(r.Files, func(f *source.File) bool { return f.Name == d.Subject.File }) {
					t.Errorf("no file %s", d.Subject.File)
				}
			}
		})
	}
}

// Nothing is read where nobody says how.
func TestIncludesThatAreNotLookedAt(t *testing.T) {
	in := []byte("#include\nhttps://u:hunter2@a.example/x\nfile:///etc/x\n")
	w := &web{texts: map[string]string{"https://u:hunter2@a.example/x": "#!/bin/sh"}}
	for _, tt := range []struct {
		o       assemble.Options
		pending int
		want    string
	}{
		{assemble.Options{}, 2, "user-data:2:1 include-unread what is included is not looked at\nuser-data:3:1 include-unread what is included is not looked at\n"},
		{assemble.Options{Get: w.get}, 1, "https://a.example/x:1 \"#!/bin/sh\"\nuser-data:3:1 include-unread what is included is not looked at\n"},
	} {
		r, err := assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: in}, tt.o)
		if err != nil || r.Pending != tt.pending || told(r) != tt.want {
			t.Errorf("%d pending, %v\n%s", r.Pending, err, told(r))
		}
		if d := r.Found[0]; len(r.Found) == 2 && !d.Secret {
			t.Error("the line of an address with a password is drawn")
		}
	}
}

func TestIncludeOnce(t *testing.T) {
	const one, two = "https://a.example/one", "https://a.example/two"
	w := &web{texts: map[string]string{one: "#!/bin/one", two: "#!/bin/two"}}
	in := &source.File{Name: "user-data", Bytes: []byte("#include-once\n" + one + "\n#include\n" + two + "\n")}
	var once map[string][]byte
	for _, want := range [][]string{{one, two}, {two}} {
		w.asked = nil
		r, err := assemble.Parts(t.Context(), in, assemble.Options{Get: w.get, Once: once})
		if err != nil || len(r.Parts) != 2 || !slices.Equal(w.asked, want) {
			t.Errorf("%d parts, asked %q, want %q, %v", len(r.Parts), w.asked, want, err)
		}
		if once = r.Once; len(once) != 1 || string(once[one]) != "#!/bin/one" {
			t.Errorf("kept %q", once)
		}
	}
}

func TestManyIncludes(t *testing.T) {
	// Each includes itself under another address, without end.
	deep := func(_ context.Context, address string) ([]byte, error) {
		return []byte("#include\n" + address + "x\n"), nil
	}
	r, err := assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: []byte("#include\nhttps://a.example/\n")}, assemble.Options{Get: deep})
	if err != nil || len(r.Found) != 1 || r.Found[0].Rule != rules.TooLarge {
		t.Errorf("depth: %v, %s", err, told(r))
	}
	asked := 0
	wide := func(_ context.Context, address string) ([]byte, error) {
		asked++
		return []byte("#include\n" + address + "1\n" + address + "2\n" + address + "3\n"), nil
	}
	r, err = assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: []byte("#include\nhttps://a.example/\n")}, assemble.Options{Get: wide})
	if err != nil || asked > assemble.MaxIncludes || len(r.Found) > 200 {
		t.Errorf("width: %v, %d asked, %d findings", err, asked, len(r.Found))
	}
	// Much in little: every answer counts.
	big := make([]byte, 16<<20)
	copy(big, "#!/bin/sh\n")
	many := "#include\n" + strings.Repeat("https://a.example/\n", 10)
	r, err = assemble.Parts(t.Context(), &source.File{Name: "user-data", Bytes: []byte(many)}, assemble.Options{Get: func(context.Context, string) ([]byte, error) { return big, nil }})
	if err != nil || len(r.Parts) != 4 || r.Found[0].Rule != rules.TooLarge {
		t.Errorf("size: %v, %d parts", err, len(r.Parts))
	}
}

func TestIncludesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	get := func(context.Context, string) ([]byte, error) {
		cancel()
		return nil, errors.New("get https://a.example/1: no answer in time")
	}
	_, err := assemble.Parts(ctx, &source.File{Name: "user-data", Bytes: []byte("#include\nhttps://a.example/1\nhttps://a.example/2\n")}, assemble.Options{Get: get})
	want := "user-data:2:1: include: get https://a.example/1: no answer in time\nuser-data:3:1: include: not asked for: context canceled"
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}
