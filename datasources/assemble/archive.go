package assemble

import (
	"strings"

	"cloudconfig/schema/rules"
	"cloudconfig/schema/source"
	"cloudconfig/schema/yamltree"
)

// archive takes an archive of cloud-init's apart: a list of texts, or of mappings with content, type and filename.
//
// Source: cloud-init, cloudinit/user_data.py, _explode_archive (2026).
func (a *assembler) archive(f *source.File, p place) {
	if !a.enter(f) {
		return
	}
	if p.nesting >= MaxNesting {
		a.report(rules.TooLarge, start(f), "there are more than %d messages inside each other", MaxNesting)
		return
	}
	root, found := a.yaml.Parse(f)
	a.Found.Add(found...)
	switch {
	case root == nil || root.Kind == yamltree.Null:
		return
	case root.Kind != yamltree.Sequence:
		a.wrongType(root, "an archive is a list of parts")
		return
	}
	for _, item := range root.Items {
		if a.err != nil || !a.enter(f) {
			return
		}
		a.item(f, item, p.inside())
	}
}

func (a *assembler) wrongType(n *yamltree.Node, summary string) {
	a.report(rules.WrongType, firstLine(n.Range), "%s", summary)
}

// firstLine is a range as far as it is on its first line.
func firstLine(r source.Range) source.Range {
	if r.End.Line > r.Start.Line {
		r.End = r.Start
	}
	return r
}

// item takes one part of an archive.
func (a *assembler) item(f *source.File, item *yamltree.Node, p place) {
	content, mediaType, at := item, "", firstLine(item.Range)
	if item.Kind == yamltree.Mapping {
		content = nil
		for _, pair := range item.Pairs {
			v := pair.Value
			switch strings.ReplaceAll(strings.ToLower(pair.Key.Value), "_", "-") {
			case "content":
				content = v
			case "type":
				if v.Kind != yamltree.Scalar {
					a.wrongType(v, "the type of a part is a text")
					return
				}
				mediaType, _ = contentType(v.Value)
				at = firstLine(v.Range)
			case "filename":
			case "launch-index":
				a.unsupported(firstLine(pair.Key.Range), "a part for one machine of many")
				return
			default:
				a.report(rules.UnknownKey, pair.Key.Range, "unknown key %q in a part of an archive", pair.Key.Value).Detail = "known here are content, filename and type"
				return
			}
		}
		if content == nil {
			a.report(rules.MissingKey, at, `a part of an archive needs "content"`)
			return
		}
	}
	if content.Kind == yamltree.Null {
		return
	}
	if content.Kind != yamltree.Scalar {
		a.wrongType(content, "the content of a part is a text")
		return
	}
	a.leaves++
	declared, ok := a.declared(mediaType, at)
	if !ok {
		return
	}
	if part := a.text(f, content); part != nil {
		if part.Type = declared; mediaType == "" && !isKnown(part.Bytes, 0) {
			part.Type = typeConfig
		}
		a.document(part, p)
	}
}

// text is the content of a part: with its places in f if it stands there, else a file of its own.
func (a *assembler) text(f *source.File, n *yamltree.Node) *source.File {
	if n.Tag == "!!binary" {
		text, slip := fromBase64([]byte(n.Value))
		if slip != nil {
			d := a.report(rules.TransferEncoding, firstLine(n.Range), "%s", slip.what)
			d.Detail, d.Secret = slip.cure, true
			return nil
		}
		if !a.take(len(text), firstLine(n.Range)) {
			return nil
		}
		return &source.File{Name: a.partName(f) + " (base64)", Bytes: text}
	}
	if !a.take(len(n.Value), firstLine(n.Range)) { // aliases may stand for much
		return nil
	}
	if text := n.Text(f); text != nil {
		return text
	}
	return &source.File{Name: a.partName(f) + " (from YAML)", Bytes: []byte(n.Value)}
}
