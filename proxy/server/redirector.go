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
// what the account's key makes of them, or what the renewer says; all else with the way to HTTPS. It never names
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
	switch {
	case asked:
		backend = record.Challenge
		w.Header().Set("Content-Type", "text/plain")
	case d.Config.PassedOn(r.Method, r.URL.Path):
		backend = record.Challenge
		status, answer = d.passOn(r)
		w.Header().Set("Content-Type", "text/plain")
	default:
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

// renewer talks to the program that renews the certificate. It is on this machine and
// there for seconds at a time, so that no connection is kept.
var renewer = http.Client{
	Timeout:       10 * time.Second,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// maxKeyAuthorization is more than any answer to http-01 has, in bytes: a token, a dot
// and a thumbprint.
const maxKeyAuthorization = 1024

// passOn is what the renewer answers to a challenge; 503 while it does not listen.
func (d Redirector) passOn(r *http.Request) (status int, answer string) {
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+d.Config.Renewer+r.URL.Path, nil)
	if err != nil {
		return http.StatusBadRequest, ""
	}
	ask.Host = d.Config.URL.Host()
	resp, err := renewer.Do(ask)
	if err != nil {
		return http.StatusServiceUnavailable, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeyAuthorization))
	if err != nil || resp.StatusCode != http.StatusOK {
		return http.StatusNotFound, ""
	}
	return resp.StatusCode, string(body)
}
