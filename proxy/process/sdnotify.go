package process

import (
	"context"
	"sync"
	"syscall"
	"time"

	"bitgate/proxy"
)

// notifier tells the service manager how the process is.
type notifier struct {
	notify func(state string) error                     // Surroundings.Notify
	keep   func(name string, socket syscall.Conn) error // Surroundings.Keep
	log    func(format string, args ...any)

	mu      sync.Mutex
	retired bool
}

// retire ends what this process says: another one is the service now.
func (n *notifier) retire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retired = true
}

func (n *notifier) isRetired() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.retired
}

// send says it in NAME=VALUE lines.
func (n *notifier) send(state string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.notify == nil || n.retired {
		return
	}
	if err := n.notify(state); err != nil {
		n.log("cannot notify the service manager (%q): %v", state, err)
	}
}

// watchdog sends signs of life until ctx ends, twice as often as asked for. Each
// takes the locks that a request takes, and a turn of each event loop: a proxy that
// is stuck sends none and is restarted.
func (n *notifier) watchdog(ctx context.Context, p *proxy.Proxy, limit time.Duration) {
	if limit <= 0 || n.notify == nil {
		return
	}
	ticker := time.NewTicker(limit / 2)
	defer ticker.Stop()
	for {
		p.State()
		p.Turn()
		n.send("WATCHDOG=1")
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
