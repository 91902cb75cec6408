package bitbucket

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"bitgate/internal/problem"
)

// settingsPage holds name, base URL and SSH settings in all generations.
const settingsPage = "/admin/server-settings"

// Session is a logged-in administrator. Its errors are *problem.Error with
// kind Credentials where the account is the reason (wrong password, CAPTCHA,
// Basic off, token on an admin page, WebSudo refused, second factor). It keeps
// the Secret it was given, for WebSudo; wipe that when done with the session.
// A Session is for one goroutine.
type Session struct {
	client   *Client
	user     string
	password Secret
	method   Method // as asked for
	confAPI  bool   // whether the plugin answers this account
	cookies  cookies
	seenAs   string // origin the server takes itself for, by an absolute redirect
	sudoErr  error  // why WebSudo refused the password, which then is never sent again
}

func (s *Session) base() string { return s.client.base.String() }

// request builds a request for a path under the base.
func (s *Session) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, s.client.at(path).String(), body)
}

// send sends with the session's cookies and keeps the ones that come back.
func (s *Session) send(req *http.Request) (answer, error) {
	s.cookies.add(req)
	a, err := send(s.client.cred, req)
	if err != nil {
		return a, err
	}
	s.cookies.take(a.header, time.Now())
	if to := a.location(); to != nil && originOf(to) != originOf(s.client.base) && pathCovers(s.client.base.Path, to.Path) {
		s.seenAs = originOf(to)
	}
	return a, nil
}

func (s *Session) get(ctx context.Context, path, accept string) (answer, error) {
	req, err := s.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", accept)
	return s.send(req)
}

// post sends a form as the page would: Bitbucket compares Origin and Referer
// with its own address against forged requests (XSRF).
func (s *Session) post(ctx context.Context, path, origin string, body *secretBody) (answer, error) {
	req, err := s.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = int64(body.Len())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("X-Atlassian-Token", "no-check")
	if origin != "" {
		req.Header.Set("Origin", origin)
		req.Header.Set("Referer", origin+req.URL.Path)
	}
	return s.send(req)
}

// origin is the address Bitbucket most likely takes itself for. It is the one
// in use, unless a redirect named another, or a Secure cookie over plain HTTP
// shows that the connector already stands behind https.
func (s *Session) origin(ctx context.Context) string {
	if s.seenAs != "" {
		return s.seenAs
	}
	if s.client.base.Scheme == "http" && s.cookies.anySecure() {
		if text, err := s.client.PublicBaseURL(ctx); err == nil && strings.HasPrefix(text, "https:") {
			if u, err := url.Parse(text); err == nil {
				return originOf(u)
			}
		}
	}
	return originOf(s.client.base)
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// page GETs an administration page and passes WebSudo on the way.
func (s *Session) page(ctx context.Context, where string) (answer, error) {
	asked := []string{where}
	for {
		a, err := s.get(ctx, where, "text/html,application/xhtml+xml")
		if err != nil {
			return a, err
		}
		to := a.location()
		switch {
		case leadsTo(to, "login"), a.status == http.StatusOK && isLoginPage(a.body):
			return a, noSession(s.base(), s.user)
		case leadsTo(to, "websudo"), a.status == http.StatusOK && isWebSudoPage(a.body):
			if slices.Contains(asked, "websudo") {
				return a, webSudoRefused(s.base(), s.user, "it asks again after the password was accepted")
			}
			asked = append(asked, "websudo")
			if err := s.webSudo(ctx, to); err != nil {
				return a, err
			}
		case to != nil:
			next, ok := s.within(to)
			if !ok || slices.Contains(asked, next) {
				return a, problem.New(fmt.Sprintf("%s redirects to %s", a.url, to),
					"that is not the page, and bitgate does not carry a session to another address", "check the address and the context path")
			}
			where, asked = next, append(asked, next)
		default:
			return a, s.pageError(a)
		}
	}
}

// pageError judges the status of a page that is no redirect.
func (s *Session) pageError(a answer) error {
	if p := refusalIn(a, s.base(), s.user); p != nil {
		return p
	}
	switch {
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusUnauthorized:
		return noSession(s.base(), s.user)
	case a.status == http.StatusForbidden:
		return notAdmin(s.base(), s.user)
	case a.status == http.StatusNotFound:
		return problem.New(fmt.Sprintf("%s answers HTTP 404", a.url),
			"the page exists in every version: the context path may be wrong", "check the address and the context path")
	}
	return unwell(a)
}

// unwell is an answer that says nothing about the account.
func unwell(a answer) error {
	return problem.New(fmt.Sprintf("%s answers HTTP %d", a.url, a.status), "", "look into Bitbucket's log")
}

// within turns a redirect inside the base into a path under it. Another origin
// is refused, even the public one: it may not lead back to this server.
func (s *Session) within(to *url.URL) (string, bool) {
	if originOf(to) != originOf(s.client.base) {
		return "", false
	}
	rest, ok := strings.CutPrefix(to.Path, s.client.base.Path)
	if to.RawQuery != "" {
		rest += "?" + to.RawQuery
	}
	return rest, ok && strings.HasPrefix(rest, "/")
}

// leadsTo judges a redirect by the last element of its path, whatever the host
// in it: behind a front Bitbucket names its public one.
func leadsTo(to *url.URL, word string) bool {
	return to != nil && path.Base(to.Path) == word
}
