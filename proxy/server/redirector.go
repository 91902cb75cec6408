package server

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

// Redirector answers on the plain HTTP port, and logs that: challenges of http-01 with
// what the account's key makes of them, all else with the way to HTTPS. It never names
// another host than the public one, whatever the request says.
type Redirector struct {
	Config *config.Config
	Log    *accesslog.Log
}

// ServeHTTP implements http.Handler.
func (d Redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	w.Header().Set("Connection", "close")
	status, backend := http.StatusOK, "redirect"
	answer, asked := d.Config.KeyAuthorization(r.Method, r.URL.Path)
	if asked {
		backend = record.Challenge
		w.Header().Set("Content-Type", "text/plain")
	} else {
		var location string
		if status, location = d.answer(r); location != "" {
			w.Header().Set("Location", location)
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)               // a client that is gone wants none
	client, _ := netip.ParseAddrPort(r.RemoteAddr) // always one for TCP
	d.Log.Access(&record.Record{
		Client: netip.AddrPortFrom(client.Addr().Unmap(), client.Port()), Frontend: "bitgate", Backend: backend, End: record.Local, Status: status,
		Marks: record.Marks{First: begun, Head: begun, End: time.Now()}, Method: r.Method, Target: r.RequestURI, Protocol: r.Proto, Agent: r.UserAgent(),
	})
}

func (d Redirector) answer(r *http.Request) (status int, location string) {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return http.StatusMethodNotAllowed, ""
	}
	if d.Config.ChallengesOnly {
		return http.StatusNotFound, ""
	}
	_, origin, malformed := h1.OriginForm([]byte(r.RequestURI))
	target := string(origin)
	if path, _, _ := strings.Cut(target, "?"); malformed != nil || path == "/" {
		target = d.Config.URL.RedirectTarget()
	}
	return rules.MovedStatus(r.Method), d.Config.URL.Origin() + target
}
