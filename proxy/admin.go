package proxy

import (
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"bitgate/certs"
	"bitgate/certs/renewal"
	"bitgate/proxy/metrics"
)

// admin answers on the address for administrators, which reads only:
//
//	/         the status page
//	/metrics  Prometheus
//	/healthz  200, or 503 once the proxy stops and when no server is up
type admin struct{ p *Proxy }

func (a admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This address only reads.", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/healthz" {
		a.p.health(w)
		return
	}
	state := a.p.State()
	switch r.URL.Path {
	case "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = a.p.common.Counters.WritePage(w, state) // fails when the reader has gone
	case "/metrics":
		h.Set("Content-Type", metrics.ContentType)
		_ = a.p.common.Counters.WritePrometheus(w, state)
	default:
		http.NotFound(w, r)
	}
}

// healthz answers /healthz on an address of its own, which shows nothing else.
type healthz struct{ p *Proxy }

func (h healthz) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path != "/healthz" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	h.p.health(w)
}

// health says whether requests can be answered.
func (p *Proxy) health(w http.ResponseWriter) {
	if state := p.State(); state.Draining || !slices.ContainsFunc(state.Servers, func(s metrics.Server) bool { return s.Up }) {
		http.Error(w, "stopping, or no server is up", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// State is what is true at this moment, as the status page has it. It takes the
// locks that a request takes.
func (p *Proxy) State() metrics.State {
	now := time.Now()
	open := p.common.Open.List(now)
	s := metrics.State{
		Version: version(), URL: p.common.Config.URL.BaseURL(), Uptime: now.Sub(p.started).Seconds(), Draining: p.common.Draining.Load(),
		Connections: p.common.Clients.Connections(), Open: len(open), SSH: p.ssh.Connections(), MaxConn: p.common.Config.MaxConn,
	}
	s.Oldest = open[:min(len(open), 10)]
	servers, queued := p.common.Admission.Status()
	s.Queued = queued
	for _, server := range servers {
		s.Servers = append(s.Servers, metrics.Server(server))
	}
	for _, m := range p.keys.Materials() {
		info := m.Info()
		s.Certs = append(s.Certs, metrics.Certificate{Names: strings.Join(info.Names, " "), Key: info.KeyType, Expires: info.NotAfter.Unix()})
	}
	s.Renewal = renewals(p.common.Config.PEM)
	return s
}

// renewals is what whoever renews the certificate of a bundle says; nil for nothing.
func renewals(bundle string) *metrics.Renewal {
	if bundle == "" {
		return nil
	}
	data, err := readAll(certs.Open, renewal.ReportFile(bundle), renewal.MaxReport)
	if err != nil { // nobody has looked yet
		return nil
	}
	r := renewal.ParseReport(data)
	if r == nil {
		return nil
	}
	return &metrics.Renewal{Host: r.Host, Failures: r.Failures, LastGood: max(0, r.LastGood.Unix())}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
