package setup

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/tomcat"
)

// contextPath is step 1: the path on both sides is the same.
func (b *builder) contextPath(s Step) (Step, error) {
	if b.f.Layout.UsesProperties() {
		return b.contextProperty(s)
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

// contextProperty is it from 5.0 on. What beats the file cannot wait for a person as
// other settings do: Bitbucket would come back under a path at which nobody looks for it.
func (b *builder) contextProperty(s Step) (Step, error) {
	want := tomcat.ContextPathProperty(b.a.URL.PropertyPath())
	if err := b.contextElsewhere(want); err != nil {
		return s, err
	}
	_, beaten := b.f.Bitbucket.Effective(want.Key)
	if b.a.URL.TomcatPath() == "" && (beaten || strings.Trim(b.f.propertyValue(want.Key), "/ ") == "") {
		s.Skipped = "Bitbucket serves from the root context already"
		return s, nil
	}
	return b.setProperties(s, []tomcat.Property{want})
}

// contextElsewhere refuses a path that something beside the file would not let be.
func (b *builder) contextElsewhere(want tomcat.Property) error {
	against := b.against(want)
	if len(against) == 0 {
		return nil
	}
	var says []string
	for _, o := range against {
		says = append(says, fmt.Sprintf("%q by %s", o.Value, o.Where))
	}
	do := "set it there to " + want.Value + ", or take it out there, and restart Bitbucket (a container: make it anew); then run bitgate again"
	if kept, err := b.a.URL.WithPath(against[0].Value); err == nil {
		do += ". To keep the path: --url " + kept.BaseURL()
	}
	return problem.New("Bitbucket is given the context path "+strings.Join(says, " and ")+", and --url wants "+want.Value,
		"that beats "+b.f.Properties.Path+": Bitbucket would not come back under the path of --url, and the run would be taken back", do)
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

// setProperties edits bitbucket.properties, except for what something outside the file
// overrides.
func (b *builder) setProperties(s Step, want []tomcat.Property) (Step, error) {
	props, err := tomcat.ParseProperties(b.f.Properties.Path, b.current(b.f.Properties))
	if err != nil {
		return s, err
	}
	return b.editProperties(s, props, b.unbeaten(want), nil)
}

// unbeaten leaves out what something outside the file overrides: where it differs that
// becomes a pending act for a person.
func (b *builder) unbeaten(want []tomcat.Property) (edit []tomcat.Property) {
	for _, p := range want {
		for _, o := range b.against(p) {
			b.plan.Pending = append(b.plan.Pending,
				fmt.Sprintf("%s overrides %s: set it there to %q (%s)", o.Where, b.f.Properties.Path, p.Value, p.Key))
		}
		if _, beaten := b.f.Bitbucket.Effective(p.Key); !beaten {
			edit = append(edit, p)
		}
	}
	return edit
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
	return b.editProperties(s, props, b.unbeaten(append(plain, tomcat.ConnectorProperties(c)...)), gone)
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

// against is what beats the file and would not let p be.
func (b *builder) against(p tomcat.Property) []bitbucket.Override {
	return b.f.Bitbucket.Against(p.Key, func(value string) bool {
		if p.Key != tomcat.ContextPathProperty("").Key {
			return value == p.Value
		}
		path, err := publicurl.ParsePath(strings.TrimSpace(value))
		if err != nil { // a placeholder: the instance knows what it stands for
			in := b.f.Instance
			return in.State != bitbucket.Unreachable && in.Base != "" && in.Base == in.Upstream+b.a.URL.TomcatPath()
		}
		return path == b.a.URL.TomcatPath()
	})
}

// propertyValue reads a live key of the properties file, in whatever spelling.
func (f Facts) propertyValue(key string) string {
	props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
	if err != nil {
		return ""
	}
	v, _ := props.Effective(key)
	return v.Value
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
