package proxy

import (
	"net/http"

	"bitgate/internal/publicurl"
	"bitgate/proxy/rules"
)

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
	w.WriteHeader(rules.MovedStatus(r.Method))
}
