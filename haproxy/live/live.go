// Package live is the installed HAProxy: finding the binary and its file set,
// and checking a candidate configuration with `haproxy -c`.
package live

import "bitgate/haproxy"

// Search says where to look; zero fields are found out.
type Search struct {
	Bin, Cfg string
	Root     string // "" or a prefix before /etc, /usr, /lib for tests
}

// Install is the HAProxy of this machine.
type Install struct {
	Bin     string // "" when HAProxy is not installed
	Version haproxy.Version
	OpenSSL bool              // built with TLS
	Files   []string          // configuration files in load order
	Service Service           // how it is started; only its environment where the files are not the service's
	Loads   []string          // files and folders that the service loads, whichever the set is
	Master  string            // the master's socket (-S), as haproxy.RuntimeSocket has it; "" without one
	Why     map[string]string // by field: where each was found
	Notes   []string
}

// Message is one line of `haproxy -c`.
type Message struct {
	Level string // "ALERT", "WARNING", "NOTICE"
	File  string // real path, not the copy's
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
