package setup

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/tomcat"
)

// contextPath is step 1: the path on both sides is the same.
func (b *builder) contextPath(s Step) (Step, error) {
	if b.f.Layout.UsesProperties() {
		want := tomcat.ContextPathProperty(b.a.URL.PropertyPath())
		if _, set := b.f.propertyValue(want.Key); !set && b.a.URL.TomcatPath() == "" {
			s.Skipped = "Bitbucket serves from the root context already"
			return s, nil
		}
		return b.setProperties(s, []tomcat.Property{want})
	}
	if b.a.URL.TomcatPath() == b.f.ContextPath.Value && b.f.ContextPath.Set {
		s.Skipped = "Bitbucket serves from " + b.a.URL.PropertyPath() + " already"
		return s, nil
	}
	xml, err := b.serverXML()
	if err != nil {
		return s, err
	}
	r, err := xml.SetContextPath(b.livePort(), b.a.URL.TomcatPath())
	if err != nil {
		return s, err
	}
	return b.tomcatResult(s, r), nil
}

// serverXML is the file as the changes so far leave it.
func (b *builder) serverXML() (*tomcat.ServerXML, error) {
	if b.f.ServerXML.Absent {
		return nil, problem.New(b.f.ServerXML.Path+" does not exist", "this generation of Bitbucket keeps its connector there",
			"check --home, --install and --bitbucket-version")
	}
	if data, ok := b.edited[b.f.ServerXML.Path]; ok {
		return tomcat.ParseServerXML(b.f.ServerXML.Path, data)
	}
	return b.f.serverXML()
}

// connector is step 3: Tomcat learns how the front serves Bitbucket.
func (b *builder) connector(s Step) (Step, error) {
	if b.a.Front == FrontTomcat {
		return b.ownConnector(s)
	}
	c := b.wantedConnector()
	if b.f.Layout.UsesProperties() {
		return b.frontedProperties(s, c)
	}
	xml, err := b.serverXML()
	if err != nil {
		return s, err
	}
	cleared, err := xml.ClearTLS(b.goingStore)
	if err != nil {
		return s, err
	}
	if s = b.tomcatResult(s, cleared); len(s.Changes) > 0 {
		b.tlsTurnedOff(s, xml.TLSPort(b.goingStore))
		if xml, err = b.serverXML(); err != nil {
			return s, err
		}
	}
	set := xml.SetConnector
	if b.addsPlain() {
		set = func(port int, c tomcat.Connector) (tomcat.Result, error) {
			return xml.AddConnector(b.livePort(), port, c)
		}
	}
	r, err := set(UpstreamPort(b.a.Upstream), c)
	if err != nil {
		return s, err
	}
	return b.tomcatResult(s, r), nil
}

func (b *builder) wantedConnector() tomcat.Connector {
	c := tomcat.Connector{
		ProxyName: b.a.URL.ProxyName(), ProxyPort: b.a.URL.Port(), Scheme: "https", Secure: true, RedirectPort: b.a.URL.Port(),
	}
	if b.a.LocalOnly {
		c.Address = loopback
		if at, err := url.Parse(b.a.Upstream); err == nil && net.ParseIP(at.Hostname()).IsLoopback() {
			c.Address = at.Hostname() // where the front looks for it
		}
	}
	return c
}

func (b *builder) tomcatResult(s Step, r tomcat.Result) Step {
	if b.edit(&s, PhaseUpstreamFiles, b.f.ServerXML, r.After, r.Splices) != nil {
		s.Skipped = ""
	} else if len(s.Changes) == 0 {
		s.Skipped = "already as wanted"
	}
	b.note(s.ID, r.Notes)
	return s
}

// setProperties edits bitbucket.properties, except for keys that something
// outside the file overrides: those become a pending act for a person.
func (b *builder) setProperties(s Step, want []tomcat.Property) (Step, error) {
	props, err := tomcat.ParseProperties(b.f.Properties.Path, b.current(b.f.Properties))
	if err != nil {
		return s, err
	}
	var edit []tomcat.Property
	for _, p := range want {
		if o, ok := b.override(p.Key); ok {
			if o.Value != p.Value {
				b.plan.Pending = append(b.plan.Pending,
					fmt.Sprintf("%s overrides %s: set it there to %q (%s)", o.Where, b.f.Properties.Path, p.Value, p.Key))
			}
			continue
		}
		edit = append(edit, p)
	}
	return b.editProperties(s, props, edit, nil)
}

// frontedProperties tells the connector of its front. TLS that bitgate gave it goes.
func (b *builder) frontedProperties(s Step, c tomcat.Connector) (Step, error) {
	props, err := tomcat.ParseProperties(b.f.Properties.Path, b.current(b.f.Properties))
	if err != nil {
		return s, err
	}
	plain, gone := props.PlainProperties(b.goingStore)
	if len(gone) == 0 {
		return b.setProperties(s, props.OfConnector(UpstreamPort(b.a.Upstream), c, b.addsPlain()))
	}
	port, _ := props.Get("server.port")
	b.tlsTurnedOff(s, port.Value)
	return b.editProperties(s, props, append(plain, tomcat.ConnectorProperties(c)...), gone)
}

