package check

import (
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// checkService: what is written must reach HAProxy's service: it loads these files,
// and may read what they name.
func checkService(f setup.Facts, p setup.Plan) []problem.Finding {
	if !p.TouchesFront() {
		return nil
	}
	var out []problem.Finding
	if len(f.HAProxy.Loads) > 0 && f.HAProxy.Why["Files"] == "given" {
		found := problem.Finding{
			ID: "haproxy-set", Level: problem.Warn, Found: fmt.Sprintf("HAProxy's service does not load %s; it loads %s", p.Answers.HAProxyCfg, strings.Join(f.HAProxy.Loads, " ")),
			Why: "what is written there does not serve, unless something else starts HAProxy with it",
			Do:  "name one of its files, or one in a folder that it loads; or have the service load it too (-f)",
		}
		if how := p.Run.Front.How; how == service.Systemd || how == service.Init {
			found.Level = problem.Fail
		}
		out = append(out, found)
	}
	for _, path := range f.FrontReader.Unreadable {
		out = append(out, problem.Finding{
			ID: "haproxy-reader", Level: problem.Fail, Found: fmt.Sprintf("HAProxy's service runs as %s, which cannot read %s", f.FrontReader.User, path),
			Why: "it would not start again: haproxy -c as root does not see that",
			Do:  fmt.Sprintf("chgrp %s %s && chmod 0640 %s, in a folder that it may enter", f.FrontReader.Group, path, path),
		})
	}
	return out
}
