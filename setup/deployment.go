package setup

import (
	"maps"
	"strings"

	"bitgate/certs"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
)

// Deployment is all that a certificate-only run needs to know of a front. The run
// that set the front up keeps it in its plan, so that a renewal at night works from
// what was consented to, touches nothing but the certificate, and is not kept from
// it by what else has changed on the machine since.
type Deployment struct {
	URL         publicurl.URL   `json:"url"`
	Front       string          `json:"front"`
	Listen      []string        `json:"listen"`
	Bundle      string          `json:"bundle"`             // the file that the front reads
	InPlace     bool            `json:"in-place,omitempty"` // it is the source itself
	Timed       bool            `json:"timed,omitempty"`    // a timer of bitgate's looks for a new one
	Mode        uint32          `json:"mode,omitempty"`     // as in CertificateChange
	Group       string          `json:"group,omitempty"`
	certs.Paths                 // the sources; Alias where it was named
	Control     service.Control `json:"control"`               // how HAProxy is reloaded
	SwapSocket  string          `json:"swap-socket,omitempty"` // where HAProxy takes a certificate while it runs
	Socket      string          `json:"socket,omitempty"`      // where it is asked which process serves
	ConfigFile  string          `json:"config-file,omitempty"` // of the front, for messages
	Order       *Order          `json:"order,omitempty"`       // how bitgate orders the certificate; nil where it does not
}

// KindCertificate marks the plan of a run that touches nothing but the certificate.
const KindCertificate = "certificate"

// Served is what the front must show when a run is over: whatever the way a
// certificate went in, only a handshake proves that clients get it.
type Served struct {
	Leaf string `json:"leaf"` // fingerprint
	Host string `json:"host"`
	// Addresses where a client that names Host must get it, and those where one that
	// names nobody must, because the certificate before was what it got there.
	Addresses []string `json:"addresses"`
	Bare      []string `json:"bare,omitempty"`
}

// deployment remembers in the plan what a certificate-only run needs.
func (b *builder) deployment(bundle string) {
	d := &Deployment{
		URL: b.a.URL, Front: b.a.Front, Listen: b.a.Listen, Bundle: bundle, InPlace: b.f.Certificate.InPlace != "",
		Paths: CertPaths(b.a), ConfigFile: b.a.ProxyConfig, Order: b.a.standing(b.f.ProxyConfig.Path),
	}
	if was := b.f.Deployed; d.Order != nil && was != nil && was.Order != nil && d.Order.Terms == "" && was.Order.Directory == d.Order.Directory {
		d.Order.Terms = was.Order.Terms // nobody takes back that he agreed
	}
	if b.a.Front == FrontHAProxy {
		d.ConfigFile = b.a.HAProxyCfg
		if group := b.f.FrontReader.Group; group != "" {
			d.Mode, d.Group = 0o640, group
		}
		d.Control = b.plan.Run.Front
		if d.Control.How == service.Manual || d.Control.How == service.Never {
			d.Control = b.f.HAProxyCtl // a renewal waits for nobody
		}
		d.Socket, d.SwapSocket = b.plan.Run.HAProxySocket, b.swapSocket()
	}
	b.plan.Deployment = d
}

// swapSocket is where HAProxy takes a new certificate while it runs ("set ssl cert",
// management guide 9.3), "" where it does not: its runtime socket of level admin,
// else the master's. 2.2 knows the command too, but forgets the good certificate
// over a refused one.
func (b *builder) swapSocket() string {
	if !b.f.HAProxy.Version.AtLeast(2, 4) {
		return ""
	}
	if socket, admin := b.f.HAProxyConfig.RuntimeSocket(); admin && strings.HasPrefix(socket, "unix:") {
		return socket
	}
	if strings.HasPrefix(b.f.HAProxy.Master, "unix:") {
		return b.f.HAProxy.Master
	}
	return ""
}

