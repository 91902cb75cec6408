package proxy

import (
	"errors"
	"net/http"
	"strings"

	"bitgate/internal/publicurl"
)

// serve decides what happens to the request.
func (e *exchange) serve() {
	cfg, r := e.p.cfg, e.r
	switch context := cfg.URL.TomcatPath(); {
	case !ourHost(cfg.URL, r.host) || r.authority != "" && !ourHost(cfg.URL, r.authority):
		e.refuse(http.StatusMisdirectedRequest, "This server answers only under its own name, "+cfg.URL.Authority()+".")
	case r.path == "/" && context != "":
		e.redirect(http.StatusFound, cfg.URL.Origin()+cfg.URL.RedirectTarget())
	case e.fromOldPath() != "":
		e.redirect(movedStatus(string(r.method)), e.fromOldPath()+r.querySuffix())
	case !e.p.health.up():
		e.unavailable("Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
	default:
		e.admit()
	}
}

// admit waits for one of the slots at the server and forwards.
func (e *exchange) admit() {
	q := e.p.queue
	place, ok := q.enter()
	if !ok {
		e.unavailable("Too many requests are waiting.")
		return
	}
	if !place.granted() {
		e.watch()
		err := q.wait(e.ctx, place, e.p.cfg.QueueTimeout)
		e.waited = sinceStart(e.r)
		if errors.Is(err, errQueueTimeout) {
			e.unavailable("Bitbucket is busy: the request waited for its turn for " + e.p.cfg.QueueTimeout.String() + ".")
			return
		}
		if err != nil {
			e.clientLeft()
			return
		}
		e.c.unwatch()
		e.watching = false
	}
	defer q.leave(place)
	if e.left() {
		e.clientLeft()
		return
	}
	e.forward()
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
