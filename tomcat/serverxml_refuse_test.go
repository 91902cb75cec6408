package tomcat

import (
	"strings"
	"testing"
)

// broken are documents that must be refused as a whole.
var broken = []struct {
	name, src, want string
	java            bool // Java's parser takes it all the same (TestXMLAgainstJava)
}{
	{"empty", "", "line 1: it holds no element", false},
	{"only text", "Server", "line 1: text outside the root element", false},
	{"no end tag", "<Server>\n<Service>\n", "line 2: <Service> is never closed", false},
	{"wrong end tag", "<Server>\n<Service>\n</Server>", "line 3: </Server> where <Service> of line 2 must be closed first", false},
	{"end tag too many", "<Server><Service/></Server>\n</Server>", "line 2: </Server> closes nothing", false},
	{"two roots", "<Server><Service/></Server>\n<Server/>", "line 2: a second root element", false},
	{"text after the root", "<Server><Service/></Server>\nx", "line 2: text outside the root element", false},
	{"attribute twice", wrap("<Connector port=\"7990\"\nport=\"7991\"/>", ""), "line 4: <Connector has the attribute port twice", false},
	{"no blank between attributes", wrap(`<Connector port="7990"secure="true"/>`, ""), "line 3: <Connector: a blank is missing before secure", false},
	{"no quotes", wrap(`<Connector port=7990/>`, ""), "line 3: <Connector: the value of port has no quotes", false},
	{"no value", wrap(`<Connector port/>`, ""), `line 3: <Connector: the attribute port has no "="`, false},
	{"< in a value", wrap(`<Connector port="<"/>`, ""), `line 3: <Connector: the value of port holds "<"`, false},
	{"quote never closed", wrap(`<Connector port="7990/>`, ""), `line 4: <Connector: the value of port holds "<"`, false},
	{"& alone", wrap(`<Connector x="a & b"/>`, ""), `line 3: "&" that is not written as "&amp;"`, false},
	{"template left in", wrap("% if x:\n<% y %>", ""), "line 4: ", false},
	{"-- in a comment", wrap("<!-- a -- b -->", ""), "line 3: ", false},
	{"comment never ends", wrap("<!-- a", ""), "line 3: a comment that never ends", false},
	{"CDATA never ends", wrap("<![CDATA[ a", ""), "line 3: a CDATA section that never ends", false},
	{"declaration too late", "\n<?xml version='1.0'?><Server><Service/></Server>", "line 2: an XML declaration that is not at the very beginning", false},
	{"not valid UTF-8", wrap("<!-- gepr\xFCft -->", ""), "line 3: a byte that is not allowed here", false},
	{"control character", wrap("<!-- \x01 -->", ""), "line 3: a byte that is not allowed here", false},
	{"encoding not kept", "<?xml version='1.0' encoding='US-ASCII'?>\n<!-- \xFC --><Server><Service/></Server>", "line 2: bytes that are not valid in the file's declared encoding", false},
	{"encoding unknown", "<?xml version='1.0' encoding='X-KLINGON'?><Server><Service/></Server>", "line 1: it declares the encoding X-KLINGON", false},
	{"encoding a lie", "<?xml version='1.0' encoding='UTF-16'?><Server><Service/></Server>", "line 1: it declares the encoding UTF-16", false},
	{"undeclared entity", wrap("&connectors;", ""), "line 3: the entity &connectors; is not declared in this file", false},
	{"late document type", "<Server><Service/>\n<!DOCTYPE Server></Server>", "line 2: a document type that does not stand before the root element", false},
	{"document type never ends", "<!DOCTYPE Server [\n<!ENTITY a 'b'>", "line 1: a document type that never ends", false},

	{
		"external entity", "<!DOCTYPE Server [\n <!ENTITY connectors SYSTEM \"connectors.xml\">\n]>\n" + wrap("&connectors;", ""),
		"line 6: &connectors; pulls in another file (connectors.xml)", true,
	},
	{"public external entity", "<!DOCTYPE Server [<!ENTITY c PUBLIC '-//x' 'c.xml'>]>\n" + wrap("&c;", ""), "line 4: &c; pulls in another file (c.xml)", true},
	{"entity with elements", "<!DOCTYPE Server [<!ENTITY c '<Connector port=\"7990\"/>'>]>\n" + wrap("&c;", ""), "line 4: the entity &c; holds elements", true},
	{"parameter entity", "<!DOCTYPE Server [<!ENTITY % more SYSTEM 'more.dtd'>\n%more;]>" + wrap("", ""), "line 2: the document type pulls in declarations", true},
	{"not Tomcat's", "<web-app>\n</web-app>", "line 1: not a Tomcat server.xml: the root element is <web-app>", true},
	{"no Service", "<!-- x -->\n<Server><x><Service/></x></Server>", "line 2: not a Tomcat server.xml: <Server> holds no <Service>", true},
}

