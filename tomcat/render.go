package tomcat

import (
	"fmt"
	"strings"
)

// RenderServerXML prints the elements of step 1 and 3 as they look in the
// server.xml that Stash 3.8 to Bitbucket 4.x ship: a Connector for the Service
// and the Context for the Host. path is "" for the root.
func RenderServerXML(c Connector, port int, path string) string {
	var b strings.Builder
	attribute := func(name, value string) {
		fmt.Fprintf(&b, "\n           %s=\"%s\"", name, escapeAttribute(value, '"'))
	}
	fmt.Fprintf(&b, "<!-- in <Service>: the connector that the front talks to -->\n<Connector port=\"%d\" protocol=\"HTTP/1.1\"", port)
	attribute("connectionTimeout", "20000")
	attribute("useBodyEncodingForURI", "true")
	for _, s := range c.settings() {
		attribute(s.name, s.value)
	}
	b.WriteString("/>\n<!-- in <Host>: the context path -->\n")
	fmt.Fprintf(&b, "<Context docBase=\"${catalina.home}/atlassian-bitbucket\" path=\"%s\" reloadable=\"false\" useHttpOnly=\"true\"/>\n", escapeAttribute(path, '"'))
	return b.String()
}

// RenderProperties prints the lines of shared/bitbucket.properties (5.0 and
// later) for the same steps. path is "" for the root.
func RenderProperties(c Connector, path string) string {
	var b strings.Builder
	for _, p := range append(ConnectorProperties(c), ContextPathProperty(path)) {
		b.WriteString(escapeKey(p.Key) + "=" + escapeValue(p.Value) + "\n")
	}
	return b.String()
}