// DeploymentOf is what p says about the certificate of its front; false where it set
// none up. Plans of before have no such part, and are read as far as they go.
func DeploymentOf(p Plan) (Deployment, bool) {
	a := p.Answers
	switch {
	case p.Kind == KindCertificate || a.Skips(StepHAProxy) || a.URL.IsZero():
		return Deployment{}, false
	case a.Front == FrontTomcat: // whose key store is a matter of a run that restarts Bitbucket
		return Deployment{URL: a.URL, Front: a.Front, Listen: a.Listen, Paths: CertPaths(a)}, true
	case p.Deployment != nil:
		d := *p.Deployment
		if d.Order == nil { // plans of before have it in their answers alone
			d.Order = a.standing(a.ProxyConfig)
		}
		return d, true
	}
	d := Deployment{
		URL: a.URL, Front: a.Front, Listen: a.Listen, Paths: CertPaths(a), ConfigFile: a.ProxyConfig, Control: p.Run.Front, Socket: p.Run.HAProxySocket,
	}
	if a.Front == FrontHAProxy {
		d.ConfigFile = a.HAProxyCfg
	}
	d.Bundle = (Paths{Front: a.Front, HAProxyCfg: a.HAProxyCfg, ProxyConfig: a.ProxyConfig}).bundle(a.URL.Host())
	for _, c := range p.Changes() {
		switch {
		case c.Certificate != nil:
			d.Bundle, d.Mode, d.Group = c.Certificate.Path, c.Certificate.Mode, c.Certificate.Group
		case c.Service != nil && c.Service.Swap != "":
			d.SwapSocket = p.Run.HAProxySocket
		}
	}
	return d, d.Front != "" && (d.PEM != "" || d.Cert != "")
}

// Found is what a certificate-only run found of its deployment on the machine.
type Found struct {
	Before  string            // digest of the bundle's file, or Absent
	After   string            // of the bundle that the sources make
	Sources map[string]string // path -> SHA-256
	Leaf    string            // fingerprint of the sources' certificate
	Alias   string            // of the key in a key store
	// Up are the addresses where the front answers by TLS; Bare those of them where
	// one that names nobody gets the certificate of the file.
	Up, Bare []string
	Current  bool // all of Up show Leaf already
}

// Plan is the certificate-only run that makes the front serve what was found; empty
// where it does.
func (d Deployment) Plan(f Found) Plan {
	p := Plan{
		Format: PlanFormat, Kind: KindCertificate, Inputs: map[string]string{d.Bundle: f.Before},
		Answers: Answers{URL: d.URL, Listen: d.Listen, Front: d.Front, OnFailure: FailBack},
		Run:     RunSettings{Front: d.Control, FrontAddress: frontAddress(d.Listen), HAProxySocket: d.Socket, OnFailure: FailBack},
		Steps:   []Step{{ID: StepHAProxy, Changes: []Change{}}},
	}
	if d.Front == FrontHAProxy {
		p.Answers.HAProxyCfg = d.ConfigFile
	} else {
		p.Answers.ProxyConfig = d.ConfigFile
	}
	maps.Copy(p.Inputs, f.Sources)
	s := &p.Steps[0]
	if f.Before != f.After && !d.InPlace {
		c := &CertificateChange{Path: d.Bundle, Before: f.Before, After: f.After, Paths: d.Paths, Sources: f.Sources, Mode: d.Mode, Group: d.Group}
		c.Alias = f.Alias
		s.Changes = append(s.Changes, Change{Phase: PhaseFrontFiles, Certificate: c})
	}
	switch {
	case len(f.Up) == 0 && len(s.Changes) > 0:
		p.Pending = append(p.Pending, "the front does not run: it serves the new certificate when it is started")
	case len(f.Up) > 0 && (len(s.Changes) > 0 || !f.Current):
		d.hand(&p)
		p.Served = &Served{Leaf: f.Leaf, Host: d.URL.Host(), Addresses: f.Up, Bare: f.Bare}
	}
	p.write()
	return p
}

// hand has HAProxy take what its file holds; the built-in proxy looks by itself.
func (d Deployment) hand(p *Plan) {
	if d.Front != FrontHAProxy {
		return
	}
	s := &ServiceChange{Target: "haproxy", Verb: service.Reload, Control: d.Control, SwapSocket: d.SwapSocket}
	if d.SwapSocket != "" {
		s.Swap = d.Bundle
	}
	p.Steps[0].Changes = append(p.Steps[0].Changes, Change{Phase: PhaseFrontService, Service: s})
}

// Dial are the addresses of this machine at which the front is asked.
func (d Deployment) Dial() []string { return local(d.Listen) }
