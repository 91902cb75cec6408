package tomcat

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wrap puts elements into the Service and the Host of a small server.xml.
func wrap(service, host string) string {
	return "<Server port=\"8006\">\n <Service name=\"Catalina\">\n" + service +
		"\n  <Engine name=\"Catalina\"><Host name=\"localhost\">\n" + host + "\n  </Host></Engine>\n </Service>\n</Server>\n"
}

func TestShippedFile(t *testing.T) {
	before, want := read(t, "testdata/bitbucket4.xml"), read(t, "testdata/bitbucket4.want.xml")
	for name, convert := range map[string]func([]byte) []byte{
		"as shipped":       func(b []byte) []byte { return b },
		"CRLF":             func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
		"lone CR":          func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r")) },
		"BOM":              func(b []byte) []byte { return append([]byte("\xEF\xBB\xBF"), b...) },
		"no final newline": func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) },
		"ISO-8859-1":       func(b []byte) []byte { return declared(b, "ISO-8859-1", "gepr\xFCft, <\xE9>") },
		"Windows-1251":     func(b []byte) []byte { return declared(b, "windows-1251", "\xCF\xF0\xE8\xE2\xE5\xF2") },
		"GBK":              func(b []byte) []byte { return declared(b, "GBK", "\xD6\xD0\xCE\xC4") },
		"UTF-16LE with BOM": func(b []byte) []byte {
			out := []byte("\xFF\xFE")
			for _, c := range declared(b, "UTF-16", "") {
				out = append(out, c, 0)
			}
			return out
		},
		"UTF-16BE without BOM": func(b []byte) []byte {
			var out []byte
			for _, c := range declared(b, "UTF-16BE", "") {
				out = append(out, 0, c)
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, want := convert(before), convert(want)
			c := front
			c.Address = "127.0.0.1"
			got := edit(t, src, 7990, c, "/bitbucket")
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again := edit(t, got, 7990, c, "/bitbucket"); !bytes.Equal(again, got) {
				t.Error("the second edit changed something")
			}
		})
	}
}

// declared gives the fixture another declared encoding and a comment in it.
func declared(b []byte, name, comment string) []byte {
	b = bytes.Replace(b, []byte("encoding='utf-8'"), []byte("encoding='"+name+"'"), 1)
	return bytes.Replace(b, []byte("further down."), []byte(comment), 1)
}

// edit does both steps and checks the splices of each.
func edit(t *testing.T, src []byte, port int, c Connector, path string) []byte {
	t.Helper()
	s := mustXML(t, string(src))
	r, err := s.SetConnector(port, c)
	if err != nil {
		t.Fatal(err)
	}
	checkSplices(t, src, r)
	s = mustXML(t, string(r.After))
	r2, err := s.SetContextPath(0, path)
	if err != nil {
		t.Fatal(err)
	}
	checkSplices(t, r.After, r2)
	if f, ok := mustXML(t, string(r2.After)).ContextPath(0); !ok || f.Value != path {
		t.Fatalf("context path reads back as %+v, %v", f, ok)
	}
	return r2.After
}

