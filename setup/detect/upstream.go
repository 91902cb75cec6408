package detect

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/tomcat"
)

// readUpstreamFiles reads the files of step 1 and 3 and what they say today.
func (f *facts) readUpstreamFiles() error {
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

func (f *facts) readProperties() error {
	props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
	if err != nil {
		return err
	}
	f.ContextPath = setup.Known{Value: "", Set: true, Why: "not set in " + f.Properties.Path + ", so the root"}

	if v, ok := props.Get("server.context-path"); ok {
		path, err := publicurl.ParsePath(v.Value)
		if err == nil {
			f.ContextPath = setup.Known{Value: path, Set: true, Why: at("server.context-path", f.Properties.Path, v.Line)}
		}
	}
	f.Port = setup.Known{Value: setup.DefaultPort, Set: true, Why: "default, not set in " + f.Properties.Path}
	if v, ok := props.Get("server.port"); ok {
		f.Port = setup.Known{Value: v.Value, Set: true, Why: at("server.port", f.Properties.Path, v.Line)}
	}
	if v, ok := props.Get("server.proxy-name"); ok {
		f.ProxyName = setup.Known{Value: v.Value, Set: true, Why: at("server.proxy-name", f.Properties.Path, v.Line)}
	}
	f.addTomcat(tomcat.CheckProperties(props), f.Properties.Path)
	return nil
}

func (f *facts) readServerXML() error {
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
			f.ContextPath = setup.Known{Value: path, Set: true, Why: at("Context path", f.ServerXML.Path, v.Line)}
		}
	}
	conn, ok := httpConnector(xml.Connectors())
	if !ok {
		return nil
	}
	f.Port = setup.Known{Value: conn.Port, Set: true, Why: at("Connector port", f.ServerXML.Path, conn.Line)}
	if name := conn.Attributes["proxyName"]; name != "" {
		f.ProxyName = setup.Known{Value: name, Set: true, Why: at("proxyName", f.ServerXML.Path, conn.Line)}
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
		if c.Port == setup.DefaultPort {
			return c, true
		}
		plain = append(plain, c)
	}
	if len(plain) == 1 {
		return plain[0], true
	}
	return tomcat.ConnectorInfo{}, false
}

func (f *facts) addTomcat(found []tomcat.Finding, path string) {
	f.Findings = append(f.Findings, setup.TomcatFindings(found, path)...)
}

func at(what, path string, line int) string {
	return fmt.Sprintf("%s in %s, line %d", what, path, line)
}
