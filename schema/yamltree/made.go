package yamltree

import (
	"cloudconfig/schema/diag"
	"cloudconfig/schema/source"
)

// placeIn gives a tree, whose places are in a made text alone, those in what the text was made of.
func (n *Node) placeIn(f *source.File) {
	if n == nil || n.made != nil { // an alias stands for a node that is elsewhere too
		return
	}
	n.made, n.start = f, n.Range.Start.Offset
	n.Range = f.Range(n.start, n.Range.End.Offset)
	for _, item := range n.Items {
		item.placeIn(f)
	}
	for _, p := range n.Pairs {
		p.Key.placeIn(f)
		p.Value.placeIn(f)
	}
}

// placedIn does the same for findings. What would mend the made text mends nothing.
func placedIn(f *source.File, found diag.List) diag.List {
	for i := range found {
		d := &found[i]
		d.Subject, d.Fix = f.Range(d.Subject.Start.Offset, d.Subject.End.Offset), nil
		for j := range d.Related {
			at := &d.Related[j].At
			*at = f.Range(at.Start.Offset, at.End.Offset)
		}
	}
	return found
}
