// Package file reads user-data from a file. It has no metadata.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"cloudconfig/datasources"
	"cloudconfig/schema"
)

// MaxBytes is the largest file that is taken: 32 MiB, as large as one document may be.
const MaxBytes = 32 << 20

// New makes the datasource of one file. The path is the caller's, whatever env.Root is.
func New(env datasources.Env, path string) datasources.Source { return source{env, path} }

type source struct {
	env  datasources.Env
	path string
}

// Name is "file".
func (source) Name() string { return "file" }

// Fetch reads the file whole; diagnostics call it by the path as given. It wraps datasources.ErrAbsent if there
// is no such file. Nothing but a regular file is read, since reading from anything else may never end.
func (s source) Fetch(context.Context) (datasources.Data, error) {
	path := s.path
	data, err := read(path)
	answer := datasources.Answer{Method: "READ", URL: path, Body: data}
	if err != nil {
		answer.Err = err.Error()
	}
	s.env.Answer(answer)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", datasources.ErrAbsent, err)
	}
	if err != nil {
		return datasources.Data{}, fmt.Errorf("file: %w", err)
	}
	return datasources.Data{UserData: data, Name: path, Meta: schema.Metadata{Version: 1, Datasource: "file"}}, nil
}

// read gives nil for an empty file.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxBytes:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, MaxBytes>>20)
	case len(data) == 0:
		return nil, nil
	}
	return data, nil
}
