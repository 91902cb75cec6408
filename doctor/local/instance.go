package local

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/service"
	"bitgate/tomcat"
)

// Instance is what Bitbucket's own files say. A setting that nobody makes has no
// line and the value that Bitbucket takes then.
type Instance struct {
	Home  string // "" where none was found
	File  string // that holds the connector
	XML   bool   // File is a server.xml (up to 4.x)
	Doubt string // why the file could not be read

	Port, Context                  Setting
	Scheme, Secure, Name, Public   Setting // Public is the proxy's port
	RequireSSL, SSHPort, SSHURL    Setting
	Native                         bool    // X-Forwarded-Proto decides scheme and secure
	Second                         Setting // port of an additional connector, the one that the front uses before others
	Compress                       bool
	DeadXML                        Setting // first proxy attribute in a server.xml that is not read
	TwoFiles                       string  // the other properties file that lies beside its own
	Overrides                      []bitbucket.Override
	Remembered                     Place  // newest complaint of the remember-me service in the log
	Start, Restart, Log, LastError string // commands, log file, its last error

	connector Place  // where attributes are added
	element   string // the line there
}

// keys of the connector in both spellings.
var keys = map[string]string{
	"server.port": "port", "server.address": "address", "server.scheme": "scheme", "server.secure": "secure",
	"server.proxy-name": "proxyName", "server.proxy-port": "proxyPort", "server.redirect-port": "redirectPort",
}

// findInstance reads its files; port is the one that the front uses, "" where that is not
// known.
func findInstance(ctx context.Context, w Where, port string) Instance {
	found, err := bitbucket.Detect(ctx, bitbucket.Search{Home: w.Home, Install: w.Install, Version: w.Version, Proc: w.Proc, Root: w.Root})
	if err != nil || found.Home == "" {
		return Instance{}
	}
	if info, err := atomicfile.Stat(found.Home); err != nil || !info.IsDir() {
		return Instance{}
	}
	in := Instance{Home: found.Home, Overrides: found.Overrides}
	in.Start, in.Restart = w.StartBitbucket, w.RestartBitbucket
	if c, ok := service.FindBitbucket(ctx, w.Root, found.PID); ok && in.Restart == "" && c.How == service.Systemd {
		in.Start, in.Restart = "systemctl start "+c.Name, "systemctl restart "+c.Name
	}
	in.Log = logFile(found.Home)
	in.readLog()
	layout, err := found.Layout()
	if err != nil { // the version is not known: files decide
		layout = bitbucket.Layout{Properties: filepath.Join(found.Home, "shared", "bitbucket.properties")}
		if !exists(layout.Properties) {
			layout.ServerXML = filepath.Join(found.Home, "shared", "server.xml")
		}
	}
	if !strings.HasPrefix(layout.Generation, "stash") {
		if old := filepath.Join(found.Home, "shared", "stash-config.properties"); exists(old) && exists(layout.Properties) {
			in.TwoFiles = old
		}
	}
	in.readProperties(layout, port)
	if !layout.UsesProperties() {
		in.readXML(layout.ServerXML, port)
	} else if layout.DeadXML != "" {
		in.readDead(layout.DeadXML)
	}
	return in
}

func exists(path string) bool { _, err := atomicfile.Stat(path); return err == nil }

func logFile(home string) string {
	for _, name := range []string{"atlassian-bitbucket.log", "atlassian-stash.log"} {
		if path := filepath.Join(home, "log", name); exists(path) {
			return path
		}
	}
	return filepath.Join(home, "log", "atlassian-bitbucket.log")
}

// tail is how much of a log is looked at.
const tail = 1 << 20

// readLog takes the last error from the end of the log.
func (in *Instance) readLog() {
	f, err := atomicfile.Open(in.Log)
	if err != nil {
		return // a fresh one has none
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	data := make([]byte, min(info.Size(), tail))
	n, _ := f.ReadAt(data, info.Size()-int64(len(data))) // of a log that is cut meanwhile what there is
	for line := range strings.Lines(string(data[:n])) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "DefaultRememberMeService") && strings.Contains(line, "address"):
			in.Remembered = Place{File: in.Log}
		case strings.Contains(line, " ERROR ") || strings.Contains(line, "FATAL"):
			in.LastError = line
		}
	}
}

