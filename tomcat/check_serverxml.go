package tomcat

import (
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// CheckServerXML names what contradicts itself on the connector on port (0:
// the only HTTP connector), and the other ways into this Tomcat.
func CheckServerXML(s *ServerXML, port int) []problem.Finding {
	var list []problem.Finding
	inUse := -1
	if ordinal, err := s.connectorInUse(port); err == nil {
		inUse = ordinal
		list = checkConnector(s.info(ordinal))
	}
	for _, i := range s.connectors() {
		if c := s.info(i); i != inUse && inUse >= 0 && !closed(c.Address) {
			other := finding(
				c.Line, "there is another live connector: "+c.describe(),
				"it does not carry the public name, and anyone who can reach it bypasses the front",
				"remove it if nothing uses it, or keep it closed to other machines",
			)
			if c.speaksTLS() {
				other = ownTLS(other)
			}
			list = append(list, other)
		}
	}
	for _, i := range s.named("Context") {
		if !placed(s.elems[i], contextPlace...) {
			list = append(list, finding(s.line(i), "this Context does not stand in a Host", "Tomcat ignores it", "remove it, or move it into the Host"))
		}
	}
	return in(s.name, list)
}

func checkConnector(c ConnectorInfo) []problem.Finding {
	var list []problem.Finding
	add := func(found, why, do string) { list = append(list, finding(c.Line, found, why, do)) }
	scheme, secure := c.Attributes["scheme"], strings.EqualFold(c.Attributes["secure"], "true")
	known := placeholder(scheme) == "" && placeholder(c.Attributes["secure"]) == ""
	switch {
	case known && strings.EqualFold(scheme, "https") && !secure:
		add(`scheme="https" without secure="true"`, whyNotSecure, `set secure="true"`)
	case known && secure && !strings.EqualFold(scheme, "https"):
		add(`secure="true" without scheme="https"`, whyNotHTTPS, `set scheme="https"`)
	}
	if name, proxyPort := c.Attributes["proxyName"], c.Attributes["proxyPort"]; name != "" && (proxyPort == "" || proxyPort == "0") {
		add("proxyName without proxyPort", whyNoProxyPort, "set proxyPort to the public port, usually 443")
	}
	redirect, proxyPort := c.Attributes["redirectPort"], c.Attributes["proxyPort"]
	if redirect != "" && proxyPort != "" && redirect != proxyPort && placeholder(redirect+proxyPort) == "" {
		add(fmt.Sprintf("redirectPort is %s, the public port is %s", redirect, proxyPort),
			"where Tomcat itself redirects to HTTPS it sends clients to a port that the front does not serve", "set redirectPort to "+proxyPort)
	}
	if c.speaksTLS() {
		add(fmt.Sprintf("the connector on port %s speaks TLS itself (SSLEnabled)", c.Port),
			"the front talks plain HTTP to Bitbucket and gets no answer here", "use a connector without SSLEnabled for the front")
	}
	return list
}

// closed reports whether a connector listens for this machine alone.
func closed(address string) bool {
	return address == "localhost" || strings.HasPrefix(address, "127.") || address == "::1"
}

// Reasons that server.xml and bitbucket.properties share.
const (
	whyNotSecure   = "Bitbucket takes the client's connection for an insecure one: session cookies lose their Secure mark"
	whyNotHTTPS    = "Bitbucket writes links and redirects with http:// although clients come by HTTPS"
	whyNoProxyPort = "the public port is then taken from the Host header or guessed, and links may carry the wrong one"
)
