package haproxy

import (
	"strconv"
	"strings"

	"bitgate/internal/edge"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/splice"
)

// Version of an installed HAProxy.
type Version struct {
	Major, Minor, Patch int
	Text                string // as printed, e.g. "2.6.12-1+deb12u4"
	OpenSSL             string // of the library it runs on, e.g. "3.0.19"; "" when unknown
}

// AtLeast compares major and minor.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// openssl reports whether the TLS library is known to be at least
// major.minor.patch. Where it is unknown, distributions that ship HAProxy 2.2
// or newer have 1.1.1 at least.
func (v Version) openssl(major, minor, patch int) bool {
	parts := strings.SplitN(v.OpenSSL, ".", 3)
	if len(parts) < 3 {
		return v.AtLeast(2, 2) && (major < 1 || major == 1 && (minor < 1 || minor == 1 && patch <= 1))
	}
	want := [3]int{major, minor, patch}
	for i, p := range parts {
		n, err := strconv.Atoi(p[:len(p)-len(strings.TrimLeft(p, "0123456789"))])
		if err != nil || n != want[i] {
			return err == nil && n > want[i]
		}
	}
	return true
}

// Site is what our sections must do. Addresses are "host:port" or ":port".
type Site struct {
	edge.Settings
	URL            publicurl.URL
	Listen         []string    // TLS addresses
	RedirectListen []string    // plain HTTP addresses that redirect to https, empty for none
	Names          []string    // that the certificate holds, beside the public one
	Bundle         string      // crt: path of the PEM bundle
	Upstream       string      // Bitbucket's connector, "127.0.0.1:7990"
	TLS            bool        // the servers do TLS themselves
	Nodes          []node.Node // of a cluster, instead of Upstream
	MaxConn        int         // concurrent requests to each server, page: 50
	SSHListen      string      // "" when SSH is not forwarded
	SSHUpstream    string      // with Nodes only ":7999", the port at each of them
	Fixed          []string    // names that name servers need not be asked for, as /etc/hosts has them
	OldPath        string      // former context path to redirect from, "" for none ("/" means root)
	Thumbprint     string      // of an ACME account's key: authorities that validate by http-01 are answered with it; "" for none
	Challenges     []string    // plain HTTP addresses where they ask, those of RedirectListen or more; with Renewer too
	Renewer        string      // address of another program that answers authorities (http-01) while it renews the certificate; "" for none
	NoResolver     bool        // the machine names no name server (/etc/resolv.conf)
	Version        Version
	Adopt          bool  // sections made by hand for Bitbucket are replaced where that is safe
	Used           []int // ports that other programs listen on; the loopback address, where one is needed, keeps off them
}

// OwnFile is the name of bitgate's own file in a directory that HAProxy loads.
// It sorts behind the others, so that its defaults section, which keeps ours from
// inheriting anything, reaches nobody else.
const OwnFile = "zz-bitgate.cfg"

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
	Also    []Merged // the other files of the set that change, without notes

	Warnings []problem.Finding // what will fail later

	// Unjudged are lines that may keep requests from Bitbucket: what stands in them does
	// not tell, and a rehearsal does. Who cannot have one must not go on without a word.
	Unjudged []string
}

// Bind is an address a section listens on.
type Bind struct {
	File    string
	Line    int
	Section string // "frontend www"
	Address string // as written
	SSL     bool
	Ours    bool // between our markers
	v6only  bool
}
