package tomcat

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// SetContextPath sets Context/@path; path is "" for the root, else "/bitbucket".
// A Context is never inserted: where it belongs and what its docBase is cannot
// be told from the file.
func (s *ServerXML) SetContextPath(path string) (Result, error) {
	live := s.contexts()
	switch {
	case len(live) == 0:
		return Result{}, s.noContext()
	case len(live) > 1:
		return Result{}, problem.New(fmt.Sprintf("%s: there are %d Contexts (lines %s)", s.name, len(live), s.lines(live)),
			"it is not certain which of them is Bitbucket", "set the path by hand, or leave the one Context that is Bitbucket")
	}
	if old, _ := s.value(live[0], "path"); placeholder(old) != "" {
		return Result{}, problem.New(fmt.Sprintf("%s, line %d: the context path is the property ${%s}", s.name, s.line(live[0]), placeholder(old)),
			"its value is set elsewhere (conf/catalina.properties or -D), and others may rely on it",
			fmt.Sprintf("set the property %s to %q, or write the path literally into this file", placeholder(old), path))
	}
	return s.setAttributes(live[0], []setting{{"path", path}})
}

func (s *ServerXML) noContext() error {
	place := 0
	if hosts := s.at("Server", "Service", "Engine", "Host"); len(hosts) > 0 {
		place = hosts[0]
	}
	found := fmt.Sprintf("%s, line %d: the <%s> holds no Context", s.name, s.line(place), s.tags[place].name)
	if odd := s.named("Context"); len(odd) > 0 {
		found = fmt.Sprintf("%s: the Context in line %s does not stand in a Host, so Tomcat ignores it", s.name, s.lines(odd))
	}
	return problem.New(found, "the context path is an attribute of Bitbucket's Context; bitgate never inserts one",
		"check that this is the server.xml Bitbucket starts with (Stash up to 3.7: conf/server.xml, later: shared/server.xml); the connector can be set all the same")
}

// named lists the elements of that name, wherever they stand.
func (s *ServerXML) named(name string) []int {
	var list []int
	for i, t := range s.tags {
		if t.name == name {
			list = append(list, i)
		}
	}
	return list
}

func (s *ServerXML) lines(ordinals []int) string {
	var lines []string
	for _, i := range ordinals {
		lines = append(lines, strconv.Itoa(s.line(i)))
	}
	return strings.Join(lines, ", ")
}
