package proxy

import (
	"errors"
	"net/http"
	"strings"

	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// front decides what happens to a request; forwarder carries it out.
type front struct {
	cfg     config.Config
	log     *logger
	health  *health
	queue   *queue
	forward *forwarder
	open    *tracker
}

func newFront(c config.Config, l *logger, h *health, open *tracker) *front {
	return &front{cfg: c, log: l, health: h, queue: newQueue(c.MaxConn), forward: newForwarder(c, l), open: open}
}

func (f *front) close() { f.forward.transport.close() }

// ServeHTTP answers one request. A panic with http.ErrAbortHandler (the server's
// answer broke off) passes through, so that the client sees a broken transfer;
// the slot is given back and the line is logged on every way out.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.open.add()
	defer f.open.done()
	t, ok := parseTarget(r)
	a := newAnswer(w, r, f.cfg)
	defer func() { f.log.access(a, t) }()
	defer a.end()
	f.serve(a, r, t, ok)
	a.complete = true
}

func (f *front) serve(a *answer, r *http.Request, t target, ok bool) {
	switch context := f.cfg.URL.TomcatPath(); {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace || r.Method == "PRI":
		a.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		a.refuse(r, t, http.StatusMethodNotAllowed, "This method is not allowed here.")
	case !ok:
		a.refuse(r, t, http.StatusBadRequest, "The address asked for is not a path of this server.")
	case !ourHost(f.cfg.URL, r.Host):
		a.refuse(r, t, http.StatusMisdirectedRequest, "This server answers only under its own name, "+f.cfg.URL.Authority()+".")
	case t.path == "/" && context != "":
		a.redirect(http.StatusFound, f.cfg.URL.Origin()+f.cfg.URL.RedirectTarget())
	case f.fromOldPath(t) != "":
		a.redirect(movedStatus(r), f.fromOldPath(t)+t.querySuffix())
	case !f.health.up():
		a.unavailable(r, t, "Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
	default:
		f.admit(a, r, t)
	}
}

// admit waits for one of the slots at the server and forwards.
func (f *front) admit(a *answer, r *http.Request, t target) {
	place, ok := f.queue.enter()
	if !ok {
		a.unavailable(r, t, "Too many requests are waiting.")
		return
	}
	r = r.WithContext(r.Context()) // a copy: the server looks at its own r.Body afterwards
	a.watchBody(r)
	if !place.granted() {
		// net/http notices that a client left only after the body was read.
		if err := a.bufferSmallBody(r); err != nil {
			f.queue.leave(place)
			a.clientFault(r, t, err)
			return
		}
	}
	err := f.queue.wait(r.Context(), place, f.cfg.QueueTimeout)
	a.queued()
	if errors.Is(err, errQueueTimeout) {
		a.unavailable(r, t, "Bitbucket is busy: the request waited for its turn for "+f.cfg.QueueTimeout.String()+".")
		return
	}
	if err != nil {
		a.clientLeft()
		return
	}
	defer f.queue.leave(place)
	f.forward.serve(a, r, t)
}

// fromOldPath returns where a path under the former context path is now, "" if
// it is not under it.
func (f *front) fromOldPath(t target) string {
	if f.cfg.OldPath == "" {
		return ""
	}
	context := f.cfg.URL.TomcatPath()
	old, err := publicurl.ParsePath(f.cfg.OldPath)
	if err != nil || !under(t.path, old) || under(context, old) && under(t.path, context) {
		return ""
	}
	return f.cfg.URL.BaseURL() + strings.TrimPrefix(t.path, old)
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
func movedStatus(r *http.Request) int {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return http.StatusMovedPermanently
	}
	return http.StatusPermanentRedirect
}

// redirector answers on the plain HTTP port. It never names another host than
// the public one, whatever the request says.
type redirector struct{ url publicurl.URL }

func (d redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	t, ok := parseTarget(r)
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !ok || t.path == "/":
		t = target{path: d.url.RedirectTarget()}
	}
	w.Header().Set("Location", d.url.Origin()+t.path+t.querySuffix())
	w.WriteHeader(movedStatus(r))
}
