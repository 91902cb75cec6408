package bitbucket

import (
	"net/http"
	"strings"
	"time"
)

// cookies holds the cookies of one session with one upstream. net/http's jar
// would drop the session: told secure=true, Bitbucket marks its cookie Secure
// (and may name the public host as its domain), while bitgate talks to the
// connector behind the front over plain HTTP on this machine. The transport's
// guard, not the Secure mark, keeps it from crossing a network.
type cookies map[string]*http.Cookie

// take keeps what an answer sets and drops what it expires.
func (c cookies) take(header http.Header, now time.Time) {
	for _, got := range (&http.Response{Header: header}).Cookies() {
		if got.MaxAge < 0 || got.MaxAge == 0 && !got.Expires.IsZero() && got.Expires.Before(now) {
			delete(c, got.Name)
			continue
		}
		c[got.Name] = got
	}
}

// add puts the cookies whose path covers the request into it.
func (c cookies) add(req *http.Request) {
	for _, have := range c {
		if pathCovers(have.Path, req.URL.Path) {
			req.AddCookie(&http.Cookie{Name: have.Name, Value: have.Value})
		}
	}
}

// pathCovers is the path match of RFC 6265, section 5.1.4.
func pathCovers(cookie, request string) bool {
	if cookie == "" || cookie == "/" || cookie == request {
		return true
	}
	return strings.HasPrefix(request, strings.TrimSuffix(cookie, "/")+"/")
}

// anySecure reports whether the server takes this connection for https.
func (c cookies) anySecure() bool {
	for _, have := range c {
		if have.Secure {
			return true
		}
	}
	return false
}