func TestBrokenIsRefused(t *testing.T) {
	for _, c := range broken {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseServerXML("shared/server.xml", []byte(c.src))
			if err == nil {
				t.Fatal("it was taken")
			}
			checkRefusal(t, "shared/server.xml", err)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestEntitiesOfTheFileItself(t *testing.T) {
	src := "<!DOCTYPE Server [\n <!-- it's > [ -->\n <!ENTITY host \"git&#46;example.com\"> <!ENTITY unused SYSTEM 'x'>\n]>\n" +
		wrap(`<Connector port="7990" proxyName="&host;" x="&host;"/>`, "")
	s := mustXML(t, src)
	r, err := s.SetConnector(7990, Connector{ProxyName: "git.example.com"})
	if err != nil || len(r.Splices) != 0 {
		t.Errorf("the entity has the wanted value already: %v %+v", err, r.Splices)
	}
	r, err = s.SetConnector(7990, Connector{ProxyName: "other"})
	if want := strings.Replace(src, `proxyName="&host;"`, `proxyName="other"`, 1); err != nil || string(r.After) != want {
		t.Errorf("%v\n%s", err, r.After)
	}
}

func TestConnectorRefusals(t *testing.T) {
	for _, c := range []struct {
		name, connectors string
		port             int
		want             string
	}{
		{"none", "", 7990, "no live Connector in any Service"},
		{"only in a comment", `<!-- <Connector port="7990"/> -->`, 7990, "no live Connector in any Service"},
		{"only AJP", `<Connector port="7990" protocol="AJP/1.3"/>`, 7990, "no live HTTP connector on port 7990; there is port 7990 (AJP/1.3, line 3)"},
		{
			"other port", `<Connector port="8080"/><Connector port="8443" SSLEnabled="true" keystorePass="hidden"/>`, 7990,
			"no live HTTP connector on port 7990; there is port 8080 (HTTP/1.1, line 3), port 8443 (HTTP/1.1 with TLS, line 3)",
		},
		{"property", "\n<Connector port='${http.port}'/>", 7990, "line 4: the connector's port is the property ${http.port}"},
		{"property with default", `<Connector port="${http.port:-7990}"/>`, 0, "line 3: the connector's port is the property ${http.port}"},
		{"protocol is a property", `<Connector port="7990" protocol="${p}"/>`, 7990, "line 3: the protocol of the connector on port 7990 is the property ${p}"},
		{
			"two on one port", "<Connector port=\"7990\" address=\"127.0.0.1\"/>\n<Connector port=\"7990\" address=\"10.0.0.1\"/>", 7990,
			"several connectors could be the one in use: port 7990 (HTTP/1.1, line 3), port 7990 (HTTP/1.1, line 4)",
		},
		{"port 0 with two", `<Connector port="1"/><Connector port="2"/>`, 0, "several connectors could be the one in use"},
		{"port 0 without HTTP", `<Connector port="8009" protocol="AJP/1.3"/>`, 0, "no live HTTP connector; there is port 8009"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := mustXML(t, wrap(c.connectors, "")).SetConnector(c.port, front)
			if err == nil {
				t.Fatalf("it was edited:\n%s", r.After)
			}
			checkRefusal(t, "server.xml", err)
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestContextRefusals(t *testing.T) {
	for _, c := range []struct{ name, contexts, want string }{
		{"none", "", "line 4: the <Host> holds no Context"},
		{"only in a comment", `<!-- <Context path=""/> -->`, "line 4: the <Host> holds no Context"},
		{"outside the Host", "</Host>\n<Context path=''/><Host>", "the Context in line 6 does not stand in a Host"},
		{"two", "<Context path=''/>\n<Context path='/x'/>", "there are 2 Contexts (lines 5, 6)"},
		{"property", "<Context path='/${ctx}'/>", "line 5: the context path is the property ${ctx}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustXML(t, wrap("<Connector port='7990'/>", c.contexts))
			_, err := s.SetContextPath(0, "/bitbucket")
			if err == nil {
				t.Fatal("it was edited")
			}
			checkRefusal(t, "server.xml", err)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
			if f, ok := s.ContextPath(0); ok {
				t.Errorf("ContextPath: %+v", f)
			}
			if _, err := s.SetConnector(7990, front); err != nil {
				t.Errorf("the connector must still be possible: %v", err)
			}
		})
	}
}
