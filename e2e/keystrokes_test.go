package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// The limits of a run on a standard installation where a fitting certificate lies under
// /etc, the password aside.
const (
	maxQuestions = 6
	maxKeys      = 20
)

// BenchmarkKeystrokes (make bench-start) counts what a person is asked and presses from
// the first screen to the end on a standard installation, at three sizes, and prints
// what was found and from where. The run is undone each time.
func BenchmarkKeystrokes(b *testing.B) {
	bin := binary(b)
	file := b.TempDir() + "/password"
	must(b, os.WriteFile(file, []byte(doorPassword+"\n"), 0o600))
	for _, size := range []struct{ w, h int }{{80, 24}, {100, 30}, {120, 40}} {
		b.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(b *testing.B) {
			p := &counted{screen: startScreen(b, "/root", size.w, size.h, []string{bin})}
			p.wait("Enter starts")
			p.press("Enter")
			for _, q := range []struct{ title, types string }{
				{"Public URL", ""}, {"Administrator", "admin"}, {"Password", doorPassword}, {"Certificate file", ""}, {"Forward SSH through the front", ""},
			} {
				p.asks(q.title)
				p.settled(p.text)
				p.asked++
				if q.title == "Password" {
					p.password = utf8.RuneCountInString(q.types)
				}
				p.enters(q.types)
				before := p.text()
				p.press("Enter")
				p.until("the screen after "+q.title, func() bool { return p.text() != before })
			}
			p.wait("running clones")
			p.keys("e") // not part of the run
			p.wait("All answers")
			b.Logf("found:\n%s", p.settled(p.text))
			p.keys("Escape")
			p.wait("running clones")
			p.press("a")
			p.wait("> _")
			p.enters("apply")
			p.wait("> apply_")
			p.press("Enter")
			p.wait("is up.")
			b.Logf("at the end:\n%s", p.settled(p.text))
			p.press("Enter")
			p.wait("bitgate undo")
			b.ReportMetric(float64(p.asked), "questions")
			b.ReportMetric(float64(p.pressed-p.password), "keys")
			b.ReportMetric(0, "ns/op")
			if p.asked > maxQuestions || p.pressed-p.password > maxKeys {
				b.Errorf("%d questions and %d keys besides the password", p.asked, p.pressed-p.password)
			}
			out, err := exec.Command(bin, "undo", "--yes", "--admin-user", "admin", "--admin-password-file", file).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "taken back") {
				b.Errorf("undo: %v\n%s", err, out)
			}
			must(b, os.RemoveAll("/var/lib/bitgate"))
		})
	}
}

// counted is a person whose keys are counted.
type counted struct {
	screen
	asked, pressed, password int
}

func (p *counted) press(key string) { p.pressed++; p.keys(key) }

func (p *counted) enters(text string) {
	p.pressed += utf8.RuneCountInString(text)
	if text != "" {
		p.types(text)
	}
}
