package tomcat

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLargeFilesAreReadInLinearTime: the owner of a file decides how large it is.
// The bounds are for a slow machine; what was quadratic took minutes here.
func TestLargeFilesAreReadInLinearTime(t *testing.T) {
	connectors, attributes := strings.Builder{}, strings.Builder{}
	for i := range 40_000 {
		fmt.Fprintf(&connectors, "<Connector port=\"%d\" protocol=\"HTTP/1.1\"\n proxyName=\"x\" connectionTimeout=\"20000\" secure=\"false\"/>\n", 10000+i)
		fmt.Fprintf(&attributes, " a%d=\"x\"", i)
	}
	doc := func(inside string) string {
		return "<Server port=\"8006\">\n<Service name=\"Catalina\">\n" + inside + "<Connector port=\"7990\"/><Engine><Host><Context path=\"\"/></Host></Engine></Service>\n</Server>\n"
	}
	want := Connector{ProxyName: "git.example.com", ProxyPort: 443, Scheme: "https", Secure: true, RedirectPort: 443}
	for name, do := range map[string]func() error{
		"properties": func() error {
			p, err := ParseProperties("p", []byte(strings.Repeat("a=b\n", 1<<18)+strings.Repeat("# server.port=1 x\n", 1<<14)))
			if err == nil {
				CheckProperties(p)
				_, err = p.Set(ConnectorProperties(want))
			}
			return err
		},
		"connectors": func() error {
			s, err := ParseServerXML("s", []byte(doc(connectors.String())))
			if err == nil && len(s.Connectors()) != 40_001 {
				err = fmt.Errorf("%d connectors", len(s.Connectors()))
			}
			if err == nil {
				CheckServerXML(s, 7990)
				_, err = s.SetConnector(7990, want)
			}
			return err
		},
		"attributes": func() error {
			s, err := ParseServerXML("s", []byte(doc("<Valve"+attributes.String()+"/>")))
			if err == nil {
				CheckServerXML(s, 7990)
				_, err = s.SetContextPath(0, "/x")
			}
			return err
		},
	} {
		began := time.Now()
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, time.Since(began))
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}
