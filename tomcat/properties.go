package tomcat

import (
	"bytes"
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// Property is one key and its wanted (unescaped) value.
type Property struct{ Key, Value string }

// Properties is a parsed .properties file (java.util.Properties syntax).
type Properties struct {
	name     string
	src      []byte
	entries  []entry
	last     map[string]int // of the entries of a key, the one that counts
	comments []comment
}

// entry is one logical line with a key, by its places in the file.
type entry struct {
	key, value string
	line       int    // 1-based, of the key
	start      int    // of the key
	valueAt    int    // where the raw value begins
	end        int    // behind the raw value: line end or end of file
	form       string // key in the form that relaxed binding compares
	separated  bool   // there is "=", ":" or a blank before valueAt
}

// comment is one comment line.
type comment struct {
	at  int // of "#" or "!"
	end int // of the line, before its terminator
}

// maxProperties is the largest properties file that is read, in bytes. Real ones have less
// than 1 KB; of one that is all short lines a plan takes 500 bytes of memory for each.
const maxProperties = 1 << 20

// ParseProperties reads a .properties file of at most 1 MiB; an empty src is an empty file.
// Bytes are ISO-8859-1, as in java.util.Properties.load(InputStream).
func ParseProperties(name string, src []byte) (*Properties, error) {
	if len(src) > maxProperties {
		return nil, problem.New(fmt.Sprintf("%s has %d bytes, and at most 1 MiB of such a file is read", name, len(src)),
			"real ones have less than 1 KB, and reading takes many times the size in memory", "check the path, and take out of the file what is not needed")
	}
	p := &Properties{name: name, src: src, last: map[string]int{}}
	if f := p.parse(); f != nil {
		return nil, problem.New(fmt.Sprintf("%s, line %d: %s", name, f.line, f.reason),
			"Bitbucket would not start with this file", "correct the line and run bitgate again")
	}
	return p, nil
}

func (p *Properties) parse() *fault {
	if bytes.HasPrefix(p.src, []byte("\xFF\xFE")) || bytes.HasPrefix(p.src, []byte("\xFE\xFF")) {
		return &fault{1, "the file is UTF-16; properties files are read as ISO-8859-1"}
	}
	r := lineReader{src: p.src}
	for {
		l, ok := r.next()
		if !ok {
			p.comments = r.comments
			return nil
		}
		e, f := l.entry(r.lineOf(l.start))
		if f != nil {
			return f
		}
		e.form = uniform(e.key)
		p.last[e.key] = len(p.entries)
		p.entries = append(p.entries, e)
	}
}

// Get returns the live value of key (the last one wins, as in Java).
func (p *Properties) Get(key string) (f Found, ok bool) {
	i, ok := p.last[key]
	if !ok {
		return f, false
	}
	return Found{Value: p.entries[i].value, Line: p.entries[i].line}, true
}

// Effective is what Spring Boot's relaxed binding gives for key: its own spelling goes
// before others (server.contextPath).
func (p *Properties) Effective(key string) (f Found, ok bool) {
	if f, ok := p.Get(key); ok {
		return f, true
	}
	for _, e := range p.twins(key) {
		f, ok = Found{Value: e.value, Line: e.line}, true
	}
	return f, ok
}

// Keys lists the live keys in order of first appearance.
func (p *Properties) Keys() []string {
	var keys []string
	seen := map[string]bool{}
	for _, e := range p.entries {
		if !seen[e.key] {
			seen[e.key] = true
			keys = append(keys, e.key)
		}
	}
	return keys
}

// only lists the entries that fit, in file order.
func (p *Properties) only(fits func(entry) bool) []entry {
	var list []entry
	for _, e := range p.entries {
		if fits(e) {
			list = append(list, e)
		}
	}
	return list
}

// all lists the entries of key.
func (p *Properties) all(key string) []entry {
	return p.only(func(e entry) bool { return e.key == key })
}

// twins lists the entries that spell key differently (server.proxyName,
// server.proxy_name), which Spring Boot's relaxed binding takes for the same.
func (p *Properties) twins(key string) []entry {
	form := uniform(key)
	return p.only(func(e entry) bool { return e.key != key && e.form == form })
}

// uniform is the form in which relaxed binding compares names: lower case,
// without dashes and underscores (Spring Boot reference, "Relaxed Binding").
func uniform(key string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return -1
		}
		return r
	}, key))
}

// propertyKeys spells the attributes of a Connector as keys of
// bitbucket.properties (Bitbucket 5.0 and later).
var propertyKeys = map[string]string{
	"proxyName":    "server.proxy-name",
	"proxyPort":    "server.proxy-port",
	"scheme":       "server.scheme",
	"secure":       "server.secure",
	"redirectPort": "server.redirect-port",
	"address":      "server.address",
}

const contextPathKey = "server.context-path"

// ConnectorProperties and ContextPathProperty spell the steps as property keys (5.0+).
func ConnectorProperties(c Connector) []Property {
	var list []Property
	for _, s := range c.settings() {
		list = append(list, Property{propertyKeys[s.name], s.value})
	}
	return list
}

// ContextPathProperty takes the property spelling: "/" for the root.
func ContextPathProperty(path string) Property {
	if path == "" {
		path = "/"
	}
	return Property{contextPathKey, path}
}
