package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"cloudconfig/datasources"
	"cloudconfig/datasources/file"
)

// maxFile is the largest record that is read: the bodies and the data, in base64.
const maxFile = 256 << 20

// New makes the datasource of a record; the path is the caller's. The error says what is wrong with the path.
func New(_ datasources.Env, path string) (datasources.Source, error) {
	if path == "" {
		return nil, errors.New("it needs a record: replay=FILE")
	}
	return source(path), nil
}

type source string

// Name is "replay".
func (source) Name() string { return "replay" }

// Fetch gives what the recorded source gave, under its name. Whatever is asked for later is answered from the record
// too, by the data's Transport, which makes no connection. It wraps datasources.ErrAbsent if there is no such file.
func (s source) Fetch(context.Context) (datasources.Data, error) {
	rec, err := read(string(s))
	if err != nil {
		return datasources.Data{}, fmt.Errorf("replay: %w", err)
	}
	return datasources.Data{
		UserData: rec.Data.UserData, Name: rec.Data.Name, Meta: rec.Data.Meta, Tree: rec.Data.Tree, Routed: rec.Data.Routed, Proof: rec.Data.Proof, From: rec.Data.From,
		Vendor: restored(rec.Data.Vendor), Network: restored(rec.Data.Network), Transport: newTransport(rec),
	}, nil
}

func read(path string) (rec Record, err error) {
	text, err := file.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", datasources.ErrAbsent, err)
	}
	if err != nil {
		return rec, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // a number of the platform's is what it was written as
	if err := d.Decode(&rec); err != nil {
		return rec, fmt.Errorf("%s is not a record", path) // the decoder's words may quote it
	}
	switch {
	case rec.Version != 1:
		return rec, fmt.Errorf("%s: version %d is not known, only 1 is", path, rec.Version)
	case rec.WithoutBodies:
		return rec, fmt.Errorf("%s was kept without user-data (keep-user-data: no), so it cannot be run again", path)
	}
	return rec, nil
}

func restored(all []Document) []datasources.Document {
	var out []datasources.Document
	for _, d := range all {
		out = append(out, datasources.Document{Name: d.Name, Kind: d.Kind, Bytes: d.Bytes})
	}
	return out
}

// transport answers from a record.
type transport map[string]Answer

func newTransport(rec Record) transport {
	t := transport{}
	for _, a := range rec.Answers {
		if a.SameAs == sameAsUserData {
			a.Body = rec.Data.UserData
		}
		t[a.Method+" "+a.URL] = a // the last one is what was gone on with
	}
	return t
}

// RoundTrip gives the last recorded answer. If there is none the error wraps datasources.ErrAbsent: asking again
// changes nothing.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, there := t[req.Method+" "+req.URL.String()]
	switch {
	case !there:
		return nil, fmt.Errorf("the record has no answer to this: %w", datasources.ErrAbsent)
	case a.SizeBytes > 0:
		return nil, fmt.Errorf("the record has left out this answer of %d bytes: %w", a.SizeBytes, datasources.ErrAbsent)
	case a.Status == 0 && a.Err != "":
		return nil, fmt.Errorf("there was no answer when this was recorded: %s: %w", a.Err, datasources.ErrAbsent)
	}
	header := a.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	status := a.Status
	if status == 0 {
		status = http.StatusOK // of a protocol without any
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: req,
		Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)),
	}, nil
}
