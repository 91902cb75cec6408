package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
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

// walk is a person before the guided setup, on a machine with a HAProxy of its own.
type walk struct {
	door
	screen
	size    string
	restart func(*bitbuckettest.Server) error // what restarting Bitbucket does
}

// eachSize walks at the three sizes that the screens are made for.
func eachSize(t *testing.T, goes func(*testing.T, *walk)) {
	t.Parallel()
	for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {160, 50}} {
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newWalk(t)
			p.size, p.w, p.h = name, size.w, size.h
			goes(t, p)
		})
	}
}

// newWalk makes the machine. Its paths and ports are as long in every run, so
// that screens break in the same places.
func newWalk(t *testing.T) *walk {
	t.Helper()
	peers.Need(t, "tmux", "curl", "haproxy")
	p := &walk{door: door{bin: binary(t), dir: fixedDir(t)}, restart: (*bitbuckettest.Server).Restart}
	p.stand(t, func(bb *bitbuckettest.Server) error { return p.restart(bb) })
	_, other, otherKey, err := certs.Dev([]string{"other.example.com"}, 90, time.Now())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.dir, "other.pem"), append(other, otherKey...), 0o600))
	if os.Getuid() == 0 { // as for a person who may not do that, Bitbucket's home is not root's
		must(t, exec.Command("chown", "-R", "65534", filepath.Join(p.dir, "bitbucket")).Run())
	}
	pid := filepath.Join(p.dir, "haproxy.pid")
	config, start := filepath.Join(p.dir, "haproxy.cfg"), ""
	if os.Geteuid() != 0 { // its HAProxy cannot become the file's user, says so to nobody once it is a daemon, and ends
		start, config = fmt.Sprintf("sed '/^    user /d; /^    group /d' %s >%s.own; ", config, config), config+".own"
	}
	reload := fmt.Sprintf("%shaproxy -D -p %s -f %s -sf $(cat %s 2>/dev/null)", start, pid, config, pid)
	p.machine = append(p.machine, "--haproxy-bin", peers.Path(t, "haproxy"), "--reload", reload)
	t.Cleanup(func() {
		data, _ := os.ReadFile(pid)
		for _, one := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(one); err == nil {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	})
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
	p.screen = startScreen(t, p.dir, p.w, p.h, append([]string{p.bin}, p.args("walk", "setup")...))
	p.wait("answers are given already")
}

// masks are what differs from run to run, as long as what it stands for.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\(process \d+\)`), "(process N)"},
	{regexp.MustCompile(`\b[1-6]\d{4}\b`), "ppppp"}, // a port
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`), "YYYY-MM-DD"},
	{regexp.MustCompile(`\b20\d{6}-\d\b`), "YYYYMMDD-N"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "HH:MM:SS"},
	{regexp.MustCompile(`\d\.\d s\b`), "0.0 s"},
	{regexp.MustCompile(`(?m)[ 1]\d\d s$`), "0.0 s"}, // from 10 s on without tenths, at the right edge
	{regexp.MustCompile(`(?m)^ [|/\\-]   `), " *   "},
	{regexp.MustCompile(`@@ .* @@`), "@@ ... @@"},                            // what HAProxy's version changes
	{regexp.MustCompile(`HAProxy( +)\d+\.\d[\w.+~-]*,? *`), "HAProxy${1}V "}, // in the header and on the welcome screen
}

// TestMasks: a step's time is the same on every machine, at its right edge.
func TestMasks(t *testing.T) {
	const golden = " ok  a step    0.0 s\n"
	for _, line := range []string{" ok  a step    0.4 s\n", " ok  a step     12 s\n", " ok  a step    119 s\n"} {
		if got := mask(line); got != golden {
			t.Errorf("%q becomes %q", line, got)
		}
	}
}

// random is fixedDir's name, of which a screen may show the beginning only.
var random = regexp.MustCompile(`bitgatewalk[0-9a-f]+`)

// masked is the screen without what differs from run to run.
func (p *walk) masked() string {
	text := strings.TrimRight(p.text(), "\n") + "\n"
	text = random.ReplaceAllStringFunc(text, func(name string) string {
		return "bitgatewalk" + strings.Repeat("0", len(name)-len("bitgatewalk"))
	})
	return mask(text)
}

func mask(text string) string {
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.by)
	}
	return text
}

// cut is a line that may end in an ellipsis: of a preview, where tab shows all of it.
var cut = regexp.MustCompile(`( Preview  |[ +-]([a-z.#]+[ =:]).*…$)`)

// see compares the screen with its golden text, once it shows the words.
func (p *walk) see(name, words string) {
	p.t.Helper()
	p.wait(words)
	path := filepath.Join("testdata", "screens", p.size, name+".txt")
	for line := range strings.SplitSeq(p.text(), "\n") {
		if strings.Contains(line, "…") && !cut.MatchString(line) {
			p.t.Errorf("%s: cut: %s", name, line)
		}
	}
	if os.Geteuid() != 0 && (strings.HasPrefix(name, "review") || name == "consent") {
		p.t.Logf("NOT COMPARED: the screen %s shows the rehearsal, which needs root", name)
		return
	}
	if *update {
		must(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(p.t, os.WriteFile(path, []byte(p.settled(p.masked)), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(p.t, err)
	limit := 30 * time.Second // a check or a look may still be under way
	if p.t.Failed() {
		limit = 0
	}
	if !peers.Within(limit, func() bool { return p.masked() == string(want) }) {
		p.t.Errorf("the screen %s differs from %s (go test ./e2e -run Walk -update rewrites it):\n%s", name, path, p.masked())
	}
}