func TestConnectorStyle(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{"one line", `<Connector port="7990"/>`, `<Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{"blank before the end", `<Connector port="7990" />`, `<Connector port="7990" proxyName="n" proxyPort="443" />`},
		{"not empty", `<Connector port="7990"><x/></Connector>`, `<Connector port="7990" proxyName="n" proxyPort="443"><x/></Connector>`},
		{"single quotes", `<Connector port='7990'/>`, `<Connector port='7990' proxyName='n' proxyPort='443'/>`},
		{"quotes are kept", `<Connector proxyName='' port="7990" proxyPort='80'/>`, `<Connector proxyName='n' port="7990" proxyPort='443'/>`},
		{"blanks round =", `<Connector port = '7990'/>`, `<Connector port = '7990' proxyName = 'n' proxyPort = '443'/>`},
		{"value in place", `<Connector proxyPort =  "80"  port="7990"/>`, `<Connector proxyPort =  "443"  port="7990" proxyName="n"/>`},
		{"newline round =", "<Connector port=\n'7990'/>", "<Connector port=\n'7990' proxyName='n' proxyPort='443'/>"},
		{"multi-line", "<Connector port=\"7990\"\n\t  x=\"1\"\n/>", "<Connector port=\"7990\"\n\t  x=\"1\"\n\t  proxyName=\"n\"\n\t  proxyPort=\"443\"\n/>"},
		{"multi-line CRLF", "<Connector\r\n  port=\"7990\">\r\n</Connector>", "<Connector\r\n  port=\"7990\"\r\n  proxyName=\"n\"\r\n  proxyPort=\"443\">\r\n</Connector>"},
		{"multi-line, last line shared", "<Connector port=\"7990\"\n  x=\"1\" y=\"2\"/>", "<Connector port=\"7990\"\n  x=\"1\" y=\"2\"\n  proxyName=\"n\"\n  proxyPort=\"443\"/>"},
		{"blank line between", "<Connector port=\"7990\"\n\n   x=\"1\"/>", "<Connector port=\"7990\"\n\n   x=\"1\"\n   proxyName=\"n\"\n   proxyPort=\"443\"/>"},
		{"only the end on its own line", "<Connector port=\"7990\"\n  />", "<Connector port=\"7990\" proxyName=\"n\" proxyPort=\"443\"\n  />"},
		{">, ${} and entities survive", `<Connector port="7990" x="a>b&#x5c;&lt;&quot;${y}"/>`, `<Connector port="7990" x="a>b&#x5c;&lt;&quot;${y}" proxyName="n" proxyPort="443"/>`},
		{
			"look-alikes", `<!-- <Connector port="7990"/> --><?x <Connector port="7990"/>?><Connectors port="7990"/><a:Connector port="7990"/><Connector xport="1" x:port="2" port="7990"/>`,
			`<!-- <Connector port="7990"/> --><?x <Connector port="7990"/>?><Connectors port="7990"/><a:Connector port="7990"/><Connector xport="1" x:port="2" port="7990" proxyName="n" proxyPort="443"/>`,
		},
		{"in CDATA", `<x><![CDATA[<Connector port="7990"/>]]></x><Connector port="7990"/>`, `<x><![CDATA[<Connector port="7990"/>]]></x><Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{"beside AJP on the same port", `<Connector port="7990" protocol="AJP/1.3"/><Connector port="7990"/>`, `<Connector port="7990" protocol="AJP/1.3"/><Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{"beside TLS on the same port", `<Connector port="7990" SSLEnabled="true"/><Connector port="7990"/>`, `<Connector port="7990" SSLEnabled="true"/><Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{
			"beside others", `<Connector port="7991"/><Connector port="7990" protocol="org.apache.coyote.http11.Http11NioProtocol"/><Connector port="${p}"/>`,
			`<Connector port="7991"/><Connector port="7990" protocol="org.apache.coyote.http11.Http11NioProtocol" proxyName="n" proxyPort="443"/><Connector port="${p}"/>`,
		},
		{"in the second Service", `</Service><Service><Connector port="7990"/>`, `</Service><Service><Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{"one outside a Service is not live", `<x><Connector port="7990"/></x><Connector port="7990"/>`, `<x><Connector port="7990"/></x><Connector port="7990" proxyName="n" proxyPort="443"/>`},
		{"nothing to do", `<Connector port="7990" proxyPort='443' proxyName="&#110;"/>`, `<Connector port="7990" proxyPort='443' proxyName="&#110;"/>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := wrap(c.before, "")
			r, err := mustXML(t, src).SetConnector(7990, Connector{ProxyName: "n", ProxyPort: 443})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wrap(c.after, ""), string(r.After)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			checkSplices(t, []byte(src), r)
			if (len(r.Splices) == 0) != (c.before == c.after) {
				t.Errorf("splices: %+v", r.Splices)
			}
		})
	}
}

func TestValuesAreEscaped(t *testing.T) {
	for _, quote := range []string{`"`, `'`} {
		src := "<?xml version='1.0' encoding='ISO-8859-1'?>" + wrap("<Connector port="+quote+"7990"+quote+"/>", "")
		name := "a&b<c>\"d'e\t\u20ac\u00fc\r\n"
		r, err := mustXML(t, src).SetConnector(7990, Connector{ProxyName: name})
		if err != nil {
			t.Fatal(err)
		}
		if got := mustXML(t, string(r.After)).Connectors()[0].Attributes["proxyName"]; got != name {
			t.Errorf("%q reads back as %q", name, got)
		}
		if bytes.Contains(r.After, []byte("\xe2\x82\xac")) || !bytes.Contains(r.After, []byte("&#8364;\xfc")) {
			t.Errorf("not in the file's encoding: %q", r.After)
		}
	}
}

func TestOnlyHTTPConnector(t *testing.T) {
	r, err := mustXML(t, wrap(`<Connector port="8009" protocol="AJP/1.3"/><Connector port="8443" SSLEnabled="true"/><Connector port="1"/>`, "")).SetConnector(0, front)
	if err != nil || !strings.Contains(string(r.After), `port="1" proxyName=`) {
		t.Errorf("port 0 must find the only plain HTTP connector: %v\n%s", err, r.After)
	}
}

