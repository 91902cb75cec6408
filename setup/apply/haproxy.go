package apply

import (
	"context"
	"fmt"
	"os"

	"bitgate/haproxy/live"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/detect"
)

// reloadHAProxy reloads it, and asks on its runtime socket, where it has one,
// whether the new configuration serves: a reload reports success although the
// new process could not start, and the old one goes on as if nothing had been.
func (a *Applier) reloadHAProxy(ctx context.Context, p setup.Plan, i int, s *setup.ServiceChange) error {
	if s.Swap != "" {
		err := swapCertificate(ctx, p, s.Swap)
		if err == nil {
			return nil
		}
		a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: err.Error() + "; it is reloaded instead"})
	}
	before := ""
	if p.Run.HAProxySocket != "" && s.Control.How != service.Manual && s.Control.How != service.Never {
		before, _ = live.Worker(ctx, p.Run.HAProxySocket) // none: it is not running, or may not be asked
	}
	for range reloadTries {
		if err := service.Do(ctx, s.Control, s.Verb, a.log(i)); err != nil || before == "" {
			return err
		}
		if now := a.newWorker(ctx, p.Run.HAProxySocket, before); now != "" {
			a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: fmt.Sprintf("process %s serves the new configuration, in the place of %s", now, before)})
			return nil
		}
	}
	return problem.New(fmt.Sprintf("HAProxy was told to reload, but process %s still serves with the configuration it had", before),
		"the new one passes haproxy -c, yet HAProxy did not start with it; a port that another program holds is the usual reason",
		"see its log (journalctl -u haproxy)")
}

// reloadTries: HAProxy overlooks a signal that meets it while it starts itself anew.
const reloadTries = 2

// newWorker waits until another process than before serves; "" when none does.
func (a *Applier) newWorker(ctx context.Context, socket, before string) string {
	deadline := a.now().Add(frontWait / reloadTries)
	for a.now().Before(deadline) && ctx.Err() == nil {
		if now, err := live.Worker(ctx, socket); err == nil && now != before {
			return now
		}
		a.pause(ctx)
	}
	return ""
}

// portsFree looks once more who holds the ports: HAProxy that finds one taken
// makes its old process stop listening on all of them for two seconds, in the
// hope that it is the one that holds it, and every client is refused meanwhile.
func portsFree(p setup.Plan) error {
	held, err := detect.Listeners("/proc")
	if err != nil {
		return nil //nolint:nilerr // the plan was checked, and HAProxy will say
	}
	for _, f := range check.Failures(check.Ports(setup.Facts{Listeners: held}, p)) {
		return problem.New(f.Seen, f.Why, f.Do)
	}
	return nil
}

// swapCertificate hands over what lies in the bundle's file.
func swapCertificate(ctx context.Context, p setup.Plan, path string) error {
	bundle, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	defer clear(bundle)
	return live.SwapCertificate(ctx, p.Run.HAProxySocket, path, bundle)
}
