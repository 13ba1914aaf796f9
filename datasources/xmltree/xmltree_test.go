package xmltree_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudconfig/datasources/xmltree"
)

func TestParse(t *testing.T) {
	const text = "\uFEFF<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a <comment> -->\n" +
		`<ns:a xmlns:ns='http://x/' ns:k="1 &lt; 2&#10;" ><b/>x<![CDATA[<&>]]>&amp;<b c = "d">` + " \n y </b></ns:a> \n<!-- end -->"
	got, err := xmltree.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := &xmltree.Node{
		Name: "a", Text: "x<&>&", Attrs: []xmltree.Attr{{Name: "ns", Value: "http://x/"}, {Name: "k", Value: "1 < 2\n"}},
		Children: []*xmltree.Node{{Name: "b"}, {Name: "b", Text: " \n y ", Attrs: []xmltree.Attr{{Name: "c", Value: "d"}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(got.All("b")); n != 2 || got.String("b") != "" || got.Attr("k") != "1 < 2\n" || got.Find("b", "none").Attr("x") != "" {
		t.Errorf("%d of b", n)
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "not one element"},
		{"text alone", "s3cret", "not one element"},
		{"two elements", "<a/><b/>", "not one element"},
		{"an element that stays open", "<a>\n<b>", "ends within"},
		{"elements that overlap", "<a>\n<b></a></b>", "line 2 of the XML: an element is closed that is not open"},
		{"closed twice", "<a></a></a>", "closed that is not open"},
		{"a document type", "<!DOCTYPE a [<!ENTITY b 's3cret'>]><a>&b;</a>", "document type"},
		{"an entity of the user's", "<a>&b;</a>", "entity is unknown"},
		{"an entity without end", "<a>&amp</a>", "entity is unknown"},
		{"a character that XML has not", "<a>&#27;</a>", "entity is unknown"},
		{"half of a pair", "<a>&#xD800;</a>", "entity is unknown"},
		{"a tag that ends early", "<a b=", "not quoted"},
		{"a value without quotes", "<a b=c/>", "not quoted"},
		{"a value without end", "<a b='c/>", "there is no '"},
		{"an attribute without a value", "<a b/>", "no value"},
		{"no name", "< a/>", "name is missing"},
		{"a comment without end", "<!-- <a/>", "there is no -->"},
		{"not UTF-8", "<a>\xff</a>", "UTF-8"},
		{"too deep", strings.Repeat("<a>", 100), "too deep"},
		{"too many", "<a>" + strings.Repeat("<b/>", 30000) + "</a>", "too many elements"},
		{"too many attributes", "<a " + strings.Repeat("b='' ", 100) + "/>", "too many attributes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := xmltree.Parse(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	hostile := "a<b>&\"'\x00\x1b\u2028\xff\n"
	node, err := xmltree.Parse(`<a b="` + xmltree.Escape(hostile) + `">` + xmltree.Escape(hostile) + "</a>")
	if err != nil {
		t.Fatal(err)
	}
	const want = "a<b>&\"'\u2028\n"
	if node.Text != want || node.Attr("b") != want {
		t.Errorf("%q %q", node.Text, node.Attr("b"))
	}
}

// What we read, the standard library reads the same.
func FuzzXML(f *testing.F) {
	f.Add("<a b='c'>d<e/>&lt;<![CDATA[f]]></a>")
	f.Add("<?xml version='1.0'?><n:a xmlns:n='u'><b>1</b><b>2</b></n:a>")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := xmltree.Parse(text)
		if err != nil {
			return
		}
		size := 0
		var count func(n *xmltree.Node)
		count = func(n *xmltree.Node) {
			size += len(n.Name) + len(n.Text)
			for _, a := range n.Attrs {
				size += len(a.Name) + len(a.Value)
			}
			for _, c := range n.Children {
				count(c)
			}
		}
		count(got)
		if size > len(text) {
			t.Errorf("more comes out than went in: %d of %d", size, len(text))
		}
		var theirs struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		}
		d := xml.NewDecoder(strings.NewReader(text))
		if d.Decode(&theirs) == nil && !strings.ContainsAny(text, "\r:") && (theirs.XMLName.Local != got.Name || theirs.Text != got.Text) {
			t.Errorf("we read %q %q, the standard library %q %q", got.Name, got.Text, theirs.XMLName.Local, theirs.Text)
		}
	})
}
