package setup

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
	"bitgate/tomcat"
)

// readUpstreamFiles reads the files of step 1 and 3 and what they say today.
func (f *Facts) readUpstreamFiles() error {
	var err error
	if f.Layout.Properties != "" {
		if f.Properties, err = atomicfile.Read(f.Layout.Properties); err != nil {
			return err
		}
	}
	if f.Layout.DeadXML != "" {
		f.DeadFiles = append(f.DeadFiles, f.Layout.DeadXML)
	}
	if f.Layout.UsesProperties() {
		return f.readProperties()
	}
	if f.Layout.ScriptsCfg != "" {
		if f.ScriptsCfg, err = atomicfile.Read(f.Layout.ScriptsCfg); err != nil {
			return err
		}
	}
	if f.ServerXML, err = atomicfile.Read(f.Layout.ServerXML); err != nil {
		return err
	}
	return f.readServerXML()
}

func (f *Facts) readProperties() error {
	props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
	if err != nil {
		return err
	}
	f.ContextPath = Known{Value: "", Set: true, Why: "not set in " + f.Properties.Path + ", so the root"}
	if v, ok := props.Get("server.context-path"); ok {
		path, err := publicurl.ParsePath(v.Value)
		if err == nil {
			f.ContextPath = Known{path, true, at("server.context-path", f.Properties.Path, v.Line)}
		}
	}
	f.Port = Known{DefaultPort, true, "default, not set in " + f.Properties.Path}
	if v, ok := props.Get("server.port"); ok {
		f.Port = Known{v.Value, true, at("server.port", f.Properties.Path, v.Line)}
	}
	if v, ok := props.Get("server.proxy-name"); ok {
		f.ProxyName = Known{v.Value, true, at("server.proxy-name", f.Properties.Path, v.Line)}
	}
	f.addTomcat(tomcat.CheckProperties(props), f.Properties.Path)
	return nil
}

func (f *Facts) readServerXML() error {
	if f.ServerXML.Absent {
		return nil
	}
	xml, err := tomcat.ParseServerXML(f.ServerXML.Path, f.ServerXML.Data)
	if err != nil {
		return err
	}
	if v, ok := xml.ContextPath(); ok {
		path, err := publicurl.ParsePath(v.Value)
		if err == nil {
			f.ContextPath = Known{path, true, at("Context path", f.ServerXML.Path, v.Line)}
		}
	}
	conn, ok := httpConnector(xml.Connectors())
	if !ok {
		return nil
	}
	f.Port = Known{conn.Port, true, at("Connector port", f.ServerXML.Path, conn.Line)}
	if name := conn.Attributes["proxyName"]; name != "" {
		f.ProxyName = Known{name, true, at("proxyName", f.ServerXML.Path, conn.Line)}
	}
	if port, err := strconv.Atoi(conn.Port); err == nil {
		f.addTomcat(tomcat.CheckServerXML(xml, port), f.ServerXML.Path)
	}
	return nil
}

// httpConnector picks the plain HTTP connector in use: the default port where
// there are several, else the only one.
func httpConnector(all []tomcat.ConnectorInfo) (tomcat.ConnectorInfo, bool) {
	var plain []tomcat.ConnectorInfo
	for _, c := range all {
		if strings.HasPrefix(c.Protocol, "AJP") || strings.EqualFold(c.Attributes["SSLEnabled"], "true") {
			continue
		}
		if c.Port == DefaultPort {
			return c, true
		}
		plain = append(plain, c)
	}
	if len(plain) == 1 {
		return plain[0], true
	}
	return tomcat.ConnectorInfo{}, false
}

func (f *Facts) addTomcat(found []tomcat.Finding, path string) {
	f.Findings = append(f.Findings, tomcatFindings(found, path)...)
}

func tomcatFindings(found []tomcat.Finding, path string) []Finding {
	var out []Finding
	for _, t := range found {
		out = append(out, Finding{
			ID: "connector", Level: Warn,
			Seen: fmt.Sprintf("%s, line %d: %s", path, t.Line, t.Found), Why: t.Why, Do: t.Do,
		})
	}
	return out
}

func at(what, path string, line int) string {
	return fmt.Sprintf("%s in %s, line %d", what, path, line)
}
