// Package integration holds what no package can check of itself: here, that the three floors stand. The folders
// below it run the built program on real systems.
package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "cloudconfig/"

// floors are the folders whose packages may be imported by each folder's.
var floors = map[string]struct {
	may []string
	why string
}{
	"schema":      {[]string{"schema"}, "text in, meaning out: it must run in a browser or an editor as it does at boot"},
	"datasources": {[]string{"schema", "datasources"}, "bytes from outside: nothing that fetches may change the machine"},
	"provisioner": {[]string{"schema", "datasources", "provisioner"}, "the tests' own tools must not be linked into the program"},
	"integration": {[]string{"schema", "datasources", "provisioner", "integration"}, ""},
}

// imports are packages that only some may import. An entry that ends in "/" is a whole tree.
var imports = []struct {
	what []string
	only []string // packages; none at all if empty
	in   string   // the folder that the rule is about; "" is every one
	why  string
}{
	{[]string{"gopkg.in/yaml.v3"}, []string{"schema/yamltree"}, "",
		"one decoder for laptop and boot, with ranges, caps and messages of our own"},
	{[]string{"github.com/coreos/go-systemd/v22/dbus", "github.com/godbus/dbus/v5"}, []string{"provisioner/handoff"}, "",
		"what cannot be undone happens in one place, after the commit"},
	{[]string{"text/template", "html/template"}, nil, "",
		"templates call methods by name, so the linker must keep them all: it doubles the program"},
	{[]string{"os", "os/", "net", "net/http", "net/http/", "syscall", "golang.org/x/sys/", "log", "log/"}, []string{"schema/secret", "schema/language"}, "schema",
		"no files, no network, no environment: the same text must mean the same everywhere"},
	{[]string{module + "datasources/metadatatest"}, []string{"integration/metadata"}, "",
		"it plays metadata services, for tests"},
}

var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base", "lib"}

func TestFloors(t *testing.T) {
	for _, complaint := range check(t, os.DirFS("..")) {
		t.Error(complaint)
	}
}

