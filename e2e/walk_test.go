package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
)

var update = flag.Bool("update", false, "rewrite the golden screens")

// walk is a person before the guided setup.
type walk struct {
	door
	screen
	name string
}

// newWalk makes a machine with a HAProxy of its own, whose paths and ports are
// as long in every run, so that screens break in the same places.
func newWalk(t *testing.T, w, h int, restart func(*bitbuckettest.Server) error) *walk {
	t.Helper()
	peers.Need(t, "tmux", "curl", "haproxy")
	p := &walk{door: door{bin: binary(t), dir: fixedDir(t)}, name: fmt.Sprintf("%dx%d", w, h)}
	p.stand(t, restart)
	_, other, otherKey, err := certs.Dev([]string{"other.example.com"}, 90, time.Now())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "other.pem"), append(other, otherKey...), 0o600))
	if os.Getuid() == 0 { // as for a person who may not do that, Bitbucket's home is not root's
		must(t, exec.Command("chown", "-R", "65534", filepath.Join(p.dir, "bitbucket")).Run())
	}
	pid := filepath.Join(p.dir, "haproxy.pid")
	reload := fmt.Sprintf("haproxy -D -p %s -f %s -sf $(cat %s 2>/dev/null)", pid, filepath.Join(p.dir, "haproxy.cfg"), pid)
	p.machine = append(p.machine, "--haproxy-bin", peers.Path(t, "haproxy"), "--reload", reload)
	t.Cleanup(func() {
		data, _ := os.ReadFile(pid)
		for _, one := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(one); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	})
	p.screen.w, p.screen.h = w, h
	return p
}

