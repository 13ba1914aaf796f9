package config

import (
	"fmt"
	"log/slog"
)

// Secret is a password hash, a private key or a token. It prints as "(secret)" in every way Go has of
// printing; only [Secret.Reveal] gives the text.
type Secret string

const redacted = "(secret)"

// Reveal is the text itself, to be written to a file and nowhere else.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string { return redacted }

// GoString hides the text from %#v.
func (s Secret) GoString() string { return redacted }

// Format hides the text from every other verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText hides the text from JSON and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
