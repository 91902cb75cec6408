package wizard

import (
	"context"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// certificateFor judges as a certificate would that is for host, once it is fit.
func certificateFor(host string, fit *bool) func(context.Context, string, setup.Facts, setup.Answers) []problem.Finding {
	return func(_ context.Context, id string, _ setup.Facts, a setup.Answers) []problem.Finding {
		switch {
		case id != "cert":
			return nil
		case !*fit:
			return []problem.Finding{{Level: problem.Fail, Found: "the file is empty", Do: "write it again"}}
		case a.URL.Host() != host:
			return []problem.Finding{{Level: problem.Fail, Found: "the certificate is for " + host + ", not for " + a.URL.Host(), Do: "name another certificate, or change the public URL"}}
		}
		return []problem.Finding{{Level: problem.OK, Found: "the certificate is for " + host}}
	}
}

// atCertificate has the URL and a certificate answered.
func atCertificate(t *testing.T, url string, fit *bool) *pump {
	t.Helper()
	mc := standardMachine()
	b := mc.backend()
	b.Check = certificateFor("git.example.com", fit)
	p := newPumpWith(t, mc, b, setup.Answers{}, nil, Options{}).start(100, 30)
	p.keys("enter").enterText(url).enterText("admin").enterText(mc.password)
	return p.at("cert").enterText("/c.pem")
}

// TestRefusedCertificateIsLookedAtAgain: once what it was refused for is put right, the
// same certificate is taken.
func TestRefusedCertificateIsLookedAtAgain(t *testing.T) {
	fit := true
	p := atCertificate(t, "git.exmaple.com", &fit).at("cert").sees("not for git.exmaple.com")
	p.keys("esc", "esc").at("url").enterText("git.example.com").at("admin-user").keys("enter").at("cert").keys("enter").at("key")

	fit = false
	p = atCertificate(t, "git.example.com", &fit).at("cert").sees("the file is empty").keys("enter").at("cert")
	fit = true
	p.keys("enter").at("key")
	p = atCertificate(t, "git.example.com", &fit).at("key").keys("esc").at("cert")
	fit = false
	p.keys("enter").at("cert").sees("the file is empty")
}

// TestFindingsAreOfTheAnswersOfNow: another public name makes what was found out about
// the certificate untrue.
func TestFindingsAreOfTheAnswersOfNow(t *testing.T) {
	fit := true
	p := atCertificate(t, "git.example.com", &fit).at("key").keys("esc").at("cert").sees("ok  the certificate is for git.example.com")
	p.keys("esc", "esc").at("url").enterText("code.example.com").at("admin-user").sees("not for code.example.com").keys("enter")
	p.at("cert").sees("not for code.example.com").keys("enter").at("cert")
	p.keys("esc", "esc").at("url").enterText("git.example.com").at("admin-user").keys("enter").at("cert").sees("ok  the certificate is for git.example.com")
}
