package server

import (
	"net/http"
	"strings"

	"bitgate/internal/publicurl"
	"bitgate/proxy/h1"
	"bitgate/proxy/rules"
)

// Redirector answers on the plain HTTP port. It never names another host than
// the public one, whatever the request says.
type Redirector struct{ URL publicurl.URL }

// ServeHTTP implements http.Handler.
func (d Redirector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	_, origin, malformed := h1.OriginForm([]byte(r.RequestURI))
	target := string(origin)
	if path, _, _ := strings.Cut(target, "?"); malformed != nil || path == "/" {
		target = d.URL.RedirectTarget()
	}
	w.Header().Set("Location", d.URL.Origin()+target)
	w.WriteHeader(rules.MovedStatus(r.Method))
}
