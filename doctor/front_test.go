package doctor

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// front is a small front with a Bitbucket behind it that does everything
// right; each test spoils one thing.
type front struct {
	hosts   []string // names in the certificate
	days    int
	issued  time.Time
	chain   bool // send what --ca-file needs; false leaves --ca-file out
	context string
	handle  map[string]http.HandlerFunc // path -> answer, before the good ones
	config  *tls.Config
	target  func(*Target)

	origin string
	ssh    int // port of an SSH server of Bitbucket's kind
	mu     sync.Mutex
	sent   []http.Header // of every request
}

func good() *front {
	return &front{
		hosts: []string{"git.test"}, days: 90, issued: time.Now(), chain: true,
		context: "/bitbucket", handle: map[string]http.HandlerFunc{}, config: &tls.Config{},
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.sent = append(f.sent, r.Header.Clone())
	f.mu.Unlock()
	if h, there := f.handle[r.URL.Path]; there {
		h(w, r)
		return
	}
	switch r.URL.Path {
	case "/":
		http.Redirect(w, r, f.context+"/", http.StatusFound)
	case f.context + "/":
		setSession(w, true, true)
		w.Header().Set("Location", f.origin+f.context+"/login")
		w.WriteHeader(http.StatusFound)
	case f.context + "/login":
		io.WriteString(w, "<form>")
	case f.context + "/status":
		io.WriteString(w, `{"state":"RUNNING"}`)
	case f.context + "/rest/applinks/1.0/manifest":
		io.WriteString(w, `<manifest><typeId>stash</typeId><version>5.4</version><url>`+f.origin+f.context+`</url></manifest>`)
	case f.context + "/rest/api/1.0/application-properties":
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"version":"9.4.16","displayName":"Bitbucket"}`)
	case f.context + "/scm/bitgate/check.git/git-receive-pack":
		w.WriteHeader(http.StatusUnauthorized)
	case f.context + "/rest/api/1.0/repos":
		io.WriteString(w, `{"values":[`+f.repoJSON(f.origin)+`]}`)
	default:
		http.NotFound(w, r)
	}
}

func (f *front) repoJSON(origin string) string {
	return `{"links":{"clone":[{"href":"ssh://git@git.test:` + strconv.Itoa(f.ssh) + `/proj/repo.git","name":"ssh"},` +
		`{"href":"` + origin + f.context + `/scm/proj/repo.git","name":"http"}],"self":[{"href":"` + origin + f.context + `/projects/PROJ/repos/repo/browse"}]}}`
}

func setSession(w http.ResponseWriter, secure, httpOnly bool) {
	http.SetCookie(w, &http.Cookie{Name: "BITBUCKETSESSIONID", Value: "1", Path: "/", Secure: secure, HttpOnly: httpOnly})
}

// start serves f on a loopback port and returns what the doctor is told. The
// name git.test resolves nowhere, so everything goes by Target.Connect.
func (f *front) start(t *testing.T) Target {
	t.Helper()
	ca, certPEM, keyPEM, err := certs.Dev(f.hosts, f.days, f.issued)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	f.config.Certificates = []tls.Certificate{pair}
	s.TLS = f.config
	s.StartTLS()
	t.Cleanup(s.Close)

	f.ssh = sshServer(t)
	address := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	f.origin = "https://git.test:" + port
	url, err := publicurl.Parse(f.origin + f.context)
	if err != nil {
		t.Fatal(err)
	}
	target := Target{URL: url, Connect: address}
	if f.chain {
		target.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(target.CAFile, ca, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f.target != nil {
		f.target(&target)
	}
	return target
}

// sshServer says what Bitbucket's says, to everybody.
func sshServer(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "SSH-2.0-APACHE-SSHD-2.12.0\r\n")
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// find returns the finding of one check; a check that was not made fails the test.
func find(t *testing.T, findings []problem.Finding, id string) problem.Finding {
	t.Helper()
	for _, f := range findings {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no finding %q among %d", id, len(findings))
	return problem.Finding{}
}

// wants compares a finding with its level and words of what was seen.
func wants(t *testing.T, f problem.Finding, level problem.Level, words string) {
	t.Helper()
	if f.Level != level || !strings.Contains(f.Found, words) {
		t.Errorf("%s: got %s %q, want %s with %q", f.ID, f.Level, f.Found, level, words)
	}
	if (level == problem.Warn || level == problem.Fail) && (f.Why == "" || f.Do == "") {
		t.Errorf("%s: a %s needs why and do: %+v", f.ID, level, f)
	}
}
