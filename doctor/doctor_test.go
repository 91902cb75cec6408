package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/internal/problem"
)

func TestEverythingGood(t *testing.T) {
	f := good()
	target := f.start(t)
	var told []string
	findings := Run(context.Background(), target, func(f problem.Finding) { told = append(told, f.ID) })
	for _, f := range findings {
		if f.Level != problem.OK {
			t.Errorf("%s: %s: %s", f.ID, f.Level, f.Found)
		}
		if f.Title == "" || f.Found == "" {
			t.Errorf("%s lacks its title or what was seen: %+v", f.ID, f)
		}
	}
	if len(told) != len(findings) || len(told) < 11 {
		t.Errorf("told of %d findings, returned %d", len(told), len(findings))
	}
}

// TestSpoilt spoils one thing at a time and looks at the one check that is there for it.
func TestSpoilt(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); io.WriteString(w, body) }
	}
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}
	}
	cookie := func(secure, httpOnly bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { setSession(w, secure, httpOnly) }
	}
	for _, c := range []struct {
		name  string
		spoil func(*front)
		id    string
		level problem.Level
		seen  string
	}{
		{"unknown authority", func(f *front) { f.chain = false }, "tls.chain", problem.Fail, "not a root known here"},
		{"other name", func(f *front) { f.hosts = []string{"other.test"} }, "tls.name", problem.Fail, "other.test"},
		{"ends soon", func(f *front) { f.days, f.issued = 90, time.Now().UTC().AddDate(0, 0, -81) }, "tls.dates", problem.Warn, "ends in 8 days"},
		{"short and young", func(f *front) { f.days = 6 }, "tls.dates", problem.OK, "valid until"},
		{"short and half over", func(f *front) { f.days, f.issued = 6, time.Now().UTC().AddDate(0, 0, -4) }, "tls.dates", problem.Warn, "ends in 47 hours"},
		{"ended", func(f *front) { f.days, f.issued = 10, time.Now().UTC().AddDate(0, 0, -20) }, "tls.dates", problem.Fail, "ended on"},
		{"ended is not a chain fault", func(f *front) { f.days, f.issued = 10, time.Now().UTC().AddDate(0, 0, -20) }, "tls.chain", problem.OK, "issued by"},
		{"not valid yet", func(f *front) { f.issued = time.Now().UTC().AddDate(0, 0, 20) }, "tls.dates", problem.Fail, "valid only from"},
		{"old protocol accepted", func(f *front) { f.config.MinVersion = tls.VersionTLS10 }, "tls.protocol", problem.Warn, "TLS 1.1 is still accepted"},
		{"old protocol only", func(f *front) { f.config.MinVersion, f.config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "tls.connect", problem.Fail, "protocol version"},

		{"no redirect of /", func(f *front) { f.handle["/"] = answer(404, "") }, "redirect.root", problem.Fail, "no redirect"},
		{"/ is another application's", func(f *front) { f.handle["/"] = answer(200, "portal") }, "redirect.root", problem.Note, "something else has the root"},
		{"/ leads elsewhere", func(f *front) { f.handle["/"] = to("http://git.test:7990/bitbucket/") }, "redirect.root", problem.Fail, "http://git.test:7990"},
		{"path with the same beginning", func(f *front) { f.handle["/"] = to("/bitbucket2/") }, "redirect.root", problem.Fail, "/bitbucket2/"},
		{"connector leaks its port", func(f *front) { f.handle["/bitbucket/"] = to("http://git.test:7990/bitbucket/login") }, "redirect.landing", problem.Fail, "http://git.test:7990"},
		{"internal name", func(f *front) { f.handle["/bitbucket/"] = to("http://node1.internal/bitbucket/login") }, "redirect.landing", problem.Fail, "node1.internal"},
		{"loop", func(f *front) { f.handle["/bitbucket/"] = to("/bitbucket/") }, "redirect.landing", problem.Fail, "redirect loop"},
		{"endless redirects", func(f *front) {
			f.handle["/bitbucket/"] = func(w http.ResponseWriter, r *http.Request) {
				n, _ := strconv.Atoi(r.URL.RawQuery)
				to(fmt.Sprintf("/bitbucket/?%d", n+1))(w, r)
			}
		}, "redirect.landing", problem.Fail, "redirect loop"},
		{"single sign-on", func(f *front) { f.handle["/bitbucket/"] = to("https://sso.test/login") }, "redirect.landing", problem.Note, "handed over to https://sso.test"},
		{"error page", func(f *front) { f.handle["/bitbucket/login"] = answer(502, "") }, "redirect.landing", problem.Fail, "HTTP 502"},

		{"wrong context", func(f *front) { f.handle["/bitbucket/status"] = answer(404, "<html>") }, "status", problem.Fail, "HTTP 404"},
		{"no upstream", func(f *front) { f.handle["/bitbucket/status"] = answer(503, "<html>") }, "status", problem.Fail, "HTTP 503"},
		{"starting", func(f *front) { f.handle["/bitbucket/status"] = answer(503, `{"state":"STARTING"}`) }, "status", problem.Fail, "STARTING"},
		{"first run", func(f *front) { f.handle["/bitbucket/status"] = answer(200, `{"state":"FIRST_RUN"}`) }, "status", problem.Note, "FIRST_RUN"},
		{"maintenance", func(f *front) { f.handle["/bitbucket/status"] = answer(200, `{"state":"MAINTENANCE"}`) }, "status", problem.Warn, "MAINTENANCE"},

		{"base URL is the old one", func(f *front) {
			f.handle["/bitbucket/rest/applinks/1.0/manifest"] = answer(200, `<manifest><typeId>stash</typeId><url>http://git.test:7990</url></manifest>`)
		}, "base-url", problem.Fail, "http://git.test:7990, but the public URL is"},
		{"base URL is not told", func(f *front) {
			f.handle["/bitbucket/rest/applinks/1.0/manifest"] = answer(401, "")
			f.handle["/bitbucket/rest/applinks/3.0/manifest"] = answer(401, "")
		}, "base-url", problem.Note, "unknown: the applinks manifest is not served"},
		{"nobody to ask for the base URL", func(f *front) {
			f.handle["/bitbucket/rest/applinks/1.0/manifest"] = answer(503, "")
			f.handle["/bitbucket/rest/applinks/3.0/manifest"] = answer(503, "")
		}, "base-url", problem.Note, "not checked: "},
		{"base URL over TLS that is not trusted", func(f *front) { f.chain = false }, "base-url", problem.Note, "not checked: "},

		{"session without Secure", func(f *front) { f.handle["/bitbucket/"] = cookie(false, true) }, "cookie", problem.Fail, "lacks Secure"},
		{"session without HttpOnly", func(f *front) { f.handle["/bitbucket/"] = cookie(true, false) }, "cookie", problem.Fail, "lacks HttpOnly"},
		{"cookie of the login page", func(f *front) {
			f.handle["/bitbucket/"] = answer(200, "")
			f.handle["/bitbucket/login"] = cookie(false, false)
		}, "cookie", problem.Fail, "/login lacks Secure and HttpOnly"},
		{"other cookie", func(f *front) {
			f.handle["/bitbucket/"] = func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "remember", Value: "1"})
			}
		}, "cookie", problem.Warn, "remember"},
		{"nobody to set a cookie", func(f *front) {
			f.handle["/bitbucket/"], f.handle["/bitbucket/login"] = answer(503, ""), answer(503, "")
		}, "cookie", problem.Note, "not checked, because the front answers HTTP 503"},
		{"no cookie", func(f *front) { f.handle["/bitbucket/"] = answer(200, "") }, "cookie", problem.Note, "no cookie"},

		{"clone address of the connector", func(f *front) {
			f.handle["/bitbucket/rest/api/1.0/repos"] = func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, `{"values":[`+f.repoJSON("http://git.test:7990")+`]}`)
			}
		}, "clone-url", problem.Fail, "http://git.test:7990/bitbucket/scm/proj/repo.git"},
		{"no public repository", func(f *front) { f.handle["/bitbucket/rest/api/1.0/repos"] = answer(200, `{"values":[]}`) }, "clone-url", problem.Note, "no public repository"},
		{"nothing for anonymous", func(f *front) { f.handle["/bitbucket/rest/api/1.0/repos"] = answer(401, ``) }, "clone-url", problem.Note, "HTTP 401"},
		{"REST is an HTML page", func(f *front) { f.handle["/bitbucket/rest/api/1.0/repos"] = answer(200, `<html>`) }, "clone-url", problem.Fail, "not JSON"},
		{"REST broken", func(f *front) { f.handle["/bitbucket/rest/api/1.0/repos"] = answer(500, ``) }, "clone-url", problem.Fail, "HTTP 500"},

		{"XSRF", func(f *front) {
			f.handle["/bitbucket/rest/api/1.0/application-properties"] = answer(403, `{"errors":[{"message":"XSRF check failed"}]}`)
		}, "xsrf", problem.Fail, "XSRF check failed"},
		{"token ignored", func(f *front) {
			f.handle["/bitbucket/rest/api/1.0/application-properties"] = answer(200, `{"version":"9.4.16"}`)
		}, "auth", problem.Fail, "as if there were none"},
		{"old Stash knows no tokens", func(f *front) {
			f.handle["/bitbucket/rest/api/1.0/application-properties"] = answer(200, `{"version":"4.14.12"}`)
		}, "auth", problem.OK, "knows no access tokens"},
		{"password of the front", func(f *front) {
			f.handle["/bitbucket/rest/api/1.0/application-properties"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", "Basic")
				w.WriteHeader(401)
			}
		}, "auth", problem.Fail, "a password of its own"},
		{"body limit", func(f *front) { f.handle["/bitbucket/scm/bitgate/check.git/git-receive-pack"] = answer(413, "") }, "push", problem.Fail, "HTTP 413"},
		{"body wanted", func(f *front) {
			f.handle["/bitbucket/scm/bitgate/check.git/git-receive-pack"] = func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }
		}, "push", problem.OK, "may be sent"},
		{"no chunks", func(f *front) { f.handle["/bitbucket/scm/bitgate/check.git/git-receive-pack"] = answer(411, "") }, "push.chunked", problem.Fail, "HTTP 411"},
		{"small header fields", func(f *front) {
			f.handle["/bitbucket/status"] = func(w http.ResponseWriter, r *http.Request) {
				if len(r.Header.Get("X-Bitgate-Check")) > 4096 {
					w.WriteHeader(400)
				}
				io.WriteString(w, `{"state":"RUNNING"}`)
			}
		}, "header", problem.Fail, "6 KiB is answered HTTP 400"},

		{"old path gone", func(f *front) { f.target = oldPath("/stash") }, "old-path", problem.Warn, "HTTP 404"},
		{"old root path gone", func(f *front) { f.target = oldPath("/") }, "old-path", problem.Warn, "HTTP 404"},
		{"old path redirected", func(f *front) {
			f.target = oldPath("/stash")
			f.handle["/stash/scm/bitgate/check.git/info/refs"] = to("/bitbucket/scm/bitgate/check.git/info/refs?service=git-upload-pack")
		}, "old-path", problem.OK, "leads to"},
		{"old path redirected to the start page", func(f *front) {
			f.target = oldPath("/stash")
			f.handle["/stash/scm/bitgate/check.git/info/refs"] = to("/bitbucket/")
		}, "old-path", problem.Warn, "not to the same repository"},
		{"CA file is no PEM", func(f *front) { f.target = func(t *Target) { t.CAFile = "/dev/null" } }, "tls.connect", problem.Fail, "--ca-file"},
		{"nobody listens", func(f *front) { f.target = func(t *Target) { t.Connect = unused() } }, "tls.connect", problem.Fail, "refused"},
		{"no TLS, no further blame", func(f *front) { f.target = func(t *Target) { t.Connect = unused() } }, "status", problem.Note, "not checked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			c.spoil(f)
			wants(t, find(t, Run(context.Background(), f.start(t), nil), c.id), c.level, c.seen)
		})
	}
}

