package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var pictures = flag.String("pictures", "../docs/pictures", "folder of BenchmarkPictures")

// BenchmarkPictures (make pictures) draws the main screens of the real program
// as a person walks through a standard installation, and puts one of them as
// text into the guide. It measures nothing; but only benchmarks have that
// installation.
func BenchmarkPictures(b *testing.B) {
	s := startScreen(b, "/root", 100, 30, []string{binary(b)})
	draw := func(name, words string) {
		b.Helper()
		s.wait(words)
		s.settled(s.text)
		must(b, os.WriteFile(filepath.Join(*pictures, name+".svg"), drawSVG(s.tmux("capture-pane", "-p", "-e"), s.w, s.h), 0o644))
	}
	draw("welcome", "Enter starts with step 1")
	s.keys("Enter")
	s.typed("Public URL", "git.example.com/bitbucket")
	s.asks("Context path")
	draw("path-changed", "these addresses break")
	s.tmux("resize-window", "-x", "80", "-y", "24")
	s.until("the narrow screen", func() bool { return strings.Contains(s.text(), "[1 Context path]") })
	text := s.settled(s.text)
	s.tmux("resize-window", "-x", "100", "-y", "30")
	s.keys("C-u")
	s.types("/")
	s.keys("Enter")
	s.typed("Administrator", "admin")
	s.typed("Password", doorPassword)
	s.typed("Certificate file", "/etc/ssl/git.example.com/www.pem")
	draw("key-cert-mismatch", "not for git.example.com")
	s.typed("Certificate file", "/etc/ssl/git.example.com/fullchain.pem")
	s.typed("Forward SSH through the front", "")
	s.wait("running clones")
	s.keys("Tab")
	draw("review-haproxy", "[haproxy.cfg]")
	s.keys("a")
	s.wait("> _")
	s.types("apply")
	draw("consent", "> apply_")
	s.keys("Enter")
	draw("result", "is up.")
	intoGuide(b, text)
}

var shownInGuide = regexp.MustCompile("(?s)(<!-- screen: begin[^\n]*-->\n).*(<!-- screen: end -->)")

func intoGuide(b *testing.B, text string) {
	guide, err := os.ReadFile("../docs/guide.md")
	must(b, err)
	var lines []string
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	screen := regexp.MustCompile(`\n{3,}`).ReplaceAllString(strings.Join(lines, "\n"), "\n\n")
	with := shownInGuide.ReplaceAllString(string(guide), "${1}```\n"+strings.ReplaceAll(screen, "$", "$$")+"\n```\n${2}")
	must(b, os.WriteFile("../docs/guide.md", []byte(with), 0o644))
}
