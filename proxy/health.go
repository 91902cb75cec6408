package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"bitgate/proxy/config"
)

// HAProxy's defaults (manual, "fall" and "rise").
const (
	fallAfter = 3
	riseAfter = 2
)

// verdict is the state machine of a checked server: up until the first check
// says otherwise, then fall and rise.
type verdict struct {
	down    bool
	checked bool
	streak  int // checks in a row that contradict the state
}

// observe counts one check and reports whether the state changed.
func (v *verdict) observe(ok bool) bool {
	first := !v.checked
	v.checked = true
	if ok != v.down { // as it was
		v.streak = 0
		return false
	}
	v.streak++
	need := fallAfter
	if v.down {
		need = riseAfter
	}
	if v.streak < need && !first {
		return false
	}
	v.down, v.streak = !v.down, 0
	return true
}

// health asks the server's status page from time to time.
type health struct {
	url      string // "" for none
	host     string
	interval time.Duration
	log      *logger
	isDown   atomic.Bool
}

func newHealth(c config.Config, l *logger) *health {
	h := &health{host: c.URL.Authority(), interval: c.HealthInterval, log: l}
	if c.HealthPath != config.HealthNone {
		h.url = strings.TrimSuffix(c.Upstream, "/") + c.HealthPath
	}
	return h
}

func (h *health) up() bool { return !h.isDown.Load() }

// run checks until ctx ends.
func (h *health) run(ctx context.Context) {
	if h.url == "" {
		return
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       max(h.interval, 2*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ticker := time.NewTicker(h.interval)
	defer ticker.Stop()
	var v verdict
	for {
		err := h.check(ctx, client)
		if ctx.Err() != nil {
			return
		}
		if v.observe(err == nil) {
			h.isDown.Store(v.down)
			if v.down {
				h.log.event("server is DOWN: %v", err)
			} else {
				h.log.event("server is UP")
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// check is one question. 2xx and 3xx are good, and so is a Bitbucket that says
// it can be talked to: a backup client needs one in maintenance (Atlassian KB
// 822021567), an administrator one in its first run.
func (h *health) check(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return err
	}
	r.Host = h.host
	r.Header.Set("User-Agent", "bitgate-health")
	r.Header.Set("X-Forwarded-Proto", "https")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 400 {
		return nil
	}
	var status struct{ State string }
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if json.Unmarshal(body, &status) == nil && (status.State == "MAINTENANCE" || status.State == "FIRST_RUN") {
		return nil
	}
	return fmt.Errorf("its status page answered %d %s", answer.StatusCode, status.State)
}
