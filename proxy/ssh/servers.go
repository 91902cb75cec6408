package ssh

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/exchange"
)

const (
	retries      = 3
	retriesPause = 250 * time.Millisecond
)

// servers are Bitbucket's SSH servers: one, or that of each node. A connection
// goes to the one with the fewest (HAProxy's "balance leastconn"), and to the
// next where that does not answer: nothing was sent yet.
type servers struct {
	dialer    net.Dialer
	all       []config.Node
	admission *exchange.Admission // knows which nodes are up

	mu   sync.Mutex
	open map[string]int // connections by node
}

func newServers(c config.Config, a *exchange.Admission) *servers {
	return &servers{dialer: net.Dialer{Timeout: c.ConnectTimeout}, all: c.SSHServers(), admission: a, open: map[string]int{}}
}

// dial connects. leave, never nil, is called when the connection has ended.
func (s *servers) dial(ctx context.Context) (conn net.Conn, leave func(), err error) {
	for attempt := 0; ; attempt++ {
		for _, n := range s.inOrder() {
			leave = s.enter(n.Name)
			if conn, err = s.dialer.DialContext(ctx, "tcp", n.Address); err == nil {
				return conn, leave, nil
			}
			leave()
		}
		if attempt == retries || ctx.Err() != nil {
			return nil, func() {}, err
		}
		select {
		case <-time.After(retriesPause):
		case <-ctx.Done():
			return nil, func() {}, err
		}
	}
}

// inOrder lists those first that are up, and among them those with the fewest
// connections.
func (s *servers) inOrder() []config.Node {
	up := map[string]bool{}
	servers, _ := s.admission.Status()
	for _, server := range servers {
		up[server.Name] = server.Up
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.all)
	slices.SortStableFunc(out, func(a, b config.Node) int {
		if up[a.Name] != up[b.Name] {
			if up[a.Name] {
				return -1
			}
			return 1
		}
		return s.open[a.Name] - s.open[b.Name]
	})
	return out
}

func (s *servers) enter(name string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open[name]--
	}
}
