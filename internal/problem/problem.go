// Package problem is the one shape of an error that reaches a person: what was
// found, why it matters and what to do, with a kind that decides the exit code.
package problem

import (
	"errors"
	"fmt"
)

// Kind says how a run ended; cmd/bitgate maps it to an exit code in one place.
type Kind int

const (
	Failed      Kind = iota // failed or refused; nothing was changed
	Usage                   // wrong or missing answers
	Credentials             // Bitbucket refused the credentials
	Verify                  // the end-to-end checks found a fault
	TakenBack               // apply failed or was interrupted and was taken back
	Incomplete              // taking back is incomplete; something is left to do
	Cancelled               // cancelled before consent, or before the run had begun
	Locked                  // another bitgate is at work; nothing was changed
)

// Error carries the three things a tired administrator needs. Found never
// contains a secret: it is printed, logged and journalled.
type Error struct {
	Kind  Kind
	Found string // what was seen, with file and line where there is one
	Why   string // why it matters (may be empty)
	Do    string // the smallest next step (may be empty)
	Cause error  // underlying error, if any
}

// New makes a Failed error.
func New(found, why, do string) *Error { return &Error{Found: found, Why: why, Do: do} }

// Wrap makes a Failed error around cause.
func Wrap(cause error, found, why, do string) *Error {
	return &Error{Found: found, Why: why, Do: do, Cause: cause}
}

// WithKind sets the kind and returns the same error, for chaining.
func (e *Error) WithKind(k Kind) *Error { e.Kind = k; return e }

func (e *Error) Error() string {
	if e.Cause != nil {
		return Mask(fmt.Sprintf("%s: %v", e.Found, e.Cause))
	}
	return Mask(e.Found)
}

func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the outermost Error in err's chain, Failed otherwise.
func KindOf(err error) Kind {
	if e, is := errors.AsType[*Error](err); is {
		return e.Kind
	}
	return Failed
}
