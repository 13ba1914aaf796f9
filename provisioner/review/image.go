package review

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudconfig/schema/image"
)

// maxImage is how long a facts profile may be, in bytes.
const maxImage = 16 << 20

// Image is a facts profile: one that this program brings, by its name, or a file that provisioner facts made. The
// error is a mistake in the name, or that of the file.
func Image(name string) (*image.Image, error) {
	if slices.Contains(image.Names(), name) {
		return image.Shipped(name), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("an image is a file that provisioner facts made, or %s; %q is neither", strings.Join(image.Names(), " or "), name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxImage))
	if err != nil {
		return nil, err
	}
	im, err := image.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return im, nil
}

// profiles reads each facts profile once.
type profiles map[string]*image.Image

// of is the profile that is named, or else that of a configuration; nil if there is none.
func (p profiles) of(name string, c *Config) (*image.Image, error) {
	if name == "" && c != nil && c.Image != "" {
		name = c.Image
		if !slices.Contains(image.Names(), name) && !filepath.IsAbs(name) {
			name = filepath.Join(c.Dir, name)
		}
	}
	if name == "" {
		return nil, nil
	}
	if im, ok := p[name]; ok {
		return im, nil
	}
	im, err := Image(name)
	if err == nil {
		p[name] = im
	}
	return im, err
}