func oldPath(p string) func(*Target) { return func(t *Target) { t.OldPath = p } }

// unused is an address nobody listens on: port 1 of the loopback address.
func unused() string { return "127.0.0.1:1" }

func TestRootContextNeedsNoRedirect(t *testing.T) {
	f := good()
	f.context = ""
	f.handle["/"] = func(w http.ResponseWriter, _ *http.Request) { setSession(w, true, true) }
	for _, x := range Run(context.Background(), f.start(t), nil) {
		if x.ID == "redirect.root" || x.Level != problem.OK {
			t.Errorf("%s: %s %s", x.ID, x.Level, x.Found)
		}
	}
}

func TestPlainRedirect(t *testing.T) {
	for _, c := range []struct {
		name     string
		location func(origin string, r *http.Request) string
		level    problem.Level
		seen     string
	}{
		{"good", func(o string, r *http.Request) string { return o + r.URL.RequestURI() }, problem.OK, "HTTP 301"},
		{"loses the path", func(o string, _ *http.Request) string { return o + "/bitbucket/" }, problem.Warn, "instead of"},
		{"stays on http", func(_ string, r *http.Request) string { return "http://git.test:7990" + r.URL.Path }, problem.Fail, "http://git.test:7990"},
		{"none", func(string, *http.Request) string { return "" }, problem.Fail, "no redirect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			target := f.start(t)
			plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if l := c.location(f.origin, r); l != "" {
					w.Header().Set("Location", l)
					w.WriteHeader(http.StatusMovedPermanently)
				}
			}))
			defer plain.Close()
			target.RedirectPort = plain.Listener.Addr().(*net.TCPAddr).Port
			wants(t, find(t, Run(context.Background(), target, nil), "redirect.http"), c.level, c.seen)
		})
	}
}

