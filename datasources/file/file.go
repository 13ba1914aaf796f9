// Package file reads user-data from a file. It has no metadata.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

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
	data, err := Read(path, MaxBytes)
	if len(data) == 0 {
		data = nil
	}
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

// Read reads a regular file of at most maxBytes whole. Anything else is refused and not opened, since that may never
// end, or do something; what has become something else meanwhile is not waited for.
func Read(path string, maxBytes int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && int64(len(data)) > maxBytes {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxBytes>>20)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
