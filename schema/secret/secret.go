// Package secret is text that is never shown: [Text].
package secret

import (
	"fmt"
	"log/slog"
)

// Text is a password hash, a private key or a token. It prints as "(secret)" in every way Go has of
// printing; only [Text.Reveal] gives the text.
type Text string

const redacted = "(secret)"

// Reveal is the text itself, to be written to a file and nowhere else.
func (s Text) Reveal() string { return string(s) }

// String hides the text.
func (s Text) String() string { return redacted }

// GoString hides the text from %#v.
func (s Text) GoString() string { return redacted }

// Format hides the text from every other verb.
func (s Text) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText hides the text from JSON and its like.
func (s Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the text from slog.
func (s Text) LogValue() slog.Value { return slog.StringValue(redacted) }
