package proxy

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"bitgate/internal/problem"
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
	state := a.p.State()
	switch r.URL.Path {
	case "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_ = a.p.counters.WritePage(w, state) // whoever asked has gone
	case "/metrics":
		h.Set("Content-Type", metrics.ContentType)
		_ = a.p.counters.WritePrometheus(w, state)
	case "/healthz":
		if state.Draining || !anyUp(state.Servers) {
			http.Error(w, "stopping, or no server is up", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	default:
		http.NotFound(w, r)
	}
}

func anyUp(servers []metrics.Server) bool {
	for _, s := range servers {
		if s.Up {
			return true
		}
	}
	return false
}

// State is what is true at this moment, as the status page has it. It takes the
// locks that a request takes.
func (p *Proxy) State() metrics.State {
	now := time.Now()
	open := p.open.list(now)
	s := metrics.State{
		Version: version(), URL: p.cfg.URL.BaseURL(), Uptime: now.Sub(p.started).Seconds(), Draining: p.draining.Load(),
		Connections: p.clients.connections(), Open: len(open), SSH: len(p.ssh.slots), MaxConn: p.cfg.MaxConn,
	}
	s.Oldest = open[:min(len(open), 10)]
	servers, queued := p.admission.status()
	s.Queued = queued
	for _, server := range servers {
		s.Servers = append(s.Servers, metrics.Server(server))
	}
	for _, m := range p.keys.Materials() {
		info := m.Info()
		s.Certs = append(s.Certs, metrics.Certificate{Names: strings.Join(info.Names, " "), Key: info.KeyType, Expires: info.NotAfter.Unix()})
	}
	return s
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// listenAdmin binds "unix:/path", for its owner alone, or an address. A socket
// that a killed process left is replaced; one that answers is not.
func listenAdmin(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return listenTCP(address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, problem.New("another program already listens on "+address, "only one can answer there", "stop it or choose another path")
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