// readProperties reads what the properties file says: from 5.0 on the connector,
// always SSH and the port.
func (in *Instance) readProperties(l bitbucket.Layout, port string) {
	f, err := atomicfile.Read(l.Properties)
	if err != nil {
		in.Doubt = err.Error()
		return
	}
	p, err := tomcat.ParseProperties(l.Properties, f.Data)
	if err != nil {
		in.Doubt = err.Error()
		return
	}
	get := func(key, otherwise string) Setting {
		is := Setting{Value: otherwise}
		if o, ok := (bitbucket.Install{Overrides: in.Overrides}).Effective(key); ok && o.Value != "" { // what the process works with instead of its file
			is.Value = o.Value
		} else if f, ok := p.Effective(key); ok {
			is = Setting{Place: Place{l.Properties, f.Line}, Value: f.Value, Text: key + "=" + f.Value}
		}
		is.Value = Meant(key, is.Value)
		return is
	}
	in.SSHPort, in.SSHURL = get("plugin.ssh.port", "7999"), get("plugin.ssh.baseurl", "")
	if !l.UsesProperties() {
		return
	}
	in.File = l.Properties
	in.connector = Place{l.Properties, 0}
	for _, key := range p.Keys() {
		if is, ok := p.Get(key); ok && strings.HasPrefix(key, "server.") {
			in.connector.Line = max(in.connector.Line, is.Line)
		}
	}
	in.Port, in.Context = get("server.port", "7990"), get("server.context-path", "/")
	in.Scheme, in.Secure = get("server.scheme", "http"), get("server.secure", "false")
	in.Name, in.Public = get("server.proxy-name", ""), get("server.proxy-port", "")
	in.RequireSSL = get("server.require-ssl", "false")
	in.Native = strings.EqualFold(get("server.forward-headers-strategy", "").Value, "NATIVE")
	in.Second = get("server.additional-connector.1.port", "")
	for _, key := range p.Keys() {
		if strings.HasPrefix(key, "server.additional-connector.") && strings.HasSuffix(key, ".port") && port != "" && get(key, "").Value == port {
			in.Second = get(key, "")
		}
	}
	in.Compress = get("server.compression.enabled", "true").Value != "false"
}

// Meant is what Bitbucket makes of the text of a setting, as Spring converts it: a switch
// has several spellings, and blanks around what is no plain text do not count.
func Meant(key, text string) string {
	trimmed := strings.TrimSpace(text)
	switch key {
	case "server.scheme", "server.proxy-name", "plugin.ssh.baseurl":
		return text
	case "server.secure", "server.require-ssl", "server.compression.enabled":
		if tomcat.IsTrue(text) {
			return "true"
		}
		if slices.Contains([]string{"off", "no", "0"}, strings.ToLower(trimmed)) {
			return "false"
		}
	case "server.context-path":
		return cmp.Or(strings.TrimSuffix(trimmed, "/"), "/")
	}
	return trimmed
}

// frontConnector is the plain connector on the first of the ports that has one, else the
// first of all. An application link has one of its own without a proxy (Atlassian's page).
func frontConnector(all []tomcat.ConnectorInfo, ports ...string) (tomcat.ConnectorInfo, bool) {
	plain := slices.DeleteFunc(slices.Clone(all), func(c tomcat.ConnectorInfo) bool { return !c.Plain() })
	for _, port := range ports {
		if i := slices.IndexFunc(plain, func(c tomcat.ConnectorInfo) bool { return c.Port == port }); i >= 0 {
			return plain[i], true
		}
	}
	if len(plain) == 0 {
		return tomcat.ConnectorInfo{}, false
	}
	return plain[0], true
}

func (in *Instance) readXML(path, port string) {
	in.XML, in.File = true, path
	f, err := atomicfile.Read(path)
	if err != nil {
		in.Doubt = err.Error()
		return
	}
	x, err := tomcat.ParseServerXML(path, f.Data)
	if err != nil {
		in.Doubt = err.Error()
		return
	}
	lines := x.Lines()
	at := func(line int) Place { return Place{path, line} }
	if c, ok := frontConnector(x.Connectors(), port, "7990"); ok {
		in.connector, in.element = at(c.Line), shown(lines[c.Line-1])
		get := func(attribute, otherwise string) Setting {
			value, ok := c.Attributes[attribute]
			if !ok {
				return Setting{Value: otherwise}
			}
			line := lineOf(lines, c.Line, attribute)
			return Setting{Place: at(line), Value: value, Text: shown(lines[line-1])}
		}
		in.Port = get("port", "8080")
		in.Scheme, in.Secure = get("scheme", "http"), get("secure", "false")
		in.Name, in.Public = get("proxyName", ""), get("proxyPort", "")
		in.Compress = get("compression", "off").Value == "on"
		port, _ := strconv.Atoi(c.Port)
		if is, ok := x.ContextPath(port); ok {
			line := lineOf(lines, is.Line, "path")
			in.Context = Setting{Place: at(line), Value: is.Value, Text: shown(lines[line-1])}
		}
	}
}

