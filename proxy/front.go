package proxy

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/proxy/record"
)

// serve decides what happens to the request.
func (e *exchange) serve() {
	cfg, r := e.p.cfg, e.r
	switch context := cfg.URL.TomcatPath(); {
	case !e.p.clients.request(r.client):
		e.p.counters.Limited()
		e.end = record.Refused
		e.own(http.StatusTooManyRequests, "Too many requests came from "+r.client.String()+".", "Retry-After", "1")
	case !ourHost(cfg.URL, r.host) || r.authority != "" && !ourHost(cfg.URL, r.authority):
		e.refuse(http.StatusMisdirectedRequest, "This server answers only under its own name, "+cfg.URL.Authority()+".")
	case r.path == "/" && context != "":
		e.redirect(http.StatusFound, cfg.URL.Origin()+cfg.URL.RedirectTarget())
	case e.fromOldPath() != "":
		e.redirect(movedStatus(string(r.method)), e.fromOldPath()+r.querySuffix())
	default:
		e.admit()
	}
}

// admit waits for one of the slots at a server and forwards.
func (e *exchange) admit() {
	a := e.p.admission
	place, err := a.enter(e.takeCookie())
	if err != nil {
		e.notAdmitted(err)
		return
	}
	e.place = place
	defer func() { e.atAll, e.atServer = a.leave(place) }()
	if !a.granted(place) {
		e.watch()
		if err := a.wait(e.ctx, place); err != nil {
			e.notAdmitted(err)
			return
		}
		e.c.unwatch()
		e.watching = false
	}
	e.marks.Dequeued = time.Now()
	if e.left() {
		e.clientLeft()
		return
	}
	e.forward()
}

func (e *exchange) notAdmitted(err error) {
	switch {
	case errors.Is(err, errQueueTimeout):
		e.end = record.ServerTimeout
		e.unavailable("Bitbucket is busy: the request waited for its turn for " + e.p.cfg.QueueTimeout.String() + ".")
	case errors.Is(err, errQueueFull):
		e.end = record.Resource
		e.unavailable("Too many requests are waiting.")
	case errors.Is(err, errNoServer):
		e.end = record.Server
		e.unavailable("Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
	default:
		e.clientLeft()
	}
}

// fromOldPath returns where a path under the former context path is now, "" if
// it is not under it.
func (e *exchange) fromOldPath() string {
	cfg := e.p.cfg
	if cfg.OldPath == "" {
		return ""
	}
	context := cfg.URL.TomcatPath()
	old, err := publicurl.ParsePath(cfg.OldPath)
	if err != nil || !under(e.r.path, old) || under(context, old) && under(e.r.path, context) {
		return ""
	}
	return cfg.URL.BaseURL() + strings.TrimPrefix(e.r.path, old)
}

// under reports whether path is context or below it.
func under(path, context string) bool {
	rest, ok := strings.CutPrefix(path, context)
	return ok && (rest == "" || rest[0] == '/')
}

// ourHost compares a Host header with the public authority; a port of 443 may
// be written out.
func ourHost(u publicurl.URL, host string) bool {
	host = strings.ToLower(host)
	return host == u.Authority() || u.Port() == 443 && host == u.Authority()+":443"
}

// movedStatus is a permanent redirect that keeps method and body where there
// is one: 301 lets clients turn a POST into a GET (RFC 9110, 15.4.2).
func movedStatus(method string) int {
	if method == http.MethodGet || method == http.MethodHead {
		return http.StatusMovedPermanently
	}
	return http.StatusPermanentRedirect
}
