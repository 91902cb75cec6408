package setup

import (
	"context"
	"fmt"

	"bitgate/internal/service"
)

// The unit of the built-in proxy becomes its user by DynamicUser=, which came
// with systemd 235 (its NEWS file). An older one ignores the line and would run
// the proxy as root.
const leastSystemd = 235

// checkSystemd: the unit means on this machine what it says.
func checkSystemd(ctx context.Context, f Facts, p Plan) []Finding {
	if !f.Systemd || p.Answers.Front != FrontBuiltin || !p.touchesFront() {
		return nil
	}
	version := service.SystemdVersion(ctx)
	if version == 0 || version >= leastSystemd { // 0: systemctl is missing, and so says the start
		return nil
	}
	return []Finding{{
		ID: "systemd", Level: Fail,
		Seen: fmt.Sprintf("systemd %d is older than %d", version, leastSystemd),
		Why:  "it would not run the built-in proxy as an unprivileged user",
		Do:   "choose HAProxy (--front haproxy), or run \"bitgate proxy --config " + f.ProxyConfig.Path + "\" under a supervisor of your own",
	}}
}
