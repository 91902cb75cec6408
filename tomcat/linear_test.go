package tomcat

import (
	"fmt"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// TestLargeFilesAreReadInLinearTime: the owner of a file decides how large it is. Four
// times the file costs about four times the CPU time, where it was sixteen times.
func TestLargeFilesAreReadInLinearTime(t *testing.T) {
	want := Connector{ProxyName: "git.example.com", ProxyPort: 443, Scheme: "https", Secure: true, RedirectPort: 443}
	doc := func(inside string) []byte {
		return []byte("<Server port=\"8006\">\n<Service name=\"Catalina\">\n" + inside + "<Connector port=\"7990\"/><Engine><Host><Context path=\"\"/></Host></Engine></Service>\n</Server>\n")
	}
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, do := range map[string]func(n int) error{
		"properties": func(n int) error {
			p, err := ParseProperties("p", []byte(strings.Repeat("a=b\n", 8*n)+strings.Repeat("# server.port=1 x\n", n/2)))
			if err == nil {
				CheckProperties(p)
				_, err = p.Edit(ConnectorProperties(want), nil)
			}
			return err
		},
		"connectors": func(n int) error {
			s, err := ParseServerXML("s", doc(repeat(n, "<Connector port=\"1%05d\" protocol=\"HTTP/1.1\"\n proxyName=\"x\" connectionTimeout=\"20000\" secure=\"false\"/>\n")))
			if err == nil && len(s.Connectors()) != n+1 {
				err = fmt.Errorf("%d connectors", len(s.Connectors()))
			}
			if err == nil {
				CheckServerXML(s, 7990)
				_, err = s.SetConnector(7990, want)
			}
			return err
		},
		"contexts": func(n int) error {
			s, err := ParseServerXML("s", doc(strings.Repeat("<Context/>\n", n)))
			if err == nil && len(CheckServerXML(s, 7990)) != 101 {
				err = fmt.Errorf("%d findings", len(CheckServerXML(s, 7990)))
			}
			return err
		},
		"connectors of one port": func(n int) error {
			s, err := ParseServerXML("s", doc(strings.Repeat("<Connector port=\"8443\" SSLEnabled=\"true\"/>\n", n)))
			if err == nil {
				_, err = s.SetTLS(TLS{Port: 8443, KeyStore: "/k", Password: "p", Plain: 7990})
			}
			return err
		},
		"additional connectors": func(n int) error {
			p, err := ParseProperties("p", []byte(repeat(n, "server.additional-connector.%d.port=1\n")))
			if err == nil && len(CheckProperties(p)) != 101 {
				err = fmt.Errorf("%d findings", len(CheckProperties(p)))
			}
			if err == nil {
				_, _, err = p.TLSProperties(TLS{Port: 8443, Plain: 7991})
			}
			return err
		},
		"attributes": func(n int) error {
			s, err := ParseServerXML("s", doc("<Valve"+repeat(n, " a%d=\"x\"")+"/>"))
			if err == nil {
				CheckServerXML(s, 7990)
				_, err = s.SetContextPath(0, "/x")
			}
			return err
		},
	} {
		peers.Linear(t, name, func(n int) func() error { return func() error { return do(n) } })
	}
}
