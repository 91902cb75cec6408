package bitbucket

import (
	"fmt"
	"path/filepath"

	"bitgate/internal/problem"
)

// Layout is where this generation keeps its settings. Paths are absolute;
// ServerXML is "" from 5.0 on, ScriptsCfg only exists in 3.x and 4.x.
type Layout struct {
	Generation string // "stash-1", "stash-2", "stash-3.2", "stash-3.8", "bitbucket-4", "bitbucket-5" (5.0 and later)
	ServerXML  string // file to edit
	Properties string // bitbucket.properties or stash-config.properties
	ScriptsCfg string
	DeadXML    string // a server.xml that this generation does not read, where one lies about
}

// UsesProperties reports whether connector and context path live in the properties file (5.0+).
func (l Layout) UsesProperties() bool { return l.ServerXML == "" }

// Layout applies the table of generations to the install (it looks which of
// shared/server.xml and conf/server.xml exists for 3.8 to 4.x).
func (in Install) Layout() (Layout, error) {
	if in.Home == "" {
		return Layout{}, problem.New("the home directory of Bitbucket is not known",
			"its settings lie there", "name it with --home DIR").WithKind(problem.Usage)
	}
	r, ok := parseRelease(in.Version)
	if !ok && in.Version == "" && isDir(filepath.Join(in.Dir, "app", "META-INF")) && in.Dir != "" {
		r, ok = release{5, 0}, true // only 5.0 and later have an app directory
	}
	if !ok {
		return Layout{}, problem.New(fmt.Sprintf("the version of Bitbucket is not known (%q)", in.Version),
			"the version decides which file holds the connector and the context path",
			"name it with --bitbucket-version, e.g. 9.4.16").WithKind(problem.Usage)
	}
	l := in.layoutOf(r)
	if !filepath.IsAbs(in.Home) || l.Generation != "bitbucket-5" && !filepath.IsAbs(l.ServerXML) {
		return Layout{}, problem.New(
			fmt.Sprintf("%s keeps its connector in conf/server.xml of the install directory, which is not known", in.Product),
			"the connector and the context path are set there",
			"name absolute paths with --install DIR and --home DIR").WithKind(problem.Usage)
	}
	return l, nil
}

// layoutOf is the table (facts: Atlassian's documentation and the Chef and
// Puppet modules for Stash and Bitbucket).
func (in Install) layoutOf(r release) Layout {
	shared := filepath.Join(in.Home, "shared")
	sharedXML := filepath.Join(shared, "server.xml")
	var confXML, scripts string
	if in.Dir != "" {
		confXML = filepath.Join(in.Dir, "conf", "server.xml")
		scripts = filepath.Join(in.Dir, "conf", "scripts.cfg")
	}
	stash := filepath.Join(shared, "stash-config.properties")
	switch {
	case r.before(3, 2):
		l := Layout{Generation: "stash-1", ServerXML: confXML, Properties: filepath.Join(in.Home, "stash-config.properties")}
		if r.major >= 2 {
			l.Generation = "stash-2"
		}
		if r.major >= 3 {
			l.ScriptsCfg = scripts
		}
		return l
	case r.before(3, 8):
		return Layout{Generation: "stash-3.2", ServerXML: confXML, Properties: stash, ScriptsCfg: scripts}
	case r.before(4, 0):
		return Layout{Generation: "stash-3.8", ServerXML: inUse(sharedXML, confXML), Properties: stash, ScriptsCfg: scripts}
	case r.before(5, 0):
		return Layout{
			Generation: "bitbucket-4", ServerXML: inUse(sharedXML, confXML),
			Properties: filepath.Join(shared, "bitbucket.properties"), ScriptsCfg: scripts,
		}
	}
	l := Layout{Generation: "bitbucket-5", Properties: filepath.Join(shared, "bitbucket.properties")}
	for _, xml := range []string{sharedXML, confXML} {
		if l.DeadXML == "" && xml != "" && isFile(xml) {
			l.DeadXML = xml
		}
	}
	return l
}

// inUse picks the server.xml that is read: the one in the shared home, or the
// shipped one where the home has none (Docker images of 4.x edit that one).
func inUse(shared, conf string) string {
	if !isFile(shared) && conf != "" && isFile(conf) {
		return conf
	}
	return shared
}
