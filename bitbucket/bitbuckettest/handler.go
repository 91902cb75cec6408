package bitbuckettest

import (
	"bufio"
	"cmp"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// exchange is one request on its way through one instance.
type exchange struct {
	i       *instance
	c       connector
	w       http.ResponseWriter
	r       *http.Request
	path    string // below the context path, "/status"
	belief  belief
	session session
	user    string // "" is anonymous
	token   bool   // by access token: no global permission
}

// handler is the whole pipeline of one connector.
func (i *instance) handler(c connector) http.Handler {
	core := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := tomcatRefuses(r); reason != "" {
			http.Error(w, reason, http.StatusBadRequest)
			return
		}
		x := &exchange{i: i, c: c, w: w, r: r, belief: c.believe(r)}
		w.Header().Set("X-AREQUESTID", "@"+strings.ToUpper(randomHex(5)))
		if x.inContext() && x.available() && x.authenticate() && x.passesXSRF() {
			x.route()
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.working.Add(1)
		defer i.working.Add(-1)
		i.srv.mu.Lock()
		middleware := i.srv.middleware
		i.srv.mu.Unlock()
		var h http.Handler = core
		if middleware != nil {
			h = middleware(h)
		}
		answer := &recorder{ResponseWriter: w, drop: i.srv.takeDrop(r)}
		done := Request{Method: r.Method, Path: r.URL.Path}
		defer func() { // also when a middleware aborts the connection
			done.Status = answer.status
			i.srv.record(done)
		}()
		h.ServeHTTP(answer, r)
		if answer.drop {
			answer.status = 0
			panic(http.ErrAbortHandler)
		}
	})
}

// tomcatRefuses tells what Tomcat's request parser answers 400 to: characters
// that must be encoded, an encoded slash or backslash in the path, and more
// than 8 KiB of header.
func tomcatRefuses(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	lower := strings.ToLower(path)
	if strings.ContainsAny(r.RequestURI, "\"<>[\\]^`{|}") || strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") {
		return "Invalid character found in the request target"
	}
	size := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	if size > 8192 {
		return "Request header is too large"
	}
	return ""
}

// inContext sends what lies outside the context path to its root; the path asked for is lost.
func (x *exchange) inContext() bool {
	ctx := x.i.cfg.context
	rest, ok := strings.CutPrefix(x.r.URL.Path, ctx)
	switch {
	case ok && rest == "" && ctx != "":
		x.redirectStatus("/", http.StatusFound)
		return false
	case ok && strings.HasPrefix(rest, "/"):
		x.path = rest
		return true
	}
	x.redirectStatus("/", http.StatusMovedPermanently)
	return false
}

// available answers for an instance that is not RUNNING, and sends clear-text
// requests to https where server.require-ssl asks for it.
func (x *exchange) available() bool {
	state := x.i.state()
	if x.path == "/status" {
		x.status(state)
		return false
	}
	if x.c.requireSSL && !x.belief.secure {
		target := belief{scheme: "https", name: x.belief.name, port: x.c.redirectPort}
		x.w.Header().Set("Location", target.origin()+x.r.URL.RequestURI())
		x.w.WriteHeader(http.StatusFound)
		return false
	}
	switch state {
	case stateRunning:
		return true
	case stateFirstRun:
		if x.path == "/setup" || strings.HasSuffix(x.path, "/application-properties") {
			return true
		}
		x.redirect("/setup")
	default:
		x.page(http.StatusServiceUnavailable, state, "<p>"+x.i.srv.gen.product()+" is currently not available: "+state+"</p>")
	}
	return false
}

// state is what /status reports now.
func (i *instance) state() string {
	i.srv.mu.Lock()
	defer i.srv.mu.Unlock()
	if i.srv.o.StartDelay > 0 && time.Since(i.started) < i.srv.o.StartDelay {
		return stateStarting
	}
	return i.srv.state
}

func (x *exchange) status(state string) {
	code := http.StatusOK
	switch state {
	case stateStarting, stateStopping:
		code = http.StatusServiceUnavailable
	case stateError:
		code = http.StatusInternalServerError
	}
	x.json(code, map[string]string{"state": state})
}

// redirect goes to a path below the context.
func (x *exchange) redirect(path string) { x.redirectStatus(path, http.StatusFound) }

// redirectStatus builds the Location from what Tomcat believes of the request,
// as Tomcat 8 and 9 do, or leaves scheme and host out as Tomcat 10 does.
func (x *exchange) redirectStatus(path string, code int) {
	location := x.i.cfg.context + path
	if !x.i.srv.o.RelativeRedirects {
		location = x.belief.origin() + location
	}
	x.w.Header().Set("Location", location)
	x.w.WriteHeader(code)
}

// nextParam is ?next= with the page asked for.
func (x *exchange) nextParam() string { return "?next=" + url.QueryEscape(x.path) }

// recorder remembers the status; with drop it lets nothing through.
type recorder struct {
	http.ResponseWriter
	status int
	drop   bool
}

func (w *recorder) WriteHeader(code int) {
	if w.status == 0 && code >= 200 {
		w.status = code
	}
	if !w.drop {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	if w.drop {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Flush and Hijack are for the middleware of tests.
func (w *recorder) Flush() {
	if !w.drop {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}

func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