func TestNotes(t *testing.T) {
	r, err := mustXML(t, wrap("<Connector port=\"8443\" SSLEnabled=\"true\"\n secure=\"${tls}\"/>", "")).SetConnector(8443, front)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"secure in line 3 was the property ${tls}", "line 3 speaks TLS itself"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
}

func TestContextPath(t *testing.T) {
	for _, c := range []struct{ name, path, before, after string }{
		{"root", "", `<Context path="/stash"/>`, `<Context path=""/>`},
		{"root is never a slash", "", `<Context path="/"/>`, `<Context path=""/>`},
		{"from root", "/b", `<Context docBase="${catalina.home}/x" path=''/>`, `<Context docBase="${catalina.home}/x" path='/b'/>`},
		{"no path yet", "/b", `<Context docBase="x"/>`, `<Context docBase="x" path="/b"/>`},
		{"no attribute yet", "/b", `<Context/>`, `<Context path="/b"/>`},
		{"one more in a comment", "/b", `<!--<Context path="/x"/>--><Context path="/c"></Context>`, `<!--<Context path="/x"/>--><Context path="/b"></Context>`},
		{"one more outside the Host", "/b", `<Context path="/c"/></Host><Context path="/d"/><Host>`, `<Context path="/b"/></Host><Context path="/d"/><Host>`},
		{"in the second Host", "/b", `</Host><Host><Context path="/c"/>`, `</Host><Host><Context path="/b"/>`},
		{"nothing to do", "/b", `<Context path="/b"/>`, `<Context path="/b"/>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := wrap("", c.before)
			r, err := mustXML(t, src).SetContextPath(0, c.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wrap("", c.after), string(r.After)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if f, ok := mustXML(t, string(r.After)).ContextPath(0); !ok || f.Value != c.path {
				t.Errorf("reads back as %+v, %v", f, ok)
			}
		})
	}
}

func TestConnectorsAreListed(t *testing.T) {
	got := mustXML(t, string(read(t, "testdata/bitbucket4.xml"))).Connectors()
	if len(got) != 1 || got[0].Line != 19 || got[0].Port != "7990" || got[0].Protocol != "HTTP/1.1" || got[0].Attributes["redirectPort"] != "8443" {
		t.Errorf("%+v", got)
	}
}

func TestCheckServerXML(t *testing.T) {
	for _, c := range []struct {
		name, connectors string
		want             []string
	}{
		{"all is well", `<Connector port="7990" scheme="https" secure="true" proxyName="x" proxyPort="443" redirectPort="443"/>`, nil},
		{"not behind a front", `<Connector port="7990" redirectPort="8443"/>`, nil},
		{"set elsewhere", `<Connector port="7990" scheme="https" secure="${s}"/>`, nil},
		{"scheme alone", `<Connector port="7990" scheme="https"/>`, []string{`scheme="https" without secure="true"`}},
		{"secure=false", `<Connector port="7990" scheme="https" secure="false"/>`, []string{`scheme="https" without secure="true"`}},
		{"secure alone", `<Connector port="7990" secure="true"/>`, []string{`secure="true" without scheme="https"`}},
		{"no public port", `<Connector port="7990" proxyName="x"/>`, []string{"proxyName without proxyPort"}},
		{"redirectPort left", `<Connector port="7990" proxyPort="443" redirectPort="8443"/>`, []string{"redirectPort is 8443, the public port is 443"}},
		{"TLS", `<Connector port="7990" SSLEnabled="true"/>`, []string{"the connector on port 7990 speaks TLS itself (SSLEnabled)"}},
		{
			"others", "<Connector port=\"7990\"/>\n<Connector port=\"8443\" SSLEnabled=\"true\" keystorePass=\"secret\"/><Connector port=\"8009\" protocol=\"AJP/1.3\"/>",
			[]string{"there is another live connector: port 8443 (HTTP/1.1 with TLS, line 4)", "there is another live connector: port 8009 (AJP/1.3, line 4)"},
		},
		{"Context in the Engine", `<Connector port="7990"/><Engine><Context/></Engine>`, []string{"this Context does not stand in a Host"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range CheckServerXML(mustXML(t, wrap(c.connectors, "")), 7990) {
				got = append(got, f.Found)
				if f.Line < 3 || f.Why == "" || f.Do == "" {
					t.Errorf("incomplete: %+v", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
