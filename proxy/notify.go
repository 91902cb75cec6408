package proxy

import (
	"context"
	"net"
	"time"
)

// notifier tells the service manager how the process is (sd_notify(3)); the
// zero one has nobody to tell.
type notifier struct {
	socket string // NOTIFY_SOCKET: a path, or "@" and an abstract name
	log    *logger
}

// send is one datagram of NAME=VALUE lines.
func (n notifier) send(state string) {
	if n.socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", n.socket)
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		n.log.event("the service manager cannot be told %q: %v", state, err)
	}
}

// watchdog sends signs of life until ctx ends, twice as often as asked for. Each
// takes the locks that a request takes: a proxy that is stuck sends none and is
// restarted.
func (n notifier) watchdog(ctx context.Context, p *Proxy, limit time.Duration) {
	if limit <= 0 || n.socket == "" {
		return
	}
	ticker := time.NewTicker(limit / 2)
	defer ticker.Stop()
	for {
		p.state()
		n.send("WATCHDOG=1")
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
