// Package tomcat edits Tomcat's side of the job: server.xml (Stash to
// Bitbucket 4.x) and bitbucket.properties (from 5.0). Bytes in, bytes out: it
// touches no file, network or process, and every byte it does not have to
// change survives.
package tomcat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Connector is what the connector must say about the front (step 3 of the
// documented page). The zero value of a field means "leave as it is".
type Connector struct {
	ProxyName    string // public host name
	ProxyPort    int    // public port
	Scheme       string // "https"
	Secure       bool   // true: the client's connection is secure
	RedirectPort int    // public port again
	Address      string // listen address, e.g. "127.0.0.1"; "" leaves it alone
}

// Result is one edit: the new bytes and how they differ from the old ones.
type Result struct {
	After   []byte
	Splices []splice.Splice // empty when nothing had to change
	Notes   []string        // things a person should know, e.g. "duplicate key, the last one (line 14) counts"
}

// Found is a value as it stands in a file.
type Found struct {
	Value string
	Line  int // 1-based
}

// finding is a contradiction or trap seen in a file.
func finding(line int, found, why, do string) problem.Finding {
	return problem.Finding{ID: "connector", Level: problem.Warn, Line: line, Found: found, Why: why, Do: do}
}

// OwnTLS is the ID of findings about TLS of Bitbucket's own, which are none where it is
// wanted.
const OwnTLS = "own-tls"

// ownTLS makes a finding one of those.
func ownTLS(f problem.Finding) problem.Finding {
	f.ID = OwnTLS
	return f
}

// in names the file of findings.
func in(file string, list []problem.Finding) []problem.Finding {
	const most = 100 // nobody reads more, and the owner of the file decides how many there are
	var told []problem.Finding
	more := 0
	for _, f := range list {
		if f.File = file; len(told) < most || f.Level == problem.Fail || f.ID == OwnTLS {
			told = append(told, f)
		} else {
			more++
		}
	}
	if more > 0 {
		told = append(told, problem.Finding{
			ID: "connector", Level: problem.Warn, File: file, Found: fmt.Sprintf("%d more findings like these are not listed", more), Do: "settle those that are, then look again",
		})
	}
	return told
}

// setting is one wanted value: an attribute of Connector or a property key.
type setting struct{ name, value string }

// settings lists what c asks for, under the names of server.xml, in the order
// of the documented page. Zero fields are left out.
func (c Connector) settings() []setting {
	var list []setting
	add := func(wanted bool, name, value string) {
		if wanted {
			list = append(list, setting{name, value})
		}
	}
	add(c.ProxyName != "", "proxyName", c.ProxyName)
	add(c.ProxyPort != 0, "proxyPort", strconv.Itoa(c.ProxyPort))
	add(c.Scheme != "", "scheme", c.Scheme)
	add(c.Secure, "secure", "true")
	add(c.RedirectPort != 0, "redirectPort", strconv.Itoa(c.RedirectPort))
	add(c.Address != "", "address", c.Address)
	return list
}

// several joins what was found; of very many the first say enough.
func several(words []string) string {
	const most = 10
	if more := len(words) - most; more > 0 {
		words = append(words[:most:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// lineAt returns the 1-based line of byte offset at. Lines end with \n, \r\n
// or a lone \r, as XML and java.util.Properties both have it.
func lineAt[T string | []byte](text T, at int) int {
	line := 1
	for i := 0; i < at && i < len(text); i++ {
		if text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			line++
		}
	}
	return line
}

// lineIndex is lineAt for many places in one text: where each line begins.
type lineIndex []int

func newLineIndex(text string) lineIndex {
	index := lineIndex{0}
	for i := range len(text) {
		if text[i] == '\n' || text[i] == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			index = append(index, i+1)
		}
	}
	return index
}

// at is the 1-based line of a byte offset.
func (l lineIndex) at(offset int) int {
	line, begins := slices.BinarySearch(l, offset)
	if begins {
		line++
	}
	return line
}

// fault is a reason to refuse a file, with the 1-based line it stands on.
type fault struct {
	line   int
	reason string
}

func (f *fault) Error() string { return fmt.Sprintf("line %d: %s", f.line, f.reason) }
