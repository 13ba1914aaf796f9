package azure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"cloudconfig/datasources"
	"cloudconfig/datasources/disk"
)

// labels of the media begin with this; what follows is a version. Source: cloud-init, tools/ds-identify at 0167c1b92.
const labelPrefix = "rd_rdfe_"

// findMedia reads ovf-env.xml of the provisioning media; nil if there are none. It wraps datasources.ErrNotReady if a
// disk does not answer. Media that are there and cannot be read are an error: they may have the user-data.
func findMedia(ctx context.Context, finder *disk.Finder) ([]byte, error) {
	all, err := finder.Find(ctx)
	for _, d := range all {
		if d.Type != disk.ISO9660 || d.Removable || !strings.HasPrefix(d.Label, labelPrefix) && !isOptical(d) {
			continue
		}
		text, err := readMedium(ctx, d)
		switch {
		case errors.Is(err, fs.ErrNotExist): // another disk
		case err != nil:
			return nil, fmt.Errorf("provisioning media: %w", err)
		default:
			return text, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("provisioning media: %w", err)
	}
	return nil, nil
}

func isOptical(d disk.Disk) bool { return strings.HasPrefix(d.Name, "sr") }

// readMedium opens the disk as UDF if it has that, since the names of its other file system may be shortened.
func readMedium(ctx context.Context, d disk.Disk) ([]byte, error) {
	types := []string{d.Type}
	if d.HasUDF {
		types = []string{disk.UDF, d.Type}
	}
	var failures []error
	for _, d.Type = range types {
		tree, err := d.Open(ctx)
		if err == nil {
			var text []byte
			text, err = tree.Read(ctx, ovfEnv)
			tree.Close()
			if err == nil {
				return text, nil
			}
		}
		if os.IsPermission(err) {
			return nil, err
		}
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, datasources.ErrNotReady) {
		return nil, err
	}
	return nil, fs.ErrNotExist
}
