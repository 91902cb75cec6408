package bitbuckettest

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Request is one HTTP request as it was answered.
type Request struct {
	Method string
	Path   string // with the context path, without the query
	Status int    // 0: the connection was dropped without an answer
}

// match names requests by method and the end of their path.
type match struct{ method, suffix string }

// BaseURL is the stored base URL.
func (s *Server) BaseURL() string { return s.Fields()["baseURL"] }

// SSHBaseURL is the stored SSH base URL.
func (s *Server) SSHBaseURL() string { return s.Fields()["sshBaseURL"] }

// Fields are all server settings by a name that is the same in every version
// (baseURL, title, sshEnabled, sshPort, sshBaseURL, ...). The copy is the caller's.
func (s *Server) Fields() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.settings.values)
}

// SetField changes one setting behind the form's back, as another
// administrator would.
func (s *Server) SetField(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings.values[key] = value
}

// State is what /status reports now; "" while down.
func (s *Server) State() string {
	if i := s.instance(); i != nil {
		return i.state()
	}
	return ""
}

// SetState sets what /status reports until the next restart.
func (s *Server) SetState(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// FailNextStart makes the next start fail with err; nil takes that back.
func (s *Server) FailNextStart(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failNext = err
}

// SetMiddleware replaces what stands in front of everything, also while running.
func (s *Server) SetMiddleware(m func(http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.middleware = m
}

// DropNext lets the next request with this method ("" any) and end of path do
// its work and then closes the connection without an answer.
func (s *Server) DropNext(method, pathSuffix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drops = append(s.drops, match{method, pathSuffix})
}

func (s *Server) takeDrop(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, d := range s.drops {
		if (d.method == "" || d.method == r.Method) && strings.HasSuffix(r.URL.Path, d.suffix) {
			s.drops = slices.Delete(s.drops, n, n+1)
			return true
		}
	}
	return false
}

// Requests are the last thousand requests, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 1000 {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, r)
}

// LoginAttempts counts the passwords that were presented, right or wrong.
func (s *Server) LoginAttempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.attempts
}

// FailedLogins counts wrong passwords since the last right one; from five on
// every password is refused until a CAPTCHA is solved.
func (s *Server) FailedLogins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.failures
}

// ClearCaptcha forgets the failed logins.
func (s *Server) ClearCaptcha() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.failures = 0
}

// Token is an HTTP access token of the administrator (Bearer). It opens
// repositories, but holds no global permission.
func (s *Server) Token() string { return s.token }

// RepoPath is the path of the repository's HTTP clone URL under the context
// path; "" where the machine has no git.
func (s *Server) RepoPath() string {
	if s.git == "" {
		return ""
	}
	return "/scm/proj/repo.git"
}

// SSHRepoPath is the path of the repository's SSH clone URL.
func (s *Server) SSHRepoPath() string { return "/proj/repo.git" }

// SSHAddr is where its SSH server listens; "" while it does not.
func (s *Server) SSHAddr() string {
	if i := s.instance(); i != nil {
		return i.ssh.addr()
	}
	return ""
}

// ErrDown is for FailNextStart where a test needs no reason of its own.
var ErrDown = errors.New("the next start was told to fail")
