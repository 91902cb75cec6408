package setup

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
	"bitgate/tomcat"
)

// DefaultPort is the port of Bitbucket's own connector unless its files say
// otherwise (Atlassian: "by default, will listen on port 7990").
const DefaultPort = "7990"

// Probe says how Detect looks at the machine. Root and Proc are "" and "/proc"
// outside tests.
type Probe struct {
	Said     Answers // hints: --home, --haproxy-cfg, --cert ...
	StateDir string
	Root     string // prefix before default paths
	Proc     string // process table
	Program  string // path of this binary, for the systemd unit
	Now      time.Time
}

// Detect looks at the machine. It reads only: files, the process table, and
// what Bitbucket tells without credentials.
func Detect(ctx context.Context, p Probe) (Facts, error) {
	if p.Proc == "" {
		p.Proc = "/proc"
	}
	f := Facts{ProgramPath: p.Program, Systemd: service.HasSystemd(p.Root)}
	var err error
	f.Bitbucket, err = bitbucket.Detect(ctx, bitbucket.Search{
		Home: p.Said.Home, Install: p.Said.Install, Version: p.Said.Version, Proc: p.Proc, Root: p.Root,
	})
	if err != nil {
		return f, err
	}
	if err := f.detectInstance(ctx, p); err != nil {
		return f, err
	}
	f.BitbucketCtl, _ = service.FindBitbucket(ctx, p.Root, f.Bitbucket.PID)
	if f.Listeners, err = listeners(p.Proc); err != nil {
		f.Findings = append(f.Findings, Finding{ID: "listeners", Level: Note,
			Seen: "who listens on which port could not be read: " + err.Error()})
	}
	if err := f.detectFront(ctx, p); err != nil {
		return f, err
	}
	f.OpenRun, err = unfinished(p.StateDir)
	return f, err
}

// detectInstance finds the version, the files of its generation, and the
// address under which the instance answers now.
func (f *Facts) detectInstance(ctx context.Context, p Probe) error {
	up := p.Said.Upstream
	if f.Bitbucket.Version == "" {
		guess := up
		if guess == "" {
			guess = "http://127.0.0.1:" + DefaultPort
		}
		f.Bitbucket.Version = askVersion(ctx, guess, f.contextCandidates(p))
		if f.Bitbucket.Version != "" {
			f.whyVersion("the instance at " + guess)
		}
	}
	if f.Bitbucket.Version != "" && f.Bitbucket.Home != "" {
		layout, err := f.Bitbucket.Layout()
		if err != nil {
			return err
		}
		f.Layout = layout
		if err := f.readUpstreamFiles(); err != nil {
			return err
		}
	}
	if up == "" {
		port := DefaultPort
		if f.Port.Set {
			port = f.Port.Value
		}
		up = "http://127.0.0.1:" + port
	}
	f.Instance = askInstance(ctx, strings.TrimRight(up, "/"), f.contextCandidates(p))
	return nil
}

func (f *Facts) whyVersion(why string) {
	if f.Bitbucket.Why == nil {
		f.Bitbucket.Why = map[string]string{}
	}
	f.Bitbucket.Why["Version"] = why
}

// contextCandidates are the paths under which the instance may answer now, the
// likeliest first: what its file says, the wanted one, the root.
func (f *Facts) contextCandidates(p Probe) []string {
	var out []string
	add := func(path string) {
		for _, have := range out {
			if have == path {
				return
			}
		}
		out = append(out, path)
	}
	for _, o := range f.Bitbucket.Overrides {
		if o.Key == "server.context-path" && o.Value != "" {
			if path, err := publicurl.ParsePath(o.Value); err == nil {
				add(path)
			}
		}
	}
	if f.ContextPath.Set {
		add(f.ContextPath.Value)
	}
	if !p.Said.URL.IsZero() {
		add(p.Said.URL.TomcatPath())
	}
	if old, err := publicurl.ParsePath(p.Said.RedirectOldPath); err == nil {
		add(old)
	}
	add("")
	return out
}

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
		out = append(out, Finding{ID: "connector", Level: Warn,
			Seen: fmt.Sprintf("%s, line %d: %s", path, t.Line, t.Found), Why: t.Why, Do: t.Do})
	}
	return out
}

func at(what, path string, line int) string {
	return fmt.Sprintf("%s in %s, line %d", what, path, line)
}

func askVersion(ctx context.Context, upstream string, paths []string) string {
	for _, path := range paths {
		c, err := bitbucket.NewClient(upstream+path, bitbucket.Options{})
		if err != nil {
			return ""
		}
		if v, _, err := c.Version(ctx); err == nil && v != "" {
			return v
		}
	}
	return ""
}

// askInstance finds the context path that answers and reads what is public.
func askInstance(ctx context.Context, upstream string, paths []string) Instance {
	in := Instance{Upstream: upstream, Base: upstream + paths[0], State: bitbucket.Unreachable}
	for _, path := range paths {
		c, err := bitbucket.NewClient(upstream+path, bitbucket.Options{})
		if err != nil {
			in.Detail = err.Error()
			return in
		}
		state, detail := c.Status(ctx)
		if state == bitbucket.Unreachable {
			if in.Detail == "" {
				in.Detail = detail
			}
			continue
		}
		in.Base, in.State, in.Detail = upstream+path, state, detail
		in.Version, _, _ = c.Version(ctx)
		if url, known := c.PublicBaseURL(ctx); known {
			in.BaseURL = Known{url, true, "the application links manifest of " + in.Base}
		}
		return in
	}
	return in
}

// WithSettings returns the facts with what a logged-in administrator sees.
func (f Facts) WithSettings(s bitbucket.Settings) Facts {
	why := "the server settings of " + f.Instance.Base
	f.Instance.BaseURL = Known{s.BaseURL, true, why}
	f.Instance.SSHActive = s.SSHEnabled
	if s.SSHEnabled {
		f.Instance.SSH = Known{s.SSHBaseURL, true, why}
	}
	f.Instance.AppLinks = s.AppLinks
	return f
}
