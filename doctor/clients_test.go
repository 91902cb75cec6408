package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// TestClients: what the front answers otherwise than Bitbucket itself is found, and
// nobody's session, password or count of failed sign-ins is touched.
func TestClients(t *testing.T) {
	for _, spoilt := range []bool{false, true} {
		f := good()
		var methods []string
		f.handle["/bitbucket/scm/proj/repo.git/info/refs"] = func(w http.ResponseWriter, r *http.Request) {
			methods = append(methods, r.Method)
			if spoilt && r.TLS != nil && strings.HasPrefix(r.UserAgent(), "git/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
		target := f.start(t)
		direct := httptest.NewServer(f)
		t.Cleanup(direct.Close)
		target.Direct = direct.URL
		p := newProbe(target)
		t.Cleanup(p.close)
		v := lookClients(context.Background(), p)
		if want := "git clone, not signed in is answered HTTP 403"; spoilt && (v.Level != problem.Fail || !strings.Contains(v.Found, want)) {
			t.Errorf("%+v, want %s", v, want)
		}
		if !spoilt && v.Level != problem.OK {
			t.Errorf("%+v", v)
		}
		if len(methods) < 8 || strings.Trim(strings.Join(methods, ""), "ADEGHT") != "" {
			t.Errorf("asked: %q", methods)
		}
		for _, h := range f.sent {
			if h.Get("Authorization") != "" || h.Get("Cookie") != "" {
				t.Errorf("sent: %v", h)
			}
		}
	}
}
