package bitbucket_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

const (
	newURL    = "https://git.example.com/bitbucket"
	newSSHURL = "ssh://git.example.com:7999"
	password  = "c0rrect horse=&\"ä"
)

// start runs a stand-in Bitbucket.
func start(t *testing.T, o bitbuckettest.Options) *bitbuckettest.Server {
	t.Helper()
	o.Dir, o.AdminPassword = t.TempDir(), password
	srv, err := bitbuckettest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	return srv
}

func client(t *testing.T, srv *bitbuckettest.Server) *bitbucket.Client {
	t.Helper()
	c, err := bitbucket.NewClient(srv.Upstream()+srv.ContextPath(), bitbucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func logIn(t *testing.T, srv *bitbuckettest.Server, m bitbucket.Method) *bitbucket.Session {
	t.Helper()
	s, err := client(t, srv).Login(t.Context(), "admin", bitbucket.NewSecret([]byte(password)), m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// versions has each kind of login, form and file layout.
var versions = []string{"3.1.7", "3.7.4", "3.11.6", "4.14.12", "5.16.11", "7.21.23", "8.9.20", "8.19.12", "9.4.16", "10.0.2"}

// TestChangeAndTakeBack is the whole way through every generation: change both
// addresses, put Bitbucket behind the front, and take the change back over the
// upstream, whose connector now believes in the public address.
func TestChangeAndTakeBack(t *testing.T) {
	for n, version := range versions {
		o := bitbuckettest.Options{Version: version, RelativeRedirects: n%2 == 0, NoManifest: n%3 == 0}
		if n%2 == 1 {
			o.Context = "/bitbucket"
		}
		t.Run(version, func(t *testing.T) {
			srv := start(t, o)
			c := client(t, srv)
			if state, detail := c.Status(t.Context()); state != bitbucket.Running {
				t.Fatalf("%s (%s)", state, detail)
			}
			if got, _, err := c.Version(t.Context()); err != nil || got != version {
				t.Errorf("version %q, %v", got, err)
			}
			if got, err := c.PublicBaseURL(t.Context()); errors.Is(err, bitbucket.ErrNotTold) != o.NoManifest || err == nil && got != srv.BaseURL() {
				t.Errorf("base URL %q, %v", got, err)
			}
			before := srv.Fields()
			s := logIn(t, srv, bitbucket.MethodAuto)
			got, err := s.Settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.BaseURL != before["baseURL"] || !got.SSHEnabled || got.SSHBaseURL != "ssh://127.0.0.1:"+before["sshPort"] ||
				got.Method != bitbucket.MethodForm || len(got.AppLinks) != 2 || got.AppLinks[1].String() != "Jira (https://jira.example.com)" {
				t.Errorf("settings %+v", got)
			}
			field := func(want string) {
				t.Helper()
				if got, err := s.SSHField(t.Context()); err != nil || got != want {
					t.Errorf("the field of the SSH base URL: %q, %v, want %q", got, err, want)
				}
			}
			field("") // whatever the effective one is
			if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: newURL, SSH: new(newSSHURL)}); err != nil {
				t.Fatal(err)
			}
			field(newSSHURL)
			want := maps.Clone(before)
			want["baseURL"], want["sshBaseURL"] = newURL, newSSHURL
			if d := cmp.Diff(want, srv.Fields()); d != "" {
				t.Error(d)
			}

			putBehindFront(t, srv, version)
			s = logIn(t, srv, bitbucket.MethodForm)
			if err := s.SetURLs(t.Context(), bitbucket.URLs{Base: before["baseURL"]}); err != nil {
				t.Fatal(err)
			}
			want["baseURL"] = before["baseURL"]
			if d := cmp.Diff(want, srv.Fields()); d != "" {
				t.Error(d)
			}
			if err := s.SetURLs(t.Context(), bitbucket.URLs{SSH: new("")}); err != nil {
				t.Fatal(err)
			}
			field("")
			if d := cmp.Diff(before, srv.Fields()); d != "" {
				t.Error(d)
			}
			if n := srv.FailedLogins(); n > 0 {
				t.Errorf("%d failed logins", n)
			}
		})
	}
}

// putBehindFront edits the connector as a front needs it and restarts.
func putBehindFront(t *testing.T, srv *bitbuckettest.Server, version string) {
	t.Helper()
	in, err := bitbucket.Detect(t.Context(), bitbucket.Search{Home: srv.Home(), Install: srv.InstallDir(), Proc: t.TempDir(), Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if in.Version != version || in.Why["Version"] == "given" {
		t.Errorf("detected version %q (%s)", in.Version, in.Why["Version"])
	}
	l, err := in.Layout()
	if err != nil {
		t.Fatal(err)
	}
	file := l.Properties
	if !l.UsesProperties() {
		file = l.ServerXML
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if l.UsesProperties() {
		text += "\nserver.proxy-name=git.example.com\nserver.proxy-port=443\nserver.scheme=https\nserver.secure=true\n"
	} else {
		live := regexp.MustCompile(`(?m)^(\s*<Connector) (port)`)
		text = live.ReplaceAllString(text, `$1 proxyName="git.example.com" proxyPort="443" scheme="https" secure="true" $2`)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	res, err := peers.Client.Get(srv.Upstream() + srv.ContextPath() + "/login")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if len(res.Cookies()) == 0 || !res.Cookies()[0].Secure {
		t.Errorf("the connector in %s does not believe in https: cookies %v", file, res.Cookies())
	}
}

// A strict server compares Origin and Referer of each form with its own idea of
// its address, which is the public one once the connector stands behind the front.
func TestOriginIsTheServersOwn(t *testing.T) {
	for name, o := range map[string]bitbuckettest.Options{
		"by an absolute redirect":                  {Version: "9.4.16", NoManifest: true},
		"by Secure cookie and manifest":            {Version: "10.0.2", RelativeRedirects: true},
		"by the stored base URL, after a refusal":  {Version: "7.21.23", RelativeRedirects: true, NoManifest: true},
		"by the stored base URL, in Stash as well": {Version: "3.11.6", RelativeRedirects: true, NoManifest: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Context = "/bitbucket"
			srv := start(t, o)
			old := srv.BaseURL()
			origin := srv.Upstream()
			srv.SetMiddleware(func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					guarded := r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/server-settings") || strings.HasSuffix(r.URL.Path, "/websudo"))
					if guarded && (r.Header.Get("Origin") != origin || r.Referer() != origin+r.URL.Path || r.Header.Get("X-Atlassian-Token") != "no-check") {
						http.Error(w, "XSRF check failed", http.StatusForbidden)
						return
					}
					h.ServeHTTP(w, r)
				})
			})
			if err := logIn(t, srv, bitbucket.MethodForm).SetURLs(t.Context(), bitbucket.URLs{Base: newURL}); err != nil {
				t.Fatalf("at the old address: %v", err)
			}
			putBehindFront(t, srv, o.Version)
			origin = "https://git.example.com"
			if err := logIn(t, srv, bitbucket.MethodForm).SetURLs(t.Context(), bitbucket.URLs{Base: old}); err != nil || srv.BaseURL() != old {
				t.Errorf("behind the front: %v, base URL %s", err, srv.BaseURL())
			}
			origin = "https://nobody.example.com"
			if o.Version == "3.11.6" {
				err := logIn(t, srv, bitbucket.MethodForm).SetURLs(t.Context(), bitbucket.URLs{Base: newURL})
				if !errors.Is(err, bitbucket.ErrNotApplied) || !strings.Contains(err.Error(), "XSRF") {
					t.Errorf("refused everywhere: %v", err)
				}
			}
		})
	}
}

func TestDetectTheStandIn(t *testing.T) {
	for _, version := range versions {
		srv := start(t, bitbuckettest.Options{Version: version})
		in, err := bitbucket.Detect(t.Context(), bitbucket.Search{Install: srv.InstallDir(), Proc: t.TempDir(), Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if in.Home != srv.Home() || in.Version != version {
			t.Errorf("%s: home %q, version %q", version, in.Home, in.Version)
		}
		l, err := in.Layout()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range slices.DeleteFunc([]string{l.ServerXML, l.Properties}, func(s string) bool { return s == "" }) {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s: %v", version, filepath.Base(file), err)
			}
		}
	}
}
