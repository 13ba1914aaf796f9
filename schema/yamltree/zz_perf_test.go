package yamltree
import ("testing";"time";"fmt";"strings";"runtime";"cloudconfig/schema/source")
func TestPerf(t *testing.T) {
	M:=1<<20
	rep:=func(s string,n int) string { return strings.Repeat(s,n/len(s)) }
	var keys strings.Builder; for i:=range 60000 {fmt.Fprintf(&keys,"k%d: v\n",i)}
	var anch strings.Builder; for i:=range 90000 {fmt.Fprintf(&anch,"- &k%d v\n",i)}
	cases:=map[string]string{
		"comments 8M":rep("# comment\n",8*M),
		"comments in map 8M":"a: b\n"+rep("# comment\n",8*M)+"c: d\n",
		"plain one line 8M":"a: "+rep("x",8*M),
		"plain many lines 8M":"a:\n"+rep("  xx\n",8*M),
		"plain many blank 8M":"a: x"+rep("\n",8*M)+"  y",
		"literal 8M":"a: |\n"+rep("  xx yy zz\n",8*M),
		"folded 8M":"a: >\n"+rep("  xx yy zz\n",8*M),
		"dq 8M":"a: \""+rep("x y ",8*M)+"\"",
		"dq lines 8M":"a: \""+rep("x y\n",8*M)+"\"",
		"dq esc 8M":"a: \""+rep("\\n",8*M)+"\"",
		"unclosed 8M":"a: \""+rep("x y ",8*M),
		"flow one line":"["+rep("aaaaa,",600000)+"]",
		"flow é one line":"["+rep("éé é,",700000)+"]",
		"flow maps one line":"["+rep("{a: b},",300000)+"]",
		"dups":rep("a: b\n",450000),
		"dups one line":"{"+rep("a: b,",450000)+"}",
		"keys":keys.String(), "anchors":anch.String(),
		"errors tag":rep("- !!int a\n",500000),
		"nulls":rep("-\n",300000),
		"blank lines 8M":rep("\n",8*M),
		"spaces 8M":rep(" ",8*M),
		"long key":rep("x",M)+": b\n",
		"long tag":"a: !"+rep("x",8*M)+" b\n",
		"many tags":rep("- !x v\n",600000),
		"merge":"- &a {"+rep("a: b,",50)+"}\n"+rep("- <<: *a\n",9000),
		"cr":rep("- a\r",300000),
	}
	for k,s:=range cases { f:=&source.File{Name:"f",Bytes:[]byte(s)}
		var m0,m1 runtime.MemStats; runtime.ReadMemStats(&m0)
		t0:=time.Now(); _,l:=Parse(f); d:=time.Since(t0); runtime.ReadMemStats(&m1)
		id:=""; if len(l)>0 {id=l[0].Rule.ID+" "+l[0].Subject.String()+l[0].Summary}
		fmt.Printf("%-22s %8d B %8v alloc %d MB findings %d %s\n",k,len(s),d.Round(time.Millisecond),(m1.TotalAlloc-m0.TotalAlloc)>>20,len(l),id)
	}
}
