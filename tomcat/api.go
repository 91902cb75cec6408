// Package tomcat edits Tomcat's side of the job: server.xml (Stash to
// Bitbucket 4.x) and bitbucket.properties (from 5.0). Bytes in, bytes out: it
// touches no file, network or process, and every byte it does not have to
// change survives.
package tomcat

import "bitgate/internal/splice"

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

// ConnectorInfo describes one live Connector element of a server.xml.
type ConnectorInfo struct {
	Line       int
	Port       string // literal attribute, may hold ${...}
	Address    string
	Protocol   string
	Attributes map[string]string
}

// ServerXML is a parsed Tomcat server.xml.
type ServerXML struct{}

// ParseServerXML reads a server.xml. It refuses, with line and reason, what is
// not well formed, not a Tomcat server.xml, or pulls elements from external entities.
func ParseServerXML(name string, src []byte) (*ServerXML, error) { panic("not built yet") }

// Connectors lists the live connectors in document order.
func (s *ServerXML) Connectors() []ConnectorInfo { panic("not built yet") }

// ContextPath returns the path of the one literal Context; ok is false where there is none.
func (s *ServerXML) ContextPath() (f Found, ok bool) { panic("not built yet") }

// SetContextPath sets Context/@path; path is "" for the root, else "/bitbucket".
func (s *ServerXML) SetContextPath(path string) (Result, error) { panic("not built yet") }

// SetConnector sets the proxy attributes of the HTTP connector in use on port.
func (s *ServerXML) SetConnector(port int, c Connector) (Result, error) { panic("not built yet") }

// Property is one key and its wanted (unescaped) value.
type Property struct{ Key, Value string }

// Properties is a parsed .properties file (java.util.Properties syntax).
type Properties struct{}

// ParseProperties reads a .properties file; an empty src is an empty file.
func ParseProperties(name string, src []byte) (*Properties, error) { panic("not built yet") }

// Get returns the live value of key (the last one wins, as in Java).
func (p *Properties) Get(key string) (f Found, ok bool) { panic("not built yet") }

// Keys lists the live keys in order of first appearance.
func (p *Properties) Keys() []string { panic("not built yet") }

// Set gives every property its value, changing existing lines in place,
// un-commenting where a person would, else appending one commented block.
func (p *Properties) Set(want []Property) (Result, error) { panic("not built yet") }

// ConnectorProperties and ContextPathProperty spell the steps as property keys (5.0+).
func ConnectorProperties(c Connector) []Property { panic("not built yet") }

// ContextPathProperty takes the property spelling: "/" for the root.
func ContextPathProperty(path string) Property { panic("not built yet") }

// Finding is a contradiction or trap seen in the files.
type Finding struct {
	Line  int
	Found string
	Why   string
	Do    string
}

// CheckProperties and CheckServerXML name what contradicts itself (secure=false
// with scheme=https, server.ssl.*, server.require-ssl ...).
func CheckProperties(p *Properties) []Finding { panic("not built yet") }

// CheckServerXML does the same for the connector on port.
func CheckServerXML(s *ServerXML, port int) []Finding { panic("not built yet") }
