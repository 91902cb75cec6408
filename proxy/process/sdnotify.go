package process

import (
	"context"
	"time"

	"bitgate/proxy"
)

// notifier tells the service manager how the process is.
type notifier struct {
	notify func(state string) error // Surroundings.Notify
	log    func(format string, args ...any)
}

// send says it in NAME=VALUE lines.
func (n notifier) send(state string) {
	if n.notify == nil {
		return
	}
	if err := n.notify(state); err != nil {
		n.log("cannot notify the service manager (%q): %v", state, err)
	}
}

// watchdog sends signs of life until ctx ends, twice as often as asked for. Each
// takes the locks that a request takes: a proxy that is stuck sends none and is
// restarted.
func (n notifier) watchdog(ctx context.Context, p *proxy.Proxy, limit time.Duration) {
	if limit <= 0 || n.notify == nil {
		return
	}
	ticker := time.NewTicker(limit / 2)
	defer ticker.Stop()
	for {
		p.State()
		n.send("WATCHDOG=1")
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
