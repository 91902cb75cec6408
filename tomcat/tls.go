package tomcat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// TLS is a connector that terminates TLS itself, and the plain one beside it that
// only this machine reaches.
type TLS struct {
	Port     int
	Address  string // it listens on; "" is every address
	KeyStore string // path of a PKCS#12 store whose one key has the alias KeyAlias
	Password string // of the store and of its key; "" leaves those in the file alone
	Plain    int    // port of the plain connector
	Keep     Connector
	Nested   bool // server.xml: with SSLHostConfig, which Tomcat knows from 8.5 on and requires from 10 on
}

// KeyAlias is the name that Java gives the one key of a store that has none (JDK,
// PKCS12KeyStore.getUnfriendlyName).
const KeyAlias = "1"

// loopback is where the plain connector listens: nobody else reaches it.
const loopback = "127.0.0.1"

// Keys of bitbucket.properties for TLS on the main connector; Atlassian, "Secure
// Bitbucket with Tomcat using SSL".
const (
	sslEnabled   = "server.ssl.enabled"
	sslStore     = "server.ssl.key-store"
	sslStoreType = "server.ssl.key-store-type"
	sslStorePass = "server.ssl.key-store-password"
	sslKeyPass   = "server.ssl.key-password"
	sslAlias     = "server.ssl.key-alias"
	additional   = "server.additional-connector."
)

// TLSProperties are the keys that have Bitbucket (5.0 and later) terminate TLS on
// its main connector, with an additional plain one on the loopback address; gone are
// those that would be wrong then: a former front's name and port, an address of the
// main connector, and require-ssl, which would send the plain connector's requests
// away.
func (p *Properties) TLSProperties(t TLS) (want []Property, gone []string, err error) {
	n, err := p.plainNumber(t)
	if err != nil {
		return nil, nil, err
	}
	add := func(key, value string) { want = append(want, Property{key, value}) }
	add("server.port", strconv.Itoa(t.Port))
	if t.Address != "" {
		add("server.address", t.Address)
	} else {
		gone = append(gone, "server.address")
	}
	add("server.scheme", "https")
	add("server.secure", "true")
	add(sslEnabled, "true")
	add(sslStore, t.KeyStore)
	add(sslStoreType, "PKCS12")
	add(sslAlias, KeyAlias)
	if t.Password != "" {
		add(sslStorePass, t.Password)
		add(sslKeyPass, t.Password)
		gone = append(gone, sslStorePass, sslKeyPass) // a new line each: an edit of the old one would tell what it was
	}
	add(additional+n+".port", strconv.Itoa(t.Plain))
	add(additional+n+".address", loopback)
	for _, k := range ConnectorProperties(Connector{ProxyName: t.Keep.ProxyName, ProxyPort: t.Keep.ProxyPort, RedirectPort: t.Keep.RedirectPort}) {
		if have, ok := p.Get(k.Key); ok && have.Value != k.Value {
			gone = append(gone, k.Key)
		}
	}
	for _, key := range []string{"server.require-ssl", additional + n + ".scheme", additional + n + ".secure", additional + n + ".ssl.enabled"} {
		if _, ok := p.Get(key); ok {
			gone = append(gone, key)
		}
	}
	return want, gone, nil
}

// OfConnector are the keys of c for the connector on port: the main one's, or those of the
// additional one that has the port, and that is added where add says so, on the loopback
// address.
func (p *Properties) OfConnector(port int, c Connector, add bool) []Property {
	prefix := ""
	for _, key := range p.Keys() {
		at, ok := strings.CutSuffix(key, "port")
		if have, _ := p.Get(key); ok && strings.HasPrefix(at, additional) && have.Value == strconv.Itoa(port) {
			prefix, add = at, false
		}
	}
	for n := 1; prefix == "" && add; n++ {
		if _, taken := p.Get(additional + strconv.Itoa(n) + ".port"); !taken {
			prefix = additional + strconv.Itoa(n) + "."
		}
	}
	if prefix == "" {
		return ConnectorProperties(c)
	}
	var want []Property
	if add {
		c.Address = loopback
		want = []Property{{prefix + "port", strconv.Itoa(port)}}
	}
	for _, k := range ConnectorProperties(c) {
		want = append(want, Property{prefix + strings.TrimPrefix(k.Key, "server."), k.Value})
	}
	return want
}

