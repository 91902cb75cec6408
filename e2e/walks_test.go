package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

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
		{"user", "access tokens", types("Administrator", "admin")},
		{"password", "one sign-in", types("Password", "not this one")},
		{"password-refused", "refused the password", types("Password", doorPassword)},
		{"certificate", "must be on this machine", types("Certificate file", filepath.Join(p.dir, "other.pem"))},
		{"certificate-other", "other.example.com, not for", types("Certificate file", p.answer("cert"))},
		{"ssh", "No, the front takes no SSH", types("Forward SSH through the front", "")},
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

func (p *walk) waits(_, words string) { p.t.Helper(); p.wait(words) }

func (p *walk) consents() {
	p.t.Helper()
	p.keys("a")
	p.wait("> _")
	p.types("apply")
	p.wait("> apply_")
	p.keys("Enter")
}

// The whole setup up to a Bitbucket behind HTTPS, with one wrong password and
// one wrong certificate on the way.
func TestWalkStandardRun(t *testing.T) {
	eachSize(t, func(t *testing.T, p *walk) {
		p.begin(t)
		p.goes("review", p.see)
		for _, tab := range []string{"haproxy", "base-URL", "services", "bundle", "checks", "command"} {
			p.keys("Tab")
			p.see("review-"+tab, "["+strings.ReplaceAll(tab, "-", " "))
		}
		p.keys("?")
		p.see("review-help", "opens the consent line")
		p.keys("Escape")
		p.wait("[command]")
		p.keys("e")
		p.wait("All answers")
		p.keys("Escape")
		p.wait("[command]")
		p.keys("$")
		p.until("what the pager was given", func() bool {
			text, err := os.ReadFile(filepath.Join(p.dir, "pager.txt"))
			return err == nil && strings.Contains(string(text), "+server.proxy-name=localhost")
		})
		p.wait("[command]")
		p.keys("a")
		p.see("consent", "> _")
		p.keys("Escape")
		p.wait("a apply ...")
		p.consents()
		p.see("result", "is up.")
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

// Back to the first screen and forward again, and another size of the window on
// every screen.
func TestWalkBackAndForth(t *testing.T) {
	eachSize(t, func(t *testing.T, p *walk) {
		p.begin(t)
		p.goes("review", func(_, words string) {
			p.wait(words)
			p.resized()
		})
		for _, question := range []string{
			"Forward SSH through the front", "Certificate file", "Administrator", "Redirect the old path", "Context path", "Public URL",
		} {
			p.keys("Escape")
			p.asks(question)
		}
		p.keys("Tab")
		p.wait("up/down scroll")
		p.resized()
		p.keys("Escape")
		p.asks("Public URL")
		p.keys("Escape")
		p.wait("Every question is answered")
		p.keys("Enter")
		p.wait("running clones")
		p.keys("a")
		p.wait("> _")
		p.resized()
		p.keys("C-c")
		p.wait("Nothing was changed on this server")
		p.resized()
		p.keys("Enter")
		p.wait("cancelled; nothing was changed")
	})
}

// ctrl+c while Bitbucket restarts takes everything back.
func TestWalkTakesBack(t *testing.T) {
	eachSize(t, func(t *testing.T, p *walk) {
		restarting, release := make(chan struct{}, 9), make(chan struct{})
		defer close(release)
		p.restart = func(bb *bitbuckettest.Server) error {
			restarting <- struct{}{}
			<-release
			return bb.Restart()
		}
		p.begin(t)
		p.goes("review", p.waits)
		properties := filepath.Join(p.dir, "bitbucket", "home", "shared", "bitbucket.properties")
		before, err := os.ReadFile(properties)
		must(t, err)
		p.consents()
		p.see("apply", "Bitbucket is away")
		<-restarting // as the screen says
		p.keys("l")
		p.see("log", "l changes")
		p.keys("l")
		p.wait("l log")
		p.keys("C-c")
		p.see("taken-back", "Apply was stopped")
		p.resized()
		after, err := os.ReadFile(properties)
		must(t, err)
		if string(after) != string(before) {
			t.Errorf("bitbucket.properties is not as before:\n%s", after)
		}
	})
}

// A session that was left goes on where it stopped; what is kept has no secret
// and is for its owner only.
func TestWalkResumes(t *testing.T) {
	eachSize(t, func(t *testing.T, p *walk) {
		p.begin(t)
		p.goes("certificate", p.waits)
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
		p.screen = startScreen(t, p.dir, p.w, p.h, append([]string{p.bin}, p.args("walk", "setup")...))
		p.see("resumed", "Continuing where you left off")
		p.keys("Enter")
		p.typed("Password", doorPassword) // it is kept nowhere
		p.asks("Certificate file")
	})
}

// Another program has the port, so the wizard asks for another one.
func TestWalkPortTaken(t *testing.T) {
	eachSize(t, func(t *testing.T, p *walk) {
		p.machine = without(p.machine, "--listen")
		_, port, _ := strings.Cut(strings.TrimPrefix(p.answer("url"), "https://"), ":")
		port, _, _ = strings.Cut(port, "/")
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		must(t, err)
		defer l.Close()
		p.begin(t)
		p.goes("password-refused", p.waits)
		p.typed("Password", doorPassword)
		p.see("listen", "Where the front listens")
		p.typed("Where the front listens", "127.0.0.1:"+strconv.Itoa(peers.FreePort(t)))
		p.asks("Certificate file")
	})
}

// without leaves a flag and its value out.
func without(args []string, flag string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == flag {
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}
