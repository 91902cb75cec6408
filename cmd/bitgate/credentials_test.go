package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// site is a running stand-in in this process.
func site(t *testing.T) *bitbuckettest.Server {
	t.Helper()
	s, err := bitbuckettest.New(bitbuckettest.Options{Dir: t.TempDir(), Version: "9.4.16", AdminPassword: "right"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// typist answers the prompt with one word after the other.
func typist(words ...string) (func(context.Context, string) ([]byte, error), *int) {
	asked := 0
	return func(context.Context, string) ([]byte, error) {
		asked++
		if asked > len(words) {
			return nil, io.EOF
		}
		return []byte(words[asked-1]), nil
	}, &asked
}

func testProcess(env map[string]string, in string) *process {
	p := &process{In: strings.NewReader(in), Out: io.Discard, Err: io.Discard, Env: func(n string) (string, bool) { v, set := env[n]; return v, set }}
	p.start()
	return p
}

// TestTypedPassword: three typings at most, each tried once.
func TestTypedPassword(t *testing.T) {
	for _, c := range []struct {
		name     string
		typed    []string
		kind     problem.Kind
		good     bool
		asked    int
		attempts int
	}{
		{"right at once", []string{"right"}, 0, true, 1, 1},
		{"right at last", []string{"a", "b", "right"}, 0, true, 3, 3},
		{"never right", []string{"a", "b", "c", "right"}, problem.Credentials, false, 3, 3},
		{"left", []string{"a"}, problem.Cancelled, false, 2, 1},
		{"empty line", []string{""}, problem.Cancelled, false, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t)
			p := testProcess(nil, "")
			prompt, asked := typist(c.typed...)
			p.ReadPassword = prompt
			creds := newCredentials(p, setup.Answers{AdminUser: "admin"})
			defer creds.wipe()
			session, err := creds.Login(background(t), s.Upstream())
			if (err == nil) != c.good || !c.good && problem.KindOf(err) != c.kind {
				t.Errorf("%v, kind %d", err, problem.KindOf(err))
			}
			if *asked != c.asked || s.LoginAttempts() < c.attempts || !c.good && s.LoginAttempts() != c.attempts {
				t.Errorf("asked %d times, %d attempts", *asked, s.LoginAttempts())
			}
			if !c.good {
				return
			}
			// The session is used again; the password is not even sent.
			before := s.LoginAttempts()
			again, err := creds.Login(background(t), s.Upstream())
			if err != nil || again != session || s.LoginAttempts() != before || *asked != c.asked {
				t.Errorf("a second login: %v, %d attempts, asked %d times", err, s.LoginAttempts()-before, *asked)
			}
		})
	}
}

// TestRefusedFileIsNotTriedAgain: a wrong password from a file is sent once.
func TestRefusedFileIsNotTriedAgain(t *testing.T) {
	s := site(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	creds := newCredentials(testProcess(nil, ""), setup.Answers{AdminUser: "admin", AdminPasswordFile: file})
	for range 3 {
		if _, err := creds.Login(background(t), s.Upstream()); problem.KindOf(err) != problem.Credentials {
			t.Errorf("%v", err)
		}
	}
	if s.LoginAttempts() != 1 {
		t.Errorf("%d attempts", s.LoginAttempts())
	}
}

// TestLoginAfterRestart: a restart ends sessions, so the password is sent again.
func TestLoginAfterRestart(t *testing.T) {
	s := site(t)
	creds := newCredentials(testProcess(nil, "right\n"), setup.Answers{AdminUser: "admin", AdminPasswordFile: "-"})
	defer creds.wipe()
	first, err := creds.Login(background(t), s.Upstream())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	second, err := creds.Login(background(t), s.Upstream())
	if err != nil || first == second {
		t.Errorf("%v", err)
	}
}

// TestPasswordSources: file, standard input and systemd credential, and what is
// no password.
func TestPasswordSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("admin-password", "from systemd\n")
	for _, c := range []struct {
		name, file, in string
		env            map[string]string
		want, err      string
	}{
		{name: "file", file: write("one", "  with blanks \r\n"), want: "  with blanks "},
		{name: "no line end", file: write("two", "pässwörd"), want: "pässwörd"},
		{name: "standard input", file: "-", in: "piped\n", want: "piped"},
		{name: "systemd", env: map[string]string{"CREDENTIALS_DIRECTORY": dir}, want: "from systemd"},
		{name: "file beats systemd", file: write("three", "by flag\n"), env: map[string]string{"CREDENTIALS_DIRECTORY": dir}, want: "by flag"},
		{name: "no file", file: filepath.Join(dir, "none"), err: "cannot be read"},
		{name: "empty", file: write("four", "\n"), err: "does not hold one password"},
		{name: "two lines", file: write("five", "secret\nmore\n"), err: "does not hold one password"},
		{name: "too long", file: write("six", strings.Repeat("x", maxPassword+1)), err: "does not hold one password"},
		{name: "nothing", err: "there is no password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			creds := newCredentials(testProcess(c.env, c.in), setup.Answers{AdminUser: "admin", AdminPasswordFile: c.file})
			err := creds.obtain(background(t), "http://127.0.0.1:7990")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || string(creds.secret.Reveal()) != c.want {
				t.Errorf("%v, %q", err, creds.secret.Reveal())
			}
			kept := creds.secret.Reveal()
			creds.wipe()
			if !bytes.Equal(kept, make([]byte, len(kept))) || creds.have {
				t.Error("the password was not wiped")
			}
			if text := fmt.Sprintf("%v %+v", creds, *creds); strings.Contains(text, c.want) {
				t.Error("printing credentials shows the password")
			}
		})
	}
}

// secured is the stand-in behind a TLS connector of its own, and its private authority's file.
func secured(t *testing.T, s *bitbuckettest.Server) (port, ca string) {
	t.Helper()
	root, cert, key, err := certs.Dev([]string{"localhost"}, 30, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, root, 0o600); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(s.Upstream())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}})
	front.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the test
	front.StartTLS()
	t.Cleanup(front.Close)
	_, port, err = net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, ca
}

// TestWizardSignsInOverTLS: a Bitbucket that does TLS itself is signed in at from the
// wizard as from everywhere: on this machine whatever its certificate, elsewhere by the
// authorities that the answers of now name.
func TestWizardSignsInOverTLS(t *testing.T) {
	s := site(t)
	port, ca := secured(t, s)
	for _, c := range []struct {
		name, host string
		ca         func(a *setup.Answers)
		refused    bool
	}{
		{"loopback", "127.0.0.1", func(*setup.Answers) {}, false},
		{"its own authority", "localhost", func(a *setup.Answers) { a.UpstreamCA = ca }, false},
		{"an authority more", "localhost", func(a *setup.Answers) { a.CAFile = ca }, false},
		{"unknown authority", "localhost", func(*setup.Answers) {}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testProcess(nil, "")
			ses := &session{p: p, creds: newCredentials(p, setup.Answers{})}
			defer ses.creds.wipe()
			base := "https://" + net.JoinHostPort(c.host, port)
			ses.facts.Instance.Base = base
			a := setup.Answers{AdminUser: "admin", Upstream: base}
			c.ca(&a)
			if err := ses.login(background(t), a, []byte("right")); (err != nil) != c.refused {
				t.Fatalf("in the wizard: %v", err)
			}
			if c.refused {
				return
			}
			if session, err := ses.creds.Login(background(t), base); err != nil || session == nil {
				t.Errorf("during the run: %v", err)
			}
		})
	}
}
