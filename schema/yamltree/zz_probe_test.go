package yamltree

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"cloudconfig/schema/source"
)

func TestProbe(t *testing.T) {
	for _, pat := range []string{"/work/shared/corpus/malformed/*", "/work/shared/corpus/coreos-broken/*", "/work/shared/corpus/coreos-templates/*"} {
		fs, _ := filepath.Glob(pat)
		for _, p := range fs {
			b, _ := os.ReadFile(p)
			f := &source.File{Name: filepath.Base(p), Bytes: b}
			t0 := time.Now()
			n, l := Parse(f)
			if d := time.Since(t0); d > 50*time.Millisecond {
				fmt.Println("SLOW", d)
			}
			if len(l) == 0 {
				fmt.Println("ACCEPT", f.Name, n.Kind)
			}
			for _, d := range l {
				fmt.Println(d.Subject, d.Rule.ID, d.Summary, "|", d.Detail, d.Related)
			}
		}
	}
}

func TestProbeGood(t *testing.T) {
	for _, pat := range []string{"/work/shared/corpus/coreos-dialect*/*", "/work/shared/corpus/coreos-wrong/*", "/work/shared/corpus/cloud-init-dialect/*", "/work/shared/corpus/network*/*/*.yaml", "/work/shared/corpus/openstack/*/*",
		"/root/go/pkg/mod/github.com/goccy/go-yaml@v1.19.2/testdata/yaml-test-suite/*/in.yaml"} {
		fs, _ := filepath.Glob(pat)
		fmt.Println(pat, len(fs))
		for _, p := range fs {
			b, _ := os.ReadFile(p)
			f := &source.File{Name: p, Bytes: b}
			var n yaml.Node
			err := yaml.Unmarshal(b, &n)
			_, l := Parse(f)
			_, e := os.Stat(filepath.Dir(p) + "/error")
			bad := e == nil
			if len(l) > 0 && (err == nil && !bad) {
				fmt.Println("REFUSED", l[0].Subject, l[0].Rule.ID, l[0].Summary, l[0].Detail, l[0].Related)
			}
			if len(l) == 0 && bad {
				fmt.Println("ACCEPTED", p)
			}
			if len(l) > 0 && err != nil && l[0].Summary == "this is not valid YAML" {
				fmt.Println("GENERIC", l[0].Subject, err)
			}
			if len(l) > 0 && err != nil && !bad {
				fmt.Println("BOTH", l[0].Subject, l[0].Summary, "#", err)
			}
		}
	}
}
