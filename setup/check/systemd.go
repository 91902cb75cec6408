package check

import (
	"context"
	"fmt"

	"bitgate/internal/service"
	"bitgate/setup"
)

// The unit of the built-in proxy becomes its user by DynamicUser=, which came
// with systemd 235 (its NEWS file). An older one ignores the line and would run
// the proxy as root.
const leastSystemd = 235

// checkSystemd: the unit means on this machine what it says.
func checkSystemd(ctx context.Context, f setup.Facts, p setup.Plan) []setup.Finding {
	if !f.Systemd || p.Answers.Front != setup.FrontBuiltin || !p.TouchesFront() {
		return nil
	}
	version := service.SystemdVersion(ctx)
	if version == 0 || version >= leastSystemd { // 0: systemctl is missing, and so says the start
		return nil
	}
	return []setup.Finding{{
		ID: "systemd", Level: setup.Fail,
		Seen: fmt.Sprintf("systemd %d is older than %d", version, leastSystemd),
		Why:  "it would not run the built-in proxy as an unprivileged user",
		Do:   "choose HAProxy (--front haproxy), or run \"bitgate proxy --config " + f.ProxyConfig.Path + "\" under a supervisor of your own",
	}}
}
