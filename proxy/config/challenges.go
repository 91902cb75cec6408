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
)

// KeyAuthorization is the answer to http-01 at a path. Anything but a token is
// nobody's challenge, and nothing of it comes back.
func (c *Config) KeyAuthorization(method, path string) (answer string, asked bool) {
	t, asked := challenged(method, path)
	if c.Thumbprint == "" || !asked {
		return "", false
	}
	return t + "." + c.Thumbprint, true
}

// PassedOn reports whether the renewer answers this request on the port for plain HTTP.
func (c *Config) PassedOn(method, path string) bool {
	_, asked := challenged(method, path)
	return asked && c.Renewer != ""
}

func challenged(method, path string) (t string, asked bool) {
	t, under := strings.CutPrefix(path, ChallengePath)
	return t, under && token().MatchString(t) && (method == "GET" || method == "HEAD")
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
