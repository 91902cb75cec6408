package tomcat

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// speaksHTTP reports whether the connector's protocol is one of Tomcat's HTTP
// ones (HTTP/1.1, none, or a class of org.apache.coyote.http11).
func (c ConnectorInfo) speaksHTTP() bool {
	p := strings.ToLower(c.Protocol)
	return p == "" || strings.HasPrefix(p, "http/") || strings.Contains(p, "http11")
}

// speaksTLS reports whether the connector terminates TLS by itself.
func (c ConnectorInfo) speaksTLS() bool { return strings.EqualFold(c.Attributes["SSLEnabled"], "true") }

// Plain reports whether the connector speaks HTTP without TLS, as far as the file
// tells: a protocol that is a property may be that.
func (c ConnectorInfo) Plain() bool {
	return (c.speaksHTTP() || placeholder(c.Protocol) != "") && !c.speaksTLS()
}

func (c ConnectorInfo) on(port int) bool {
	n, err := strconv.Atoi(c.Port)
	return err == nil && n == port
}

// describe names the connector for people, without attributes that may be secret.
func (c ConnectorInfo) describe() string {
	kind := c.Protocol
	switch {
	case c.Protocol == "":
		kind = "HTTP/1.1"
	case !c.speaksHTTP() && !strings.Contains(strings.ToLower(kind), "ajp"):
		kind = "protocol " + kind
	}
	if c.speaksTLS() {
		kind += " with TLS"
	}
	return fmt.Sprintf("port %s (%s, line %d)", c.Port, kind, c.Line)
}

// connectorInUse finds the live HTTP connector on port; port 0 means the only
// HTTP connector there is. Connectors that speak TLS themselves step back
// where there is another.
func (s *ServerXML) connectorInUse(port int) (ordinal int, err error) {
	var match []int
	for _, i := range s.connectors() {
		if c := s.info(i); c.speaksHTTP() && (port == 0 || c.on(port)) {
			match = append(match, i)
		}
	}
	if plain := s.only(match, func(i int) bool { return !s.info(i).speaksTLS() }); len(plain) > 0 {
		match = plain
	}
	switch len(match) {
	case 0:
		return 0, s.noConnector(port)
	case 1:
		if c := s.info(match[0]); placeholder(c.Port) != "" {
			return 0, s.portPlaceholder(c)
		}
		return match[0], nil
	}
	return 0, problem.New(fmt.Sprintf("%s: several connectors could be the one in use: %s", s.name, s.list(match)),
		"only the connector that the front talks to may carry the public name and port",
		"name its port with --upstream, or give every connector a port of its own")
}

func (s *ServerXML) noConnector(port int) error {
	all := s.connectors()
	for _, i := range all {
		c := s.info(i)
		if c.on(port) && placeholder(c.Protocol) != "" {
			return problem.New(fmt.Sprintf("%s, line %d: the protocol of the connector on port %d is the property ${%s}", s.name, c.Line, port, placeholder(c.Protocol)),
				"its value is set elsewhere, so HTTP cannot be told from AJP here",
				"write the protocol literally, e.g. protocol=\"HTTP/1.1\", and run bitgate again")
		}
	}
	for _, i := range all {
		if c := s.info(i); c.speaksHTTP() && placeholder(c.Port) != "" {
			return s.portPlaceholder(c)
		}
	}
	if len(all) == 0 {
		return problem.New(fmt.Sprintf("%s, line %d: there is no live Connector in any Service", s.name, s.line(0)),
			"without a connector Bitbucket listens nowhere; one in a comment does not count", "check that this is the server.xml Bitbucket starts with")
	}
	found := fmt.Sprintf("%s: no live HTTP connector on port %d; there is %s", s.name, port, s.list(all))
	if port == 0 {
		found = fmt.Sprintf("%s: no live HTTP connector; there is %s", s.name, s.list(all))
	}
	return problem.New(found, "the proxy settings belong on the connector that the front talks to",
		"name the port of Bitbucket's HTTP connector with --upstream")
}

func (s *ServerXML) portPlaceholder(c ConnectorInfo) error {
	return problem.New(fmt.Sprintf("%s, line %d: the connector's port is the property ${%s}", s.name, c.Line, placeholder(c.Port)),
		"its value is set elsewhere (conf/catalina.properties or -D), so it is not certain that this connector is the one in use",
		"write the port literally into this file, or set the proxy attributes of this connector by hand")
}

func (s *ServerXML) list(ordinals []int) string {
	var names []string
	for _, i := range ordinals {
		names = append(names, s.info(i).describe())
	}
	return several(names)
}

// SetConnector sets the proxy attributes of the HTTP connector in use on port.
// Port 0 means the only HTTP connector of the file.
func (s *ServerXML) SetConnector(port int, c Connector) (Result, error) {
	ordinal, err := s.connectorInUse(port)
	if err != nil {
		return Result{}, err
	}
	res, err := s.setAttributes(ordinal, c.settings())
	if err != nil {
		return Result{}, err
	}
	if info := s.info(ordinal); info.speaksTLS() {
		res.Notes = append(res.Notes, fmt.Sprintf("the connector in line %d speaks TLS itself (SSLEnabled): a front that talks plain HTTP to it gets no answer", info.Line))
	}
	return res, nil
}