// plainNumber is the number of the additional connector that is or becomes the plain
// one.
func (p *Properties) plainNumber(t TLS) (string, error) {
	for n := 1; ; n++ {
		number := strconv.Itoa(n)
		port, ok := p.Get(additional + number + ".port")
		switch {
		case !ok || port.Value == strconv.Itoa(t.Plain):
			return number, nil
		case port.Value == strconv.Itoa(t.Port):
			return "", problem.New(fmt.Sprintf("%s, line %d: additional connector %d has port %d already", p.name, port.Line, n, t.Port),
				"two connectors cannot have one port", "remove that connector's lines, or choose another port (--listen)")
		}
	}
}

// KeyStore returns where the main connector's key store lies and the password that
// opens it and its key, "" where there are two; ok is false where there is no store.
func (p *Properties) KeyStore() (store Found, password string, ok bool) {
	store, ok = p.Get(sslStore)
	pass, _ := p.Get(sslStorePass)
	if key, _ := p.Get(sslKeyPass); key.Value != pass.Value {
		return store, "", ok
	}
	return store, pass.Value, ok
}

// PlainProperties take TLS off the main connector again, where its key store is one
// that ours says is bitgate's: it gets port and address of the additional plain
// connector, which goes. The address stays closed to others; whoever wants it open
// says so.
func (p *Properties) PlainProperties(ours func(store string) bool) (want []Property, gone []string) {
	if store, ok := p.Get(sslStore); !ok || !ours(store.Value) {
		return nil, nil
	}
	gone = []string{sslEnabled, sslStore, sslStoreType, sslStorePass, sslKeyPass, sslAlias}
	for n := 1; ; n++ {
		prefix := additional + strconv.Itoa(n)
		port, ok := p.Get(prefix + ".port")
		if !ok {
			return want, gone
		}
		if at, _ := p.Get(prefix + ".address"); at.Value == loopback {
			return []Property{{"server.port", port.Value}, {"server.address", loopback}}, append(gone, prefix+".port", prefix+".address")
		}
	}
}

// SetTLS gives the server.xml of Stash to Bitbucket 4.x a connector that terminates
// TLS, and closes the plain one on port t.Plain to others. What a former front needed
// on the plain one goes; another TLS connector on the port becomes a comment.
func (s *ServerXML) SetTLS(t TLS) (Result, error) {
	plain, err := s.connectorInUse(t.Plain)
	if err != nil {
		return Result{}, err
	}
	changes := []elementEdit{{
		ordinal: plain,
		set:     []setting{{"address", loopback}, {"redirectPort", strconv.Itoa(t.Port)}},
		gone:    []string{"proxyName", "proxyPort", "scheme", "secure"},
	}}
	for _, i := range s.connectors() {
		c := s.info(i)
		switch store, password, _ := s.storeOf(i); {
		case !c.on(t.Port):
			continue
		case i == plain, !c.speaksTLS():
			return Result{}, problem.New(fmt.Sprintf("%s: %s has the port already", s.name, s.list([]int{i})), "two connectors cannot have one port", "choose another port (--listen)")
		case store == t.KeyStore && password != "" && t.Password == "":
			return s.editElements(changes)
		}
		changes = append(changes, elementEdit{ordinal: i, comment: true})
	}
	changes[0].after = t.element()
	return s.editElements(changes)
}

// nests reports whether a connector has one SSLHostConfig with one Certificate.
func (s *ServerXML) nests(connector int) bool {
	hosts := s.elems[connector].ChildElements()
	if len(hosts) != 1 || hosts[0].Tag != "SSLHostConfig" {
		return false
	}
	certificates := hosts[0].ChildElements()
	return len(certificates) == 1 && certificates[0].Tag == "Certificate"
}

// AddConnector puts a plain connector for a front on port, on the loopback address, behind
// the one that terminates TLS on the port tls, which stays as it is.
func (s *ServerXML) AddConnector(tls, port int, c Connector) (Result, error) {
	at, err := s.connectorInUse(tls)
	if err != nil {
		return Result{}, err
	}
	for _, i := range s.connectors() {
		if s.info(i).on(port) {
			return Result{}, problem.New(fmt.Sprintf("%s: %s has the port already", s.name, s.list([]int{i})), "two connectors cannot have one port", "choose another port: --upstream http://127.0.0.1:PORT")
		}
	}
	c.Address = loopback
	attributes := []setting{{"port", strconv.Itoa(port)}, {"protocol", "HTTP/1.1"}, {"connectionTimeout", "20000"}, {"useBodyEncodingForURI", "true"}}
	return s.editElements([]elementEdit{{ordinal: at, after: tag("Connector", append(attributes, c.settings()...)) + "/>"}})
}

