// Package configdrive reads user-data and metadata from a configuration drive: a disk labelled "config-2" or "CONFIG-2",
// with an ISO 9660 or FAT file system, that OpenStack and its relatives (Rackspace, Brightbox) give to a machine.
//
// Format: OpenStack Nova, "Config drives" (user guide, 2026), https://docs.openstack.org/nova/latest/user/config-drive.html,
// and metadata_for_config_drive of nova/api/metadata/base.py.
package configdrive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cloudconfig/datasources"
	"cloudconfig/datasources/disk"
	"cloudconfig/datasources/openstack"
)

// Labels are those of a configuration drive.
func Labels() []string { return []string{"config-2", "CONFIG-2"} }

// New makes the datasource of the drive, or of a directory of the caller's that has the files of one, whatever
// env.Root is.
func New(env datasources.Env, dir string) (datasources.Source, error) {
	return &source{env: env, dir: dir}, nil
}

type source struct {
	env    datasources.Env
	dir    string
	finder disk.Finder
}

// Name is "configdrive".
func (*source) Name() string { return "configdrive" }

// Fetch reads the tree "openstack" of the drive, in the newest version that is known, or the tree "ec2" if it has no
// other. Any file may be missing, as coreos-cloudinit had it: a drive without user-data is an answer, and there is
// none. A drive with neither tree is none: it wraps datasources.ErrAbsent, as it does if there is no drive; and
// datasources.ErrNotReady if there may be one yet.
func (s *source) Fetch(ctx context.Context) (datasources.Data, error) {
	var data datasources.Data
	read := func(ctx context.Context, tree *disk.Tree) (err error) {
		data, err = decode(&reader{ctx: ctx, tree: tree})
		return err
	}
	var err error
	if s.dir == "" {
		err = s.finder.First(ctx, s.env, Labels(), read)
	} else {
		err = disk.Dir(ctx, s.env, s.dir, read)
	}
	if err != nil {
		return datasources.Data{}, fmt.Errorf("configdrive: %w", err)
	}
	return data, nil
}

// reader reads files of a tree, and keeps the first error that is not an absence.
type reader struct {
	ctx  context.Context
	tree *disk.Tree
	err  error
}

// file is a file, nil if there is none.
func (r *reader) file(path string) []byte {
	if r.err != nil {
		return nil
	}
	b, err := r.tree.Read(r.ctx, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = err
	}
	return b
}

// version is what is chosen of the versions of a tree, "" if there is no such tree.
func (r *reader) version(tree string, choose func([]string) string) string {
	if r.err != nil {
		return ""
	}
	names, err := r.tree.Names(r.ctx, tree)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.err = err
	}
	return choose(names)
}

func decode(r *reader) (datasources.Data, error) {
	stack, amazon := r.version("openstack", openstack.Version), r.version("ec2", ec2Version)
	if r.err == nil && stack == "" && amazon == "" {
		return datasources.Data{}, fmt.Errorf("it has neither a tree openstack nor a tree ec2: %w", datasources.ErrAbsent)
	}
	var beside ec2
	if amazon != "" {
		if text := r.file("ec2/" + amazon + "/meta-data.json"); text != nil {
			beside, r.err = parseEC2(text)
		}
	}
	f := openstack.Files{EC2: beside.addresses()}
	if stack == "" {
		f.UserData = r.file("ec2/" + amazon + "/user-data")
	} else {
		dir := "openstack/" + stack + "/"
		f.MetaData, f.UserData, f.NetworkData = r.file(dir+"meta_data.json"), r.file(dir+"user_data"), r.file(dir+"network_data.json")
		f.VendorData, f.VendorData2 = r.file(dir+"vendor_data.json"), r.file(dir+"vendor_data2.json")
		f.Content = func(path string) ([]byte, error) { return r.tree.Read(r.ctx, "openstack/"+path) }
	}
	if r.err != nil {
		return datasources.Data{}, r.err
	}
	data, err := openstack.Decode("configdrive", f)
	if err == nil && stack == "" {
		err = beside.describe(&data)
	}
	return data, err
}
