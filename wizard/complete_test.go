package wizard

import (
	"strings"
	"testing"

	"bitgate/setup"
)

// complete knows two files.
func (m *machine) complete(text string) (string, []string) {
	var choices []string
	for _, file := range []string{"/etc/ssl/git.key", "/etc/ssl/git.pem"} {
		if strings.HasPrefix(file, text) {
			choices = append(choices, file)
		}
	}
	switch len(choices) {
	case 0:
		return text, nil
	case 1:
		return choices[0], choices
	}
	return "/etc/ssl/git.", choices
}

func TestTabCompletesAPath(t *testing.T) {
	p := standardPump(t)
	toCertificate(p).at("cert")
	for _, r := range "/etc/s" {
		p.keys(string(r))
	}
	p.keys("tab").sees("> /etc/ssl/git.", "/etc/ssl/git.key  /etc/ssl/git.pem").keys("p", "tab").sees("> /etc/ssl/git.pem")
	p.keys("tab")
	if p.m.over != overPreview {
		t.Errorf("with nothing to complete tab shows the preview, not\n%s", p.m.View())
	}
	p.keys("esc", "enter").at("key")
	if got := p.m.iv.Answers.Cert; got != "/etc/ssl/git.pem" {
		t.Errorf("the answer is %q", got)
	}
}

func TestRelativePathsAreMadeAbsolute(t *testing.T) {
	p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{Dir: "/root/certs"}).start(100, 30)
	toCertificate(p).at("cert").enterText("git.pem").at("key").enterText("../k.pem").at("ssh")
	if a := p.m.iv.Answers; a.Cert != "/root/certs/git.pem" || a.Key != "/root/k.pem" {
		t.Errorf("cert %q, key %q", a.Cert, a.Key)
	}
}
