package tomcat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// SetContextPath sets Context/@path of Bitbucket's Context, for the front that talks
// to a port (0: the only HTTP connector); path is "" for the root, else "/bitbucket".
// A Context is never inserted: where it belongs and what its docBase is cannot
// be told from the file.
func (s *ServerXML) SetContextPath(port int, path string) (Result, error) {
	live, err := s.contextInUse(port)
	if err != nil {
		return Result{}, err
	}
	if old, _ := s.value(live, "path"); placeholder(old) != "" {
		return Result{}, problem.New(fmt.Sprintf("%s, line %d: the context path is the property ${%s}", s.name, s.line(live), placeholder(old)),
			"its value is set elsewhere (conf/catalina.properties or -D), and others may rely on it",
			fmt.Sprintf("set the property %s to %q, or write the path literally into this file", placeholder(old), path))
	}
	return s.setAttributes(live, []setting{{"path", path}})
}

// ContextPath returns the literal path of Bitbucket's Context; ok is false where
// there is none, or where it is not certain which it is.
func (s *ServerXML) ContextPath(port int) (f Found, ok bool) {
	live, err := s.contextInUse(port)
	if err != nil {
		return f, false
	}
	path, ok := s.value(live, "path")
	if !ok || placeholder(path) != "" {
		return f, false
	}
	return Found{Value: path, Line: s.line(live)}, true
}

// contextInUse finds Bitbucket's Context. Of several it is the one with Bitbucket's
// docBase, in the Service of the connector on port; where docBase does not tell, the
// only one of that Service.
func (s *ServerXML) contextInUse(port int) (ordinal int, err error) {
	all := s.contexts()
	switch len(all) {
	case 0:
		return 0, s.noContext()
	case 1:
		return all[0], nil
	}
	named, near := s.only(all, s.isBitbucket), all
	if connector, err := s.connectorInUse(port); err == nil {
		service := s.elems[connector].Parent()
		near = s.only(all, func(i int) bool { return s.elems[i].Parent().Parent().Parent() == service })
	}
	if len(named) > 0 {
		near = s.only(near, s.isBitbucket)
	}
	if len(near) == 1 {
		return near[0], nil
	}
	why := "it is not certain which of them is Bitbucket"
	if len(named) > 0 && len(near) == 0 {
		why = "Bitbucket's (line " + s.lines(named) + ") is not in the Service of the connector that the front talks to"
	}
	return 0, problem.New(fmt.Sprintf("%s: there are %d Contexts (lines %s)", s.name, len(all), s.lines(all)), why,
		"name the port of Bitbucket's connector with --upstream, or set the path by hand, or leave the one Context that is Bitbucket")
}

// isBitbucket reports whether a Context has the docBase that Bitbucket or Stash ships.
func (s *ServerXML) isBitbucket(context int) bool {
	base, _ := s.value(context, "docBase")
	base = strings.TrimRight(strings.ReplaceAll(base, `\`, "/"), "/")
	return slices.Contains([]string{"atlassian-bitbucket", "atlassian-stash"}, base[strings.LastIndexByte(base, '/')+1:])
}

// only lists the ordinals that fit.
func (s *ServerXML) only(ordinals []int, fits func(int) bool) []int {
	return slices.DeleteFunc(slices.Clone(ordinals), func(i int) bool { return !fits(i) })
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
	return s.all(func(i int) bool { return s.tags[i].name == name })
}

func (s *ServerXML) lines(ordinals []int) string {
	var lines []string
	for _, i := range ordinals {
		lines = append(lines, strconv.Itoa(s.line(i)))
	}
	return several(lines)
}