// Where port 80 belongs to another program the redirect is not ours to have.
func TestOptionalRedirectIsANote(t *testing.T) {
	target := good().start(t)
	target.RedirectPort, target.RedirectOptional = 1, true
	got := find(t, Run(context.Background(), target, nil), "redirect.http")
	wants(t, got, problem.Note, "refused")
	if got.Do == "" {
		t.Error("no advice")
	}
}

func TestSSH(t *testing.T) {
	for _, c := range []struct {
		banner string
		level  problem.Level
		seen   string
	}{
		{"SSH-2.0-APACHE-SSHD-2.12.0\r\n", problem.OK, "APACHE-SSHD"},
		{"hello\r\nSSH-2.0-SSHD-UNKNOWN\r\n", problem.OK, "SSHD-UNKNOWN"},
		{"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", problem.Warn, "own SSH server"},
		{"SSH-1.5-old\r\n", problem.Fail, "not SSH 2"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", problem.Fail, "does not speak SSH"},
		{"", problem.Fail, "does not speak SSH"},
	} {
		t.Run(strings.TrimSpace(c.banner), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if conn, err := l.Accept(); err == nil {
					io.WriteString(conn, c.banner)
					conn.Close()
				}
			}()
			target := good().start(t)
			target.SSHAddr = l.Addr().String()
			wants(t, find(t, Run(context.Background(), target, nil), "ssh"), c.level, c.seen)
		})
	}
}

func TestCancelledRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	findings := Run(ctx, good().start(t), func(problem.Finding) { cancel() })
	if len(findings) != 1 {
		t.Errorf("%d findings after the run was cancelled at the first", len(findings))
	}
}

// TestStoppedChecks: what was under way when somebody stopped the checks found nothing.
func TestStoppedChecks(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	f := good()
	f.handle["/bitbucket/status"] = func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}
	findings := Run(ctx, f.start(t), nil)
	if ctx.Err() == nil {
		t.Fatal("never asked")
	}
	for _, f := range findings {
		if f.Level != problem.OK {
			t.Errorf("%s: %s: %s", f.ID, f.Level, f.Found)
		}
	}
}
