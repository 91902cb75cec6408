package tomcat

import (
	"strings"
	"testing"
)

// What is printed for people must be what the editors would make.
func TestRender(t *testing.T) {
	for _, path := range []string{"", "/bitbucket"} {
		connector, context, _ := strings.Cut(RenderServerXML(front, 7990, path), "<!-- in <Host>")
		s := mustXML(t, wrap(connector, "<!-- in <Host>"+context))
		if r, err := s.SetConnector(7990, front); err != nil || len(r.Splices) != 0 {
			t.Errorf("connector: %v %+v", err, r.Splices)
		}
		if f, ok := s.ContextPath(0); !ok || f.Value != path {
			t.Errorf("context path: %+v, %v", f, ok)
		}
		if findings := CheckServerXML(s, 7990); len(findings) != 0 {
			t.Errorf("findings: %+v", findings)
		}
		p := mustProperties(t, RenderProperties(front, path))
		if r, err := p.Edit(append(ConnectorProperties(front), ContextPathProperty(path)), nil); err != nil || len(r.Splices) != 0 {
			t.Errorf("properties: %v %+v", err, r.Splices)
		}
		if findings := CheckProperties(p); len(findings) != 0 {
			t.Errorf("findings: %+v", findings)
		}
	}
}