// shown is a line without indentation, "" where it holds a password.
func shown(line string) string {
	if strings.Contains(strings.ToLower(line), "pass") {
		return ""
	}
	return strings.TrimSpace(line)
}

// lineOf is the line of an attribute of the element that begins on line from: an
// element often has one on each line.
func lineOf(lines []string, from int, attribute string) int {
	for i := from - 1; i < len(lines) && i < from+30; i++ {
		for _, word := range strings.FieldsFunc(lines[i], func(r rune) bool { return r == ' ' || r == '\t' || r == '=' }) {
			if word == attribute {
				return i + 1
			}
		}
		if strings.Contains(lines[i], ">") && i >= from {
			break
		}
	}
	return from
}

// readDead looks whether somebody set up a server.xml that 5.0 and later ignore.
func (in *Instance) readDead(path string) {
	f, err := atomicfile.Read(path)
	if err != nil {
		return
	}
	x, err := tomcat.ParseServerXML(path, f.Data)
	if err != nil {
		return
	}
	for _, c := range x.Connectors() {
		if name := c.Attributes["proxyName"]; name != "" && !in.DeadXML.Set() {
			in.DeadXML = Setting{Place: Place{path, c.Line}, Value: name}
		}
	}
}

// Change is a setting and the value that it should have, by the key of 5.0 and later.
type Change struct {
	Is         Setting
	Key, Value string
}

// Cure gives settings their values: in the lines that have them, or in more lines.
func (in Instance) Cure(changes ...Change) Cure {
	if in.XML {
		return in.attributes(changes)
	}
	var out Cure
	for _, c := range changes {
		text := c.Key + "=" + c.Value
		if c.Is.Set() {
			out = append(out, Write(c.Is.Place, text))
		} else {
			out = append(out, Add(in.connector, text))
		}
	}
	return out.fromBelow()
}

// attributes changes the lines of an element. A line that holds a password is not
// shown, so that its change is told in words.
func (in Instance) attributes(changes []Change) Cure {
	lines := map[int]string{}
	var order []int
	var out Cure
	for _, c := range changes {
		name, value := keys[c.Key], c.Value
		if name == "" {
			name, value = "path", strings.TrimSuffix(value, "/")
		}
		at, text := c.Is.Place, c.Is.Text
		if !c.Is.Set() {
			at, text = in.connector, in.element
		}
		if text == "" || at.Line == 0 {
			out = append(out, Step{Place: at, Words: "set " + name + `="` + value + `" in ` + at.String()})
			continue
		}
		if _, changed := lines[at.Line]; !changed {
			lines[at.Line] = text
			order = append(order, at.Line)
		}
		if c.Is.Set() {
			lines[at.Line] = replaceAttribute(lines[at.Line], name, value)
		} else {
			lines[at.Line] = strings.Replace(lines[at.Line], "<Connector", "<Connector "+name+`="`+value+`"`, 1)
		}
	}
	for _, line := range order {
		out = append(out, Write(Place{in.File, line}, lines[line]))
	}
	return out
}

// replaceAttribute gives an attribute on a line another value.
func replaceAttribute(line, attribute, value string) string {
	for at := 0; ; {
		i := strings.Index(line[at:], attribute)
		if i < 0 {
			return line
		}
		i += at
		rest := strings.TrimLeft(line[i+len(attribute):], " \t")
		at = i + len(attribute)
		if (i > 0 && !strings.ContainsRune(" \t", rune(line[i-1]))) || !strings.HasPrefix(rest, "=") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return line
		}
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return line
		}
		return line[:i] + attribute + `="` + value + `"` + rest[end+2:]
	}
}

// Path is the context path as a URL has it, "" for the root.
func (in Instance) Path() string { return strings.TrimSuffix(in.Context.Value, "/") }
