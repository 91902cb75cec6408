package bitbuckettest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
)

// captchaAfter is auth.captcha.max.attempts' default.
const captchaAfter = 5

// account is the administrator, the only user.
type account struct {
	user, password     string
	attempts, failures int
}

type verdict int

const (
	accepted verdict = iota
	wrongPassword
	captchaNeeded
)

// checkPassword judges one presented password and counts it.
func (s *Server) checkPassword(user, password string) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.account
	a.attempts++
	if a.failures >= captchaAfter && user == a.user {
		return captchaNeeded
	}
	if user == a.user && subtle.ConstantTimeCompare([]byte(password), []byte(a.password)) == 1 {
		a.failures = 0
		return accepted
	}
	if user == a.user {
		a.failures++
	}
	return wrongPassword
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}
