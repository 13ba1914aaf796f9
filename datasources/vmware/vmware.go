// Package vmware reads user-data and metadata that a VMware hypervisor hands to its guest: guestinfo variables, or an
// OVF environment. What was used of the variables is taken away once the configuration is committed, since every user of
// the machine can read them.
//
// Format: coreos-cloudinit, datasource/vmware and its documentation of guestinfo (2016); cloud-init,
// DataSourceVMware.py at 0167c1b92; DMTF DSP0243, OVF environment document (1.1).
package vmware

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/file"
	"cloudconfig/datasources/remote"
	"cloudconfig/datasources/xmltree"
)

const (
	maxValueBytes    = 16 << 20
	maxMetadataBytes = 1 << 20 // unpacked
)

// New makes the datasource of the guestinfo variables, or of an OVF environment in a file, a path of the caller's.
func New(env datasources.Env, file string) (datasources.Source, error) {
	if file != "" {
		return &ovf{env: env, from: remote.New(env, env.Trust), file: file}, nil
	}
	return &guest{env: env, open: openChannel}, nil
}

// guest is the variables.
type guest struct {
	env  datasources.Env
	open func(root string) (channel, error)
	used []string // the variables to take away
	from *remote.Fetcher
}

// Name is "vmware".
func (*guest) Name() string { return "vmware" }

// Fetch reads every variable that there is. It wraps datasources.ErrAbsent if the machine is no guest of VMware's, or if
// no variable is set; datasources.ErrNotReady if the hypervisor did not answer. A value that cannot be what it should be
// ends the search. If there is an OVF environment it takes the place of all other variables.
func (g *guest) Fetch(ctx context.Context) (datasources.Data, error) {
	data, err := g.fetch(ctx)
	if err != nil {
		return datasources.Data{}, fmt.Errorf("vmware: %w", err)
	}
	return data, nil
}

func (g *guest) fetch(ctx context.Context) (datasources.Data, error) {
	c, err := g.open(g.env.Root)
	if err != nil {
		return datasources.Data{}, err
	}
	defer c.close()
	if g.from == nil {
		g.from = remote.New(g.env, g.env.Trust)
	}
	r := &reader{ctx: ctx, env: g.env, from: g.from, get: func(key string) (string, error) { return getInfo(ctx, c, key) }}
	environment, err := r.get("ovfenv")
	if err != nil {
		return datasources.Data{}, err
	}
	inOVF := strings.TrimSpace(environment) != ""
	if inOVF {
		if r.get, err = properties([]byte(environment)); err != nil {
			return datasources.Data{}, err
		}
	}
	data, err := r.data()
	if err != nil {
		return datasources.Data{}, err
	}
	if g.used = r.used; inOVF {
		g.used = nil // it is not ours to change
	}
	return data, nil
}

// Report takes the values away that were used, if the configuration was committed: the variables are set to "---", as
// cloud-init does, which reads as an empty document. The error says that the hypervisor does not let us.
func (g *guest) Report(ctx context.Context, ready bool, _ string) error {
	if !ready || len(g.used) == 0 {
		return nil
	}
	err := g.env.Retry(ctx, "hypervisor", func(ctx context.Context) error {
		c, err := g.open(g.env.Root)
		if err != nil {
			return err
		}
		defer c.close()
		for _, key := range g.used {
			if err := setInfo(ctx, c, key, emptied); err != nil {
				return err
			}
			encoding, err := getInfo(ctx, c, key+".encoding")
			if err == nil && strings.TrimSpace(encoding) != "" {
				err = setInfo(ctx, c, key+".encoding", " ") // it cannot be set to nothing
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("vmware: take away what was used: %w", err)
	}
	g.used = nil
	return nil
}

// ovf is an OVF environment in a file.
type ovf struct {
	env  datasources.Env
	from *remote.Fetcher
	file string
}

// Name is "vmware".
func (*ovf) Name() string { return "vmware" }

// Fetch reads the file. It wraps datasources.ErrAbsent if it is not there, or has none of the properties.
func (o *ovf) Fetch(ctx context.Context) (datasources.Data, error) {
	text, err := file.Read(o.file, maxValueBytes)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", datasources.ErrAbsent, err)
	}
	var data datasources.Data
	if err == nil {
		r := &reader{ctx: ctx, env: o.env, from: o.from}
		if r.get, err = properties(text); err == nil {
			data, err = r.data()
		}
	}
	if err != nil {
		return datasources.Data{}, fmt.Errorf("vmware: %w", err)
	}
	return data, nil
}

// properties reads an OVF environment: its properties have the names of the variables.
func properties(text []byte) (func(key string) (string, error), error) {
	root, err := xmltree.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("OVF environment: %w", err)
	}
	if root.Name != "Environment" {
		return nil, errors.New("OVF environment: it is another document")
	}
	all := map[string]string{}
	for _, section := range root.All("PropertySection") {
		for _, p := range section.All("Property") {
			all[strings.ToLower(p.Attr("key"))] = p.Attr("value")
		}
	}
	return func(key string) (string, error) { return all["guestinfo."+key], nil }, nil
}

// unpack undoes an encoding of a variable. What is compressed besides stays so: it is unpacked with the user-data.
func unpack(key, encoding, text string) ([]byte, error) {
	switch strings.TrimSpace(encoding) {
	case "":
		return []byte(text), nil
	case "b64", "base64", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, fmt.Errorf("%s: it is not base64, as its encoding says", key)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s.encoding: %+.40q is not one of base64, b64, gzip+base64, gz+b64", key, encoding)
}

// gunzip unpacks what we read ourselves, if it is compressed.
func gunzip(key string, data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1F, 0x8B}) {
		return data, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(z, maxMetadataBytes+1))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it cannot be unpacked: %w", key, err)
	}
	return data, nil
}
