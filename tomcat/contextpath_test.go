package tomcat

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// service is a Service with a connector and Contexts.
func service(port int, contexts string) string {
	return fmt.Sprintf("<Service name='s%d'>\n<Connector port='%d'/><Engine name='e'><Host name='localhost'>\n%s</Host></Engine></Service>\n", port, port, contexts)
}

// Bitbucket's Context is told from others by docBase and by the Service of the
// connector that the front talks to; where neither tells, nothing is edited.
func TestSeveralContexts(t *testing.T) {
	const bitbucket, stash = "<Context docBase='${catalina.home}/atlassian-bitbucket' path='/old'/>\n", "<Context path='/old' docBase='..\\atlassian-stash\\'/>\n"
	const notice, moved = "<Context docBase='/srv/notice' path='/notice'/>\n", "<Context docBase='/opt/app' path='/old'/>\n"
	for name, c := range map[string]struct {
		services string
		port     int
		refused  string // "" where path='/old' becomes path='/new'
	}{
		"beside a static one":             {service(7990, bitbucket+notice), 7990, ""},
		"behind a static one":             {service(7990, notice+bitbucket), 7990, ""},
		"Stash, with backslashes":         {service(7990, notice+stash), 7990, ""},
		"no port known":                   {service(7990, notice+bitbucket), 0, ""},
		"of two Services, by docBase":     {service(8080, notice) + service(7990, bitbucket), 7990, ""},
		"of two Services, by connector":   {service(8080, notice) + service(7990, moved), 7990, ""},
		"both told apart":                 {service(8080, strings.ReplaceAll(bitbucket, "/old", "/test")) + service(7990, notice+bitbucket), 7990, ""},
		"neither is Bitbucket's":          {service(7990, notice+moved), 7990, "not certain"},
		"two of Bitbucket in one Service": {service(7990, bitbucket+stash), 7990, "not certain"},
		"another Service than the port's": {service(7990, notice) + service(8080, bitbucket), 7990, "(line 8) is not in the Service of the connector"},
	} {
		t.Run(name, func(t *testing.T) {
			src := "<Server>\n" + c.services + "</Server>"
			s := mustXML(t, src)
			r, err := s.SetContextPath(c.port, "/new")
			found, known := s.ContextPath(c.port)
			if c.refused != "" {
				if err == nil || known {
					t.Fatalf("it was taken: %s, %+v", r.After, found)
				}
				checkRefusal(t, "server.xml", err)
				var told *problem.Error
				if !errors.As(err, &told) || !strings.Contains(told.Why, c.refused) {
					t.Errorf("said: %+v", told)
				}
				return
			}
			if want := strings.Replace(src, "path='/old'", "path='/new'", 1); err != nil || string(r.After) != want || found.Value != "/old" {
				t.Errorf("%v, %+v\n%s", err, found, r.After)
			}
		})
	}
}
