package bitbuckettest

import (
	"cmp"
	"net/http"
	"sync"
	"time"
)

// session is one browser. A session exists before its login, for the token of
// the forms; the login changes its id.
type session struct {
	id, token string
	user      string    // "" before the login
	sudoUntil time.Time // secure administrator session
}

// sessions are gone with the instance, as they are in a single node.
type sessions struct {
	mu sync.Mutex
	m  map[string]*session
}

func newSessions() *sessions { return &sessions{m: map[string]*session{}} }

// find returns a copy of the caller's session.
func (s *sessions) find(r *http.Request, cookie string) (session, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return session{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.m[c.Value]
	if !ok {
		return session{}, false
	}
	return *found, true
}

// create opens a session for user and forgets the old one.
func (s *sessions) create(user, old string) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, old)
	n := &session{id: randomHex(16), token: randomHex(20), user: user}
	s.m[n.id] = n
	return *n
}

// elevate begins or renews the ten minutes of a secure administrator session.
func (s *sessions) elevate(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.m[id]; ok {
		found.sudoUntil = time.Now().Add(10 * time.Minute)
	}
}

func (s *sessions) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, id)
}

// setCookie sends the session as Tomcat does: the cookie's path is the context,
// and it is Secure when the connector says so.
func (x *exchange) setCookie(n session) {
	path := cmp.Or(x.i.cfg.context, "/")
	http.SetCookie(x.w, &http.Cookie{
		Name: x.i.srv.gen.cookie(), Value: n.id, Path: path, HttpOnly: true, Secure: x.belief.secure,
	})
}
