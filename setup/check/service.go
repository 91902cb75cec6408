package check

import (
	"cmp"
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

// apart: the HAProxy that holds a port is not the one of the service that would be reloaded.
func apart(by setup.Listener, reloaded service.Control) bool {
	return by.Process == "haproxy" && reloaded.How == service.Systemd && by.Unit != reloaded.Name
}

// startedTwice is for such a port. HAProxys share ports (SO_REUSEPORT), so that the second
// one would start.
func startedTwice(listen string, by setup.Listener, reloaded service.Control) problem.Finding {
	of, command := "which no service of systemd's runs", "COMMAND"
	if by.Unit != "" {
		of, command = "of "+by.Unit, "'systemctl reload "+by.Unit+"'"
	}
	return problem.Finding{
		ID: "port", Level: problem.Fail,
		Found: fmt.Sprintf("port %s is held by a HAProxy (process %d, %s) other than that of %s, which would be reloaded", listen, by.PID, of, reloaded.Name),
		Why:   "two HAProxys would serve the port, and each would get a part of the connections",
		Do:    "set up the one that serves: --reload " + command + " --haproxy-cfg " + cmp.Or(by.Loads, "FILE") + "; or stop it",
	}
}
