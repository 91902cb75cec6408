// Package haproxy reads, merges and renders haproxy.cfg. It is pure: bytes in,
// bytes out, no file, network or process (those are haproxy/live's).
package haproxy

import (
	"bitgate/internal/publicurl"
	"bitgate/internal/splice"
)

// Version of an installed HAProxy.
type Version struct {
	Major, Minor, Patch int
	Text                string // as printed, e.g. "2.6.12-1+deb12u4"
}

// AtLeast compares major and minor.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Site is what our sections must do. Addresses are "host:port" or ":port".
type Site struct {
	URL            publicurl.URL
	Listen         []string // TLS addresses
	RedirectListen []string // plain HTTP addresses that redirect to https, empty for none
	Bundle         string   // crt: path of the PEM bundle
	Upstream       string   // Bitbucket's connector, "127.0.0.1:7990"
	MaxConn        int      // concurrent requests to the server, page: 50
	SSHListen      string   // "" when SSH is not forwarded
	SSHUpstream    string
	OldPath        string // former context path to redirect from, "" for none ("/" means root)
	Version        Version
}

// Source is one configuration file of the set HAProxy loads, in load order.
type Source struct {
	Path string
	Data []byte
}

// Merged is the outcome for one file.
type Merged struct {
	Path    string
	After   []byte
	Splices []splice.Splice
	Notes   []string
}

// Render returns our sections with their marker comments.
func Render(s Site) (string, error) { panic("not built yet") }

// Merge puts our sections into the last file of the set (or a complete file
// where that is empty or absent), replacing what stood between our markers.
// A port that another section binds is refused with file, line and remedy.
func Merge(set []Source, s Site) (Merged, error) { panic("not built yet") }

// Remove takes our sections out again and gives the original bytes back.
func Remove(src Source) (Merged, error) { panic("not built yet") }

// Bind is an address a section listens on.
type Bind struct {
	File    string
	Line    int
	Section string // "frontend www"
	Address string // as written
	SSL     bool
	Ours    bool // between our markers
}

// Binds lists every bind of the set.
func Binds(set []Source) []Bind { panic("not built yet") }