// TestArchitecture demands that docs/architecture.md has every package of the program.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	root := os.DirFS("..")
	for _, floor := range []string{"schema", "datasources", "provisioner"} {
		err := fs.WalkDir(root, floor, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || path.Dir(name) == "provisioner" {
				return err
			}
			dir := path.Dir(name)
			isThere := false
			for _, shown := range []string{"| " + dir + " |", "| " + dir + ",", "`" + dir + "`"} {
				isThere = isThere || strings.Contains(string(text), shown)
			}
			if floor == "datasources" { // those that are datasources share a row
				isThere = isThere || strings.Contains(string(text), ", "+path.Base(dir)+",") || strings.Contains(string(text), ", "+path.Base(dir)+" |")
			}
			if !isThere {
				t.Errorf("package %s is not there", dir)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// check reads every Go file of the module, tests too, and says what breaks the rules, and why it is one. It
// parses them itself: a test that asks "go list" is answered from the cache when an import changes.
func check(t *testing.T, root fs.FS) []string {
	t.Helper()
	var complaints []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || isModule(root, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, c := range checkFile(path.Dir(name), strings.HasSuffix(name, "_test.go"), f) {
			complaints = append(complaints, fmt.Sprintf("%s: %s", files.Position(c.at), c.text))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return complaints
}

func isModule(root fs.FS, dir string) bool {
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

type complaint struct {
	at   token.Pos
	text string
}

func checkFile(pkg string, test bool, f *ast.File) (out []complaint) {
	add := func(at token.Pos, format string, args ...any) {
		out = append(out, complaint{at, fmt.Sprintf(format, args...)})
	}
	folder, _, _ := strings.Cut(pkg, "/")
	floor, known := floors[folder]
	if !known {
		add(f.Package, "%s is on no floor: Go code lives below schema, datasources, provisioner or integration", pkg)
		return out
	}
	for _, name := range []string{path.Base(pkg), f.Name.Name} {
		if slices.Contains(vagueNames, name) {
			add(f.Name.Pos(), "a package called %s has no subject, so everything ends up in it", name)
			break
		}
	}
	for _, spec := range f.Imports {
		what, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser would have said so
		}
		if inside, ok := strings.CutPrefix(what, module); ok {
			if to, _, _ := strings.Cut(inside, "/"); !slices.Contains(floor.may, to) {
				add(spec.Pos(), "%s imports %s, but imports go down only; %s is %s", pkg, inside, folder, floor.why)
			}
		}
		if test {
			continue
		}
		for _, rule := range imports {
			if rule.in != "" && rule.in != folder {
				continue
			}
			if slices.ContainsFunc(rule.what, func(w string) bool { return w == what || strings.HasSuffix(w, "/") && strings.HasPrefix(what, w) }) &&
				!slices.Contains(rule.only, pkg) {
				add(spec.Pos(), "%s must not import %s: %s", pkg, what, rule.why)
			}
		}
	}
	if test {
		return out
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				add(n.Pos(), "%s has an init function: it runs in every command, in an order that nobody sees", pkg)
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && folder == "schema" && x.Name == "time" && n.Sel.Name == "Now" {
				add(n.Pos(), "%s asks for the time: the clock is an argument, or a text would mean something else tomorrow", pkg)
			}
		}
		return true
	})
	return out
}

func TestFloorsAreHeld(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             string // part of the complaint; "" for none
	}{
		{"floor 1 imports floor 2", "schema/a.go", `package schema; import _ "cloudconfig/datasources"`, "schema imports datasources"},
		{"floor 1 imports floor 3, in a test", "schema/x/a_test.go", `package x; import _ "cloudconfig/provisioner/plan"`, "imports go down only"},
		{"floor 2 imports floor 3", "datasources/ec2/a.go", `package ec2; import _ "cloudconfig/provisioner"`, "datasources/ec2 imports provisioner"},
		{"floor 3 imports a tool of the tests", "provisioner/a.go", `package main; import _ "cloudconfig/integration/metadata"`, "provisioner imports integration/metadata"},
		{"imports go down", "provisioner/plan/a.go", `package plan; import (_ "cloudconfig/schema"; _ "cloudconfig/datasources")`, ""},
		{"a second YAML decoder", "provisioner/settings/a.go", `package settings; import _ "gopkg.in/yaml.v3"`, "must not import gopkg.in/yaml.v3"},
		{"the YAML decoder", "schema/yamltree/a.go", `package yamltree; import _ "gopkg.in/yaml.v3"`, ""},
		{"a second user of D-Bus", "provisioner/commit/a.go", `package commit; import _ "github.com/godbus/dbus/v5"`, "in one place, after the commit"},
		{"the user of D-Bus", "provisioner/handoff/a.go", `package handoff; import _ "github.com/coreos/go-systemd/v22/dbus"`, ""},
		{"a template", "provisioner/cli/a.go", `package cli; import _ "text/template"`, "doubles the program"},
		{"a template in a test", "provisioner/cli/a_test.go", `package cli; import _ "text/template"`, ""},
		{"a file read while decoding", "schema/rules/a.go", `package rules; import _ "os"`, "no files"},
		{"a file read in a test of decoding", "schema/rules/a_test.go", `package rules; import _ "os"`, ""},
		{"a request while decoding", "schema/rules/a.go", `package rules; import _ "net/http/httptrace"`, "no network"},
		{"addresses are only text", "schema/rules/a.go", `package rules; import _ "net/netip"`, ""},
		{"the time of day in the language", "schema/a.go", `package schema; import "time"; var t = time.Now`, "the clock is an argument"},
		{"the time of day elsewhere", "provisioner/cli/a.go", `package cli; import "time"; var t = time.Now`, ""},
		{"an init function", "datasources/a.go", `package datasources; func init() {}`, "init function"},
		{"a method of that name", "datasources/a.go", `package datasources; type t int; func (t) init() {}`, ""},
		{"a package without a subject", "provisioner/helpers/a.go", `package helpers`, "has no subject"},
		{"a subject hidden by its folder", "provisioner/types/a.go", `package plan`, "called types"},
		{"a metadata service in the program", "datasources/catalog/a.go", `package catalog; import _ "cloudconfig/datasources/metadatatest"`, "for tests"},
		{"code beside the floors", "tools/a.go", `package tools`, "on no floor"},
		{"what Go itself skips", "schema/testdata/a.go", `package util; import _ "os"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(check(t, fstest.MapFS{tt.file: {Data: []byte(tt.text)}}), "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("complaints: %q, want one with %q", got, tt.want)
			}
		})
	}
	nested := fstest.MapFS{"integration/tools/go.mod": {}, "integration/tools/a.go": {Data: []byte(`package tools; import _ "text/template"`)}}
	if got := check(t, nested); len(got) > 0 {
		t.Errorf("a module of its own keeps its own rules: %v", got)
	}
}

// The check is worth nothing if it looks at nothing.
func TestFloorsAreWhereWeLook(t *testing.T) {
	for folder := range floors {
		if _, err := os.Stat(filepath.Join("..", folder)); err != nil {
			t.Error(err)
		}
	}
}
