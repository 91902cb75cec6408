// Package live is the installed HAProxy: finding the binary and its file set,
// checking a candidate configuration with `haproxy -c`, talking to the running one.
package live

import (
	"context"

	"bitgate/haproxy"
)

// Search says where to look; zero fields are found out.
type Search struct {
	Bin, Cfg string
	Root     string // "" or a prefix before /etc, /usr, /lib for tests
}

// Install is the HAProxy of this machine.
type Install struct {
	Bin     string // "" when HAProxy is not installed
	Version haproxy.Version
	OpenSSL bool     // built with TLS
	Files   []string // configuration files in load order; the last one is ours to merge into
	Why     map[string]string
	Notes   []string
}

// Detect finds it; a machine without HAProxy is not an error (Bin == "").
func Detect(ctx context.Context, s Search) (Install, error) { panic("not built yet") }

// Message is one line of `haproxy -c`.
type Message struct {
	Level string // "ALERT", "WARNING", "NOTICE"
	File  string // real path, not the private copy's
	Line  int    // 0 where none was given
	Text  string
}

// Report of a check.
type Report struct {
	OK       bool
	Messages []Message
	Output   string // as printed, paths mapped back
}

// Candidate is a file as it would be after the change.
type Candidate struct {
	Path string // its real path
	Data []byte
}

// Check runs `haproxy -c` on a private copy (mode 0700, removed afterwards) of
// the whole set, with extra (the new bundle) in it and crt paths rewritten only there.
func Check(ctx context.Context, bin string, set []Candidate, extra []Candidate) (Report, error) {
	panic("not built yet")
}