// fixedDir is a folder whose name is as long in every run, and never broken at a hyphen.
func fixedDir(t *testing.T) string {
	t.Helper()
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	dir := filepath.Join("/tmp", "bitgatewalk"+hex.EncodeToString(random))
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// begin opens the guided setup.
func (p *walk) begin(t *testing.T) {
	p.screen = startScreen(t, p.dir, p.screen.w, p.screen.h, append([]string{p.bin}, p.args("walk", "setup")...))
	p.wait("answers are given already")
}

// masks are what differs from run to run, as long as what it stands for.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`/tmp/bitgatewalk[0-9a-f]{8}`), "/tmp/bitgatewalk00000000"},
	{regexp.MustCompile(`:[1-6]\d{4}\b`), ":ppppp"},
	{regexp.MustCompile(`port [1-6]\d{4}\b`), "port ppppp"},
	{regexp.MustCompile(`=[1-6]\d{4}\b`), "=ppppp"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`), "YYYY-MM-DD"},
	{regexp.MustCompile(`\b20\d{6}-\d\b`), "YYYYMMDD-N"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "HH:MM:SS"},
	{regexp.MustCompile(`\b\d\.\d s\b`), "0.0 s"},
	{regexp.MustCompile(`\(process \d+\)`), "(process N)"},
	{regexp.MustCompile(`(?m)^ [|/\\-]   `), " *   "},
	{regexp.MustCompile(`(?m)^.*HAProxy +\d.*$`), "(a line with HAProxy's version)"},
}

// previewed is a line with a preview, which may be cut: tab shows all of it.
var previewed = regexp.MustCompile(`( Preview  |[ +-]([a-z.#]+[ =:]).*…$)`)

// see compares the screen with its golden text, once it shows the words.
func (p *walk) see(name, words string) {
	p.t.Helper()
	p.wait(words)
	if name == "certificate-other" || name == "key" {
		return // the preview comes and goes with the look at the certificate
	}
	path := filepath.Join("testdata", "screens", p.name, name+".txt")
	var got string
	same := func() bool {
		got = strings.TrimRight(p.text(), "\n") + "\n"
		for _, m := range masks {
			got = m.what.ReplaceAllString(got, m.by)
		}
		want, err := os.ReadFile(path)
		return err == nil && got == string(want)
	}
	for line := range strings.SplitSeq(p.text(), "\n") {
		if strings.Contains(line, "…") && !previewed.MatchString(line) {
			p.t.Errorf("%s: cut: %s", name, line)
		}
	}
	if *update {
		p.settled()
		same()
		must(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(p.t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	if !within(5*time.Second, same) { // a check or a look may still be under way
		p.t.Errorf("the screen %s differs from %s (go test ./e2e -update rewrites it):\n%s", name, path, got)
	}
}

// settled waits until the screen has been the same for a while.
func (p *walk) settled() {
	last, since := p.text(), time.Now()
	for time.Since(since) < 600*time.Millisecond {
		time.Sleep(50 * time.Millisecond)
		if now := p.text(); now != last {
			last, since = now, time.Now()
		}
	}
}

// shrinks makes the window too small for a moment; then the screen is there again.
func (p *walk) shrinks(words string) {
	p.t.Helper()
	p.wait(words)
	p.resize(50, 10)
	p.wait("this window has 50x10")
	p.resize(200, 60)
	p.until("a large window", func() bool { return !strings.Contains(p.text(), "50x10") })
	p.resize(p.screen.w, p.screen.h)
	p.until("the screen "+words, func() bool {
		return strings.Contains(p.text(), words) && len(strings.Split(p.text(), "\n")) <= p.screen.h+1
	})
}

// A station is a screen on the way to the review, known by its words, and what
// leads on from there.
type station struct {
	name, words string
	on          func(p *walk)
}

func types(question, answer string) func(*walk) {
	return func(p *walk) { p.typed(question, answer) }
}

func (p *walk) way() []station {
	return []station{
		{"welcome", "answers are given already", func(p *walk) { p.keys("Enter") }},
		{"url", "Public URL", types("Public URL", p.answer("url"))},
		{"path", "Typing replaces it", types("Context path", "")},
		{"redirect", "Yes, send the old path on", types("Redirect the old path", "")},
		{"method", "bitgate signs in", types("How the base URL is changed", "")},
		{"user", "access tokens", types("Administrator", "admin")},
		{"password", "one sign-in", types("Password", "not this one")},
		{"password-refused", "refused the password", types("Password", doorPassword)},
		{"connector", "Yes, only this machine may reach it", types("Close Bitbucket's own port", "")},
		{"front", "What terminates TLS", types("What terminates TLS", "")},
		{"certificate", "must be on this machine", types("Certificate file", filepath.Join(p.dir, "other.pem"))},
		{"certificate-other", "other.example.com, not for", func(p *walk) {
			p.keys("Escape")
			p.typed("Certificate file", p.answer("cert"))
		}},
		{"key", "Private key file", types("Private key file", p.answer("key"))},
		{"ssh", "No, leave SSH as it is", types("Forward SSH through the front", "")},
		{"review", "running clones", nil},
	}
}

// goes the way up to the named screen; at is called on every one.
func (p *walk) goes(to string, at func(name, words string)) {
	p.t.Helper()
	for _, s := range p.way() {
		at(s.name, s.words)
		if s.name == to {
			return
		}
		s.on(p)
	}
}

// TestWalkStandardRun is the whole setup at three sizes, up to a Bitbucket
// behind HTTPS, with one wrong password and one wrong certificate on the way.
func TestWalkStandardRun(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {160, 50}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			t.Parallel()
			p := newWalk(t, size.w, size.h, (*bitbuckettest.Server).Restart)
			p.begin(t)
			p.goes("review", p.see)
			for _, tab := range []string{"haproxy", "base-URL", "services", "more", "checks", "command"} {
				p.keys("Tab")
				p.see("review-"+tab, "["+strings.TrimSuffix(strings.ReplaceAll(tab, "-", " "), "proxy"))
			}
			p.keys("a")
			p.see("consent", "> _")
			p.tmux("send-keys", "-l", "apply")
			p.wait("> apply_")
			p.keys("Enter")
			p.see("result", "enter finish")
			p.keys("Enter")
			p.until("the end of the full screen", func() bool {
				return !strings.Contains(p.text(), "enter finish") && strings.Contains(p.text(), "bitgate undo")
			})
			history := p.tmux("capture-pane", "-p", "-S", "-100")
			for _, words := range []string{"ok  backup and journal", "ok  3 Tomcat connector   restart Bitbucket", "is up.", "bitgate apply", "--answers"} {
				if !strings.Contains(history, words) {
					t.Errorf("the scrollback lacks %q:\n%s", words, history)
				}
			}
		})
	}
}

// TestWalkBackAndForth goes back to the first screen and forward again, and
// makes the window small on every screen.
func TestWalkBackAndForth(t *testing.T) {
	t.Parallel()
	p := newWalk(t, 80, 24, (*bitbuckettest.Server).Restart)
	p.begin(t)
	p.goes("review", func(_, words string) { p.shrinks(words) })
	for _, question := range []string{
		"Forward SSH through the front", "Private key file", "Certificate file", "What terminates TLS", "Close Bitbucket's own port",
		"Administrator", "How the base URL is changed", "Redirect the old path", "Context path", "Public URL",
	} {
		p.keys("Escape")
		p.asks(question)
	}
	p.keys("Escape")
	p.wait("Every question is answered")
	p.keys("Enter")
	p.wait("a apply ...")
	p.keys("C-c")
	p.wait("Nothing was changed on this server")
	p.keys("Enter")
	p.wait("cancelled; nothing was changed")
}

// TestWalkTakesBack: ctrl+c while Bitbucket restarts takes everything back.
func TestWalkTakesBack(t *testing.T) {
	t.Parallel()
	restarts, release := make(chan struct{}, 9), make(chan struct{})
	p := newWalk(t, 80, 24, func(bb *bitbuckettest.Server) error {
		restarts <- struct{}{}
		<-release
		return bb.Restart()
	})
	p.begin(t)
	p.goes("review", func(_, words string) { p.wait(words) })
	before, err := os.ReadFile(filepath.Join(p.dir, "bitbucket", "home", "shared", "bitbucket.properties"))
	must(t, err)
	p.keys("a")
	p.wait("> _")
	p.tmux("send-keys", "-l", "apply")
	p.keys("Enter")
	<-restarts
	p.wait("ctrl+c take everything back")
	p.keys("C-c")
	p.wait("taking back what was done")
	close(release)
	p.see("taken-back", "enter finish")
	after, err := os.ReadFile(filepath.Join(p.dir, "bitbucket", "home", "shared", "bitbucket.properties"))
	must(t, err)
	if string(after) != string(before) {
		t.Errorf("bitbucket.properties is not as before:\n%s", after)
	}
}

// TestWalkResumes: a session that was left goes on where it stopped; what is
// kept has no secret and is for its owner only.
func TestWalkResumes(t *testing.T) {
	t.Parallel()
	p := newWalk(t, 80, 24, (*bitbuckettest.Server).Restart)
	p.begin(t)
	p.goes("certificate", func(_, words string) { p.wait(words) })
	p.keys("C-c")
	p.see("quit", "The answers given so far are kept")
	p.keys("Enter")
	p.wait("cancelled; nothing was changed")
	file := filepath.Join(p.dir, "state-walk", "draft.yaml")
	info, err := os.Stat(file)
	must(t, err)
	text, err := os.ReadFile(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 || strings.Contains(string(text), doorPassword) {
		t.Errorf("mode %v:\n%s", info.Mode(), text)
	}
	p.screen = startScreen(t, p.dir, 80, 24, append([]string{p.bin}, p.args("walk", "setup")...))
	p.see("resumed", "goes on where you left it")
	p.keys("Enter")
	p.typed("Password", doorPassword) // it is kept nowhere
	p.asks("Certificate file")
}

// TestWalkPortTaken: another program has the port, so the wizard asks for another one.
func TestWalkPortTaken(t *testing.T) {
	t.Parallel()
	p := newWalk(t, 80, 24, (*bitbuckettest.Server).Restart)
	var args []string
	for i := 0; i < len(p.machine); i++ { // --listen is not said this time
		if p.machine[i] == "--listen" {
			i++
			continue
		}
		args = append(args, p.machine[i])
	}
	p.machine = args
	_, port, _ := strings.Cut(strings.TrimPrefix(p.answer("url"), "https://"), ":")
	port, _, _ = strings.Cut(port, "/")
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(t, err)
	defer l.Close()
	p.begin(t)
	p.goes("front", func(_, words string) { p.wait(words) })
	p.see("front-port-taken", "is held by")
	p.keys("Enter")
	p.see("listen", "Where the front listens")
	p.typed("Where the front listens", "127.0.0.1:"+strconv.Itoa(peers.FreePort(t)))
	p.asks("Certificate file")
}
