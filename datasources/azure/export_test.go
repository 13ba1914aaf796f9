package azure

import (
	"context"

	"cloudconfig/datasources"
)

// WithMedia gives a source provisioning media, or what is the matter with them.
func WithMedia(s datasources.Source, media func() ([]byte, error)) datasources.Source {
	s.(*azure).media = func(context.Context) ([]byte, error) { return media() }
	return s
}

// For fuzzing.
var (
	ParseMedia   = parseMedia
	HealthReport = healthReport
)

// Decode is decode.
func Decode(text []byte) (datasources.Data, error) {
	f, err := decode(text)
	return f.Data, err
}

// ParseShared is parseShared.
var ParseShared = parseShared
