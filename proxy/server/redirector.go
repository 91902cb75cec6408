package server

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/proxy/accesslog"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

// Redirector answers on the plain HTTP port, and logs that. It never names another
// host than the public one, whatever the request says.
type Redirector struct {
	URL publicurl.URL
	Log *accesslog.Log
}

// ServeHTTP implements http.Handler.
func (d Redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	w.Header().Set("Connection", "close")
	status, location := d.answer(r)
	if location != "" {
		w.Header().Set("Location", location)
	}
	w.WriteHeader(status)
	client, _ := netip.ParseAddrPort(r.RemoteAddr) // always one for TCP
	d.Log.Access(&record.Record{
		Client: netip.AddrPortFrom(client.Addr().Unmap(), client.Port()), Frontend: "bitgate", Backend: "redirect", End: record.Local, Status: status,
		Marks: record.Marks{First: begun, Head: begun, End: time.Now()}, Method: r.Method, Target: r.RequestURI, Protocol: r.Proto, Agent: r.UserAgent(),
	})
}

func (d Redirector) answer(r *http.Request) (status int, location string) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return http.StatusMethodNotAllowed, ""
	}
	_, origin, malformed := h1.OriginForm([]byte(r.RequestURI))
	target := string(origin)
	if path, _, _ := strings.Cut(target, "?"); malformed != nil || path == "/" {
		target = d.URL.RedirectTarget()
	}
	return rules.MovedStatus(r.Method), d.URL.Origin() + target
}