// ClearTLS turns into comments the TLS connectors whose key store is one that ours says is
// bitgate's.
func (s *ServerXML) ClearTLS(ours func(store string) bool) (Result, error) {
	var changes []elementEdit
	for _, i := range s.connectors() {
		if store, _, ok := s.storeOf(i); ok && ours(store) {
			changes = append(changes, elementEdit{ordinal: i, comment: true})
		}
	}
	if len(changes) == 0 {
		return Result{After: s.src}, nil
	}
	return s.editElements(changes)
}

// TLSPort is the port of the first of them, "" for none.
func (s *ServerXML) TLSPort(ours func(store string) bool) string {
	for _, i := range s.connectors() {
		if store, _, ok := s.storeOf(i); ok && ours(store) {
			return s.info(i).Port
		}
	}
	return ""
}

// KeyStore returns the key store of the TLS connector on port and its password.
func (s *ServerXML) KeyStore(port int) (store Found, password string, ok bool) {
	for _, i := range s.connectors() {
		if c := s.info(i); c.on(port) || port == 0 {
			if path, pass, ok := s.storeOf(i); ok {
				return Found{Value: path, Line: c.Line}, pass, true
			}
		}
	}
	return store, "", false
}

func (s *ServerXML) storeOf(connector int) (path, password string, ok bool) {
	if path, ok = s.value(connector, "keystoreFile"); ok {
		password, _ = s.value(connector, "keystorePass")
		return path, password, true
	}
	if !s.nests(connector) {
		return "", "", false
	}
	path, ok = s.value(connector+2, "certificateKeystoreFile")
	password, _ = s.value(connector+2, "certificateKeystorePassword")
	return path, password, ok
}

func (t TLS) store() []setting {
	return []setting{{"keystoreFile", t.KeyStore}, {"keystoreType", "PKCS12"}, {"keystorePass", t.Password}, {"keyPass", t.Password}, {"keyAlias", KeyAlias}}
}

func (t TLS) nestedStore() []setting {
	return []setting{
		{"certificateKeystoreFile", t.KeyStore},
		{"certificateKeystoreType", "PKCS12"},
		{"certificateKeystorePassword", t.Password},
		{"certificateKeyPassword", t.Password},
		{"certificateKeyAlias", KeyAlias},
	}
}

// element is a new connector, in the words of Atlassian's "Securing Stash with Tomcat
// using SSL" and of the plain connector that Stash ships.
func (t TLS) element() string {
	attributes := []setting{{"port", strconv.Itoa(t.Port)}}
	if t.Address != "" {
		attributes = append(attributes, setting{"address", t.Address})
	}
	attributes = append(attributes, setting{"protocol", "HTTP/1.1"}, setting{"SSLEnabled", "true"}, setting{"scheme", "https"}, setting{"secure", "true"},
		setting{"connectionTimeout", "20000"}, setting{"useBodyEncodingForURI", "true"}, setting{"compression", "on"},
		setting{"compressableMimeType", "text/html,text/xml,text/plain,text/css,application/json,application/javascript,application/x-javascript"})
	if !t.Nested {
		attributes = append(attributes, setting{"clientAuth", "false"}, setting{"sslProtocol", "TLS"})
		return tag("Connector", append(attributes, t.store()...)) + "/>"
	}
	attributes = slices.DeleteFunc(attributes, func(a setting) bool { return a.name == "compressableMimeType" }) // gone from Tomcat 10
	return tag("Connector", attributes) + "><SSLHostConfig>" + tag("Certificate", t.nestedStore()) + "/></SSLHostConfig></Connector>"
}

// tag is a start tag without its end.
func tag(name string, attributes []setting) string {
	var b strings.Builder
	b.WriteString("<" + name)
	for _, a := range attributes {
		b.WriteString(" " + a.name + `="` + escapeAttribute(a.value, '"') + `"`)
	}
	return b.String()
}

// KeyStore is KeyStore of either kind of file: of the connector on port in server.xml,
// of the main connector in properties.
func KeyStore(name string, data []byte, port int) (store Found, password string, ok bool) {
	if strings.HasSuffix(name, ".xml") {
		s, err := ParseServerXML(name, data)
		if err != nil {
			return store, "", false
		}
		return s.KeyStore(port)
	}
	p, err := ParseProperties(name, data)
	if err != nil {
		return store, "", false
	}
	return p.KeyStore()
}
