package detect

import (
	"fmt"
	"path/filepath"
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
	if old := filepath.Join(filepath.Dir(f.Layout.Properties), "stash-config.properties"); f.Properties.Absent && old != f.Properties.Path {
		if have, err := atomicfile.Read(old); err == nil && !have.Absent {
			f.StashConfig = old
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
	if v, ok := props.Effective("server.context-path"); ok {
		f.ContextPath = contextPath(v.Value, at("server.context-path", f.Properties.Path, v.Line))
	}
	f.Port = setup.Known{Value: setup.DefaultPort, Set: true, Why: "default, not set in " + f.Properties.Path}
	if v, ok := props.Effective("server.port"); ok {
		f.Port = setup.Known{Value: v.Value, Set: true, Why: at("server.port", f.Properties.Path, v.Line)}
	}
	if v, ok := props.Effective("server.address"); ok {
		f.Address = setup.Known{Value: v.Value, Set: true, Why: at("server.address", f.Properties.Path, v.Line)}
	}
	if v, ok := props.Effective("server.ssl.enabled"); ok {
		f.OwnTLS = setup.Known{Value: v.Value, Set: true, Why: at("server.ssl.enabled="+v.Value, f.Properties.Path, v.Line)}
	}
	f.plainConnector(props.Keys(), func(key string) string {
		v, _ := props.Effective(key)
		return v.Value
	})
	f.readHeadLimit(headLimitKeys, func(key string) (value, why string) {
		v, _ := props.Effective(key)
		return v.Value, at(key, f.Properties.Path, v.Line)
	})
	if v, ok := props.Effective("server.proxy-name"); ok {
		f.ProxyName = setup.Known{Value: v.Value, Set: true, Why: at("server.proxy-name", f.Properties.Path, v.Line)}
	}
	f.Findings = append(f.Findings, tomcat.CheckProperties(props)...)
	return nil
}

// contextPath is the path that a setting stands for; of a placeholder it is not known.
func contextPath(value, why string) setup.Known {
	path, err := publicurl.ParsePath(strings.TrimSpace(value)) // as Spring does
	if err != nil {
		return setup.Known{}
	}
	return setup.Known{Value: path, Set: true, Why: why}
}

// plainConnector takes the first additional connector of keys that does no TLS; get
// says what is given for a key.
func (f *facts) plainConnector(keys []string, get func(key string) string) {
	for _, key := range keys {
		connector, ok := strings.CutSuffix(key, ".port")
		if ok && strings.HasPrefix(key, "server.additional-connector.") && !strings.EqualFold(get(connector+".ssl.enabled"), "true") {
			f.PlainPort, f.plainAddress = get(key), get(connector+".address")
			return
		}
	}
}

func (f *facts) readServerXML() error {
	if f.ServerXML.Absent {
		return nil
	}
	f.Tomcat = tomcatVersion(f.Bitbucket.Dir)
	xml, err := tomcat.ParseServerXML(f.ServerXML.Path, f.ServerXML.Data)
	if err != nil {
		return err
	}
	f.Tree = xml
	conn, ok := httpConnector(xml.Connectors())
	port, _ := strconv.Atoi(conn.Port) // 0 where it is not certain
	if v, ok := xml.ContextPath(port); ok {
		path, err := publicurl.ParsePath(v.Value)
		if err == nil {
			f.ContextPath = setup.Known{Value: path, Set: true, Why: at("Context path", f.ServerXML.Path, v.Line)}
		}
	}
	if !ok {
		for _, c := range xml.Connectors() {
			if strings.EqualFold(c.Attributes["SSLEnabled"], "true") {
				f.Port = setup.Known{Value: c.Port, Set: true, Why: at("Connector port", f.ServerXML.Path, c.Line)}
				f.OwnTLS = setup.Known{Value: "true", Set: true, Why: at("SSLEnabled", f.ServerXML.Path, c.Line)}
			}
		}
		return nil
	}
	f.Address = setup.Known{Value: conn.Attributes["address"], Set: true, Why: at("Connector address", f.ServerXML.Path, conn.Line)}
	f.Port = setup.Known{Value: conn.Port, Set: true, Why: at("Connector port", f.ServerXML.Path, conn.Line)}
	f.readHeadLimit(headLimitAttributes, func(key string) (value, why string) {
		return conn.Attributes[key], at(key, f.ServerXML.Path, conn.Line)
	})
	if name := conn.Attributes["proxyName"]; name != "" {
		f.ProxyName = setup.Known{Value: name, Set: true, Why: at("proxyName", f.ServerXML.Path, conn.Line)}
	}
	if port > 0 {
		f.Findings = append(f.Findings, tomcat.CheckServerXML(xml, port)...)
	}
	return nil
}

// httpConnector picks the plain HTTP connector in use: the default port where
// there are several, else the only one.
func httpConnector(all []tomcat.ConnectorInfo) (tomcat.ConnectorInfo, bool) {
	var plain []tomcat.ConnectorInfo
	for _, c := range all {
		if !c.Plain() {
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

func at(what, path string, line int) string {
	return fmt.Sprintf("%s in %s, line %d", what, path, line)
}
