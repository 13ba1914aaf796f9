package schema

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"cloudconfig/schema/findings"
	"cloudconfig/schema/language"
	"cloudconfig/schema/rules"
	"cloudconfig/schema/yamltree"
)

// What the contents of write_files may be, in bytes: of one file unpacked, and of all together, as written and
// unpacked.
const (
	maxFile     = 32 << 20
	maxUnpacked = 64 << 20
)

var errTooMuch = errors.New("more than may be unpacked")

// contentOf decodes the content of a file. encoded says that it was not plain text.
func (d *decoder) contentOf(n *yamltree.Node, encoding, path string) (v Value[[]byte], encoded bool) {
	if n == nil || d.Bad[n] {
		return v, false
	}
	// An alias is a few bytes of text and the whole content once more.
	if d.budget -= int64(len(n.Value)); d.budget < 0 {
		d.undecodable(n, path, "the contents of all files are more than they may be")
		return v, false
	}
	v = Value[[]byte]{V: []byte(n.Value), At: n.Range, Set: true}
	packed := strings.HasPrefix(encoding, "gz")
	inBase64 := strings.HasSuffix(encoding, "b64") || strings.HasSuffix(encoding, "base64") || n.Tag == "!!binary"
	if !packed && !inBase64 {
		return v, false
	}
	if inBase64 {
		compact := strings.Join(strings.Fields(n.Value), "")
		plain, err := base64.StdEncoding.DecodeString(compact)
		switch {
		case err != nil && language.IsPlaceholder(compact):
			d.Placeholder(language.Join(path, "content"), n)
			return Value[[]byte]{}, false
		case err != nil:
			d.undecodable(n, path, "the content is not base64")
			return v, true
		}
		v.V = plain
		if n.Tag == "!!binary" && (strings.HasSuffix(encoding, "b64") || strings.HasSuffix(encoding, "base64")) {
			// !!binary is YAML's own base64, around what the encoding says.
			again, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(plain)), ""))
			if err != nil {
				d.undecodable(n, path, "the content is base64 once, by its tag !!binary, and not twice, as encoding says")
				return v, true
			}
			v.V = again
		}
	}
	if packed {
		plain, err := d.gunzip(v.V)
		switch {
		case errors.Is(err, errTooMuch):
			d.undecodable(n, path, "the content unpacks to more than may be unpacked")
			return v, true
		case err != nil:
			d.undecodable(n, path, "the content is not gzip")
			return v, true
		}
		v.V = plain
	}
	return v, true
}

func (d *decoder) undecodable(n *yamltree.Node, path, summary string) {
	f := d.Report(rules.Encoding, language.Join(path, "content"), n, "%s", summary)
	f.Subject = findings.FirstLine(n.Range)
	f.Secret = true
	f.Detail = "encode it again, or leave out encoding"
}

// gunzip unpacks all members of a gzip file, within what may still be unpacked.
func (d *decoder) gunzip(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	limit := max(0, min(int64(maxFile), d.budget))
	plain, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(plain)) > limit {
		return nil, errTooMuch
	}
	d.budget -= int64(len(plain))
	return plain, nil
}

func holdsPrivateKey(content []byte) bool {
	return bytes.Contains(content, []byte("PRIVATE KEY-----"))
}
