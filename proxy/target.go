package proxy

import (
	"net/http"
	"strings"
)

// target is what a client asked for, in the bytes it used. Nothing is decoded:
// two programs that decode a path differently are how access rules are evaded,
// and Bitbucket's repository paths hold %2F, ';' and non-ASCII legitimately.
type target struct {
	path     string // starts with "/"
	query    string
	hasQuery bool // "?" was there, even with nothing behind it
}

// parseTarget accepts origin-form, and absolute-form (RFC 9112, 3.2.2) whose
// authority net/http has already made r.Host.
func parseTarget(r *http.Request) (target, bool) {
	raw := r.RequestURI
	if r.Method != http.MethodConnect && !strings.HasPrefix(raw, "/") {
		scheme, rest, ok := strings.Cut(raw, "://")
		if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
			return target{}, false
		}
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			raw = "/"
		} else if raw = rest[i:]; raw[0] == '?' {
			raw = "/" + raw
		}
	}
	if !strings.HasPrefix(raw, "/") {
		return target{}, false
	}
	var t target
	t.path, t.query, t.hasQuery = strings.Cut(raw, "?")
	return t, true
}

func (t target) querySuffix() string {
	if !t.hasQuery {
		return ""
	}
	return "?" + t.query
}
