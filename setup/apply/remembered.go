package apply

import (
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
	"bitgate/setup"
)

// Remembered is what taking p back cannot take back: what browsers were told to
// remember about HTTPS (Strict-Transport-Security, RFC 6797, 8.1), as the built-in
// proxy's configuration has it now. A configuration that cannot be read says
// nothing.
func Remembered(p setup.Plan) []problem.Finding {
	if p.Answers.Front != setup.FrontBuiltin {
		return nil
	}
	f, err := atomicfile.Read(p.Answers.ProxyConfig)
	if err != nil {
		return nil
	}
	c, err := config.Parse(p.Answers.ProxyConfig, f.Data)
	if err != nil || c.HSTS <= 0 {
		return nil
	}
	return []problem.Finding{{
		ID: "hsts", Level: problem.Warn, Title: "Browsers remember HTTPS",
		Found: p.Answers.ProxyConfig + " has hsts: " + c.HSTS.String() + "; browsers that were here go on using HTTPS only for " + c.URL.Host() + ", each for that long after its last visit",
		Why:   "without HTTPS they do not reach Bitbucket under this name, and nobody can click a certificate error away",
		Do:    "keep something that answers HTTPS under this name until then; or have people clear it (in Chrome chrome://net-internals/#hsts, in Firefox \"Forget About This Site\")",
	}}
}
