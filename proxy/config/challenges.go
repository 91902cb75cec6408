package config

import (
	"path/filepath"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/pattern"
)

// ChallengePath is where http-01 is asked (RFC 8555, 8.3).
const ChallengePath = "/.well-known/acme-challenge/"

var (
	// thumbprint is SHA-256 in base64url (RFC 7638, RFC 8555, 8.1).
	thumbprint = pattern.Lazy(`^[A-Za-z0-9_-]{43}$`)
	// token is base64url of at least 128 bits, and of no more than any authority sends.
	token = pattern.Lazy(`^[A-Za-z0-9_-]{16,256}$`)
	// segment is one segment of a path that leads nowhere else: a token, or the name of
	// a file by which a person or a client tries the way beforehand.
	segment = pattern.Lazy(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,255}$`)
)

// KeyAuthorization is the answer to http-01 at a path. Anything but a token is
// nobody's challenge, and nothing of it comes back.
func (c *Config) KeyAuthorization(method, path string) (answer string, asked bool) {
	t := challenged(method, path)
	if c.Thumbprint == "" || !token().MatchString(t) {
		return "", false
	}
	return t + "." + c.Thumbprint, true
}

// PassedOn reports whether the renewer answers this request on the port for plain HTTP.
// Which tokens are valid is for it to say, however short they are.
func (c *Config) PassedOn(method, path string) bool {
	return c.Renewer != "" && segment().MatchString(challenged(method, path))
}

// challenged is what is asked for below ChallengePath, "" for anything else.
func challenged(method, path string) string {
	if t, under := strings.CutPrefix(path, ChallengePath); under && (method == "GET" || method == "HEAD") {
		return t
	}
	return ""
}

func (c Config) validateChallenges(note noter) {
	if c.Thumbprint != "" && !thumbprint().MatchString(c.Thumbprint) {
		note("acme-thumbprint", "%q is not the thumbprint of a key (43 characters)", c.Thumbprint)
	}
	if _, err := hostport.Dial(c.Renewer); c.Renewer != "" && err != nil {
		note("acme-renewer", "%q is not host:port", c.Renewer)
	}
	if c.ChallengesOnly && (c.Thumbprint == "" || len(c.RedirectListen) == 0) {
		note("acme-only", "has nothing to answer without acme-thumbprint and redirect-listen")
	}
	if f := c.ChallengeFolder; f != "" && !filepath.IsAbs(f) {
		note("acme-challenges", "%q is not a full path", f)
	}
}