// goingStore reports whether the TLS connector with this key store is turned off:
// bitgate's own, and the one whose certificate moves to the front.
func (b *builder) goingStore(path string) bool {
	return OwnKeyStore(path) || b.a.CertSource == SourceBitbucket && b.a.OwnTLS == TLSOff
}

// tlsTurnedOff tells those who come back behind a front, which can have the port when
// Bitbucket was restarted.
func (b *builder) tlsTurnedOff(s Step, port string) {
	b.plan.Run.GivesUp = port
	b.note(s.ID, []string{"Bitbucket's own TLS is turned off; its plain port stays closed to other machines (127.0.0.1), and the key store stays where it is, unused"})
}

// editProperties sets keys and comments others out.
func (b *builder) editProperties(s Step, props *tomcat.Properties, set []tomcat.Property, gone []string) (Step, error) {
	r, err := props.Edit(set, gone)
	if err != nil {
		return s, err
	}
	if e := b.edit(&s, PhaseUpstreamFiles, b.f.Properties, r.After, r.Splices); e == nil {
		s.Skipped = "already as wanted"
	} else if e.Before == Absent { // Atlassian's own scripts create it so: 600, owned by the service user
		e.Mode, e.UID, e.GID = 0o600, b.f.Bitbucket.UID, b.f.Bitbucket.GID
	}
	b.note(s.ID, r.Notes)
	return s, nil
}

func (b *builder) override(key string) (bitbucket.Override, bool) {
	for _, o := range b.f.Bitbucket.Overrides {
		if o.Key == key {
			return o, true
		}
	}
	return bitbucket.Override{}, false
}

// propertyValue reads a live key of the properties file.
func (f Facts) propertyValue(key string) (string, bool) {
	props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
	if err != nil {
		return "", false
	}
	v, ok := props.Get(key)
	return v.Value, ok
}

// stashConfig refuses to make a bitbucket.properties beside Stash's file: Bitbucket
// 4.x does not start with both, and later versions would read the new one alone,
// which has no database.
func (b *builder) stashConfig() error {
	if b.f.StashConfig == "" || !b.a.EditsBitbucket() {
		return nil
	}
	return problem.New(fmt.Sprintf("%s has the settings of Stash, and there is no %s", b.f.StashConfig, filepath.Base(b.f.Properties.Path)),
		"a new file beside it would have no database, and Bitbucket "+b.a.Version+" would read that one or not start",
		"start Bitbucket "+b.a.Version+" once, which brings the settings over, or rename the file yourself; then run bitgate again")
}

// ownTLS refuses to lead the front, which speaks plain HTTP to Bitbucket, to a
// connector that does TLS.
func (b *builder) ownTLS() error {
	if !b.f.OwnTLS.Set || b.a.Skips(StepHAProxy) || strconv.Itoa(UpstreamPort(b.a.Upstream)) != b.f.Port.Value {
		return nil
	}
	plain := "let bitgate give it a plain connector on 127.0.0.1 for the front, and keep the one with TLS: --own-tls keep (and --upstream http://127.0.0.1:PORT for a port of your choice)"
	if b.f.PlainPort != "" {
		plain = "use its plain connector: --upstream http://127.0.0.1:" + b.f.PlainPort
	}
	why := "the front speaks plain HTTP to Bitbucket and gets no answer from it"
	if b.a.Front == FrontTomcat {
		why = "bitgate speaks plain HTTP to Bitbucket on this machine and gets no answer from it"
	}
	return problem.New(fmt.Sprintf("Bitbucket's connector on port %s does TLS itself (%s)", b.f.Port.Value, b.f.OwnTLS.Why),
		why, plain)
}

// addressElsewhere is what beats the file's server.address, "" for nothing.
func (f Facts) addressElsewhere() string {
	if o, ok := f.Bitbucket.Effective("server.address"); ok && f.Layout.UsesProperties() {
		return o.Where
	}
	return ""
}

// closedPort refuses to lead the front past a connector that is to be reached on the
// loopback address alone.
func (b *builder) closedPort() error {
	at := loopbackUpstream(b.a.Upstream)
	if !b.a.closesPort() || at == b.a.Upstream {
		return nil
	}
	do := "give --upstream " + at + ", or leave --local-only out"
	if where := b.f.addressElsewhere(); where != "" {
		do = "take server.address out of what sets it, which beats the file (" + where + "), or leave --local-only out"
	}
	return problem.New("--local-only, and the front is to reach Bitbucket at "+b.a.Upstream,
		"the connector would listen on "+loopback+" alone, and the front find nobody", do).WithKind(problem.Usage)
}
