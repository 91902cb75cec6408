package bitbucket

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that anybody gets to see of a Secret.
const redacted = "[redacted]"

var errMarshalSecret = errors.New("bitbucket.Secret: a secret is never written to a file, a plan or a log")

// Secret holds a password. It redacts itself in every format, refuses to be
// marshalled, and can be wiped. Copies share the bytes: wiping one wipes all.
// The zero value is "no secret".
//
// The bytes stand behind two pointers because fmt does not call the methods of
// unexported fields and, complaining about a wrong verb, follows one pointer: a
// struct that holds a Secret then still prints an address.
type Secret struct{ bytes **[]byte }

// NewSecret takes ownership of b: the caller must not use b any more.
func NewSecret(b []byte) Secret {
	p := &b
	return Secret{&p}
}

// Reveal returns the bytes; the caller must not keep or print them. After Wipe
// there are none.
func (s Secret) Reveal() []byte {
	if s.bytes == nil {
		return nil
	}
	return **s.bytes
}

// Wipe overwrites the bytes and forgets them, so that a wiped password can
// never be sent (as zeros) and count as a failed login.
func (s Secret) Wipe() {
	if s.bytes == nil {
		return
	}
	clear(**s.bytes)
	**s.bytes = nil
}

// String redacts.
func (Secret) String() string { return redacted }

// GoString redacts %#v.
func (Secret) GoString() string { return redacted }

// Format redacts under every verb, %x and %d included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue redacts in log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON refuses.
func (Secret) MarshalJSON() ([]byte, error) { return nil, errMarshalSecret }

// MarshalText refuses.
func (Secret) MarshalText() ([]byte, error) { return nil, errMarshalSecret }

// MarshalBinary refuses (encoding/gob).
func (Secret) MarshalBinary() ([]byte, error) { return nil, errMarshalSecret }

// MarshalYAML refuses.
func (Secret) MarshalYAML() (any, error) { return nil, errMarshalSecret }
