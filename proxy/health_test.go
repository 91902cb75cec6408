package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/proxy/config"
)

func TestHealth(t *testing.T) {
	var status, checks atomic.Int64
	var body atomic.Value
	status.Store(200)
	body.Store(`{"state":"RUNNING"}`)
	var host atomic.Value
	r := start(t, server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bitbucket/status" && r.UserAgent() == "bitgate-health" {
			host.Store(r.Host)
			w.WriteHeader(int(status.Load()))
			fmt.Fprint(w, body.Load())
			checks.Add(1)
		}
	}), func(c *config.Config) { c.HealthPath, c.HealthInterval = "", 10*time.Millisecond })
	answer := func() int {
		res, _ := r.get("/bitbucket/x")
		return res.StatusCode
	}
	until(t, "the first check", func() bool { return checks.Load() > 0 })
	if host.Load() != r.url.Authority() {
		t.Errorf("checked under the name %v", host.Load())
	}
	if got := answer(); got != 200 {
		t.Errorf("running: %d", got)
	}
	set := func(code int64, text string) {
		body.Store(text)
		status.Store(code)
		seen := checks.Load()
		until(t, "five more checks", func() bool { return checks.Load() >= seen+5 })
	}
	set(503, `{"state":"STARTING"}`)
	until(t, "down", func() bool { return answer() == 503 })
	set(200, `{"state":"RUNNING"}`)
	until(t, "up again", func() bool { return answer() == 200 })
	for _, state := range []string{"MAINTENANCE", "FIRST_RUN"} {
		set(503, `{"state":"`+state+`"}`)
		if got := answer(); got != 200 {
			t.Errorf("%s: %d, must be let through", state, got)
		}
	}
	set(302, "")
	if got := answer(); got != 200 {
		t.Errorf("a redirect of the status page: %d", got)
	}
	until(t, "both are told", func() bool { return strings.Contains(r.log.String(), "server is UP") })
	if log := r.log.String(); strings.Count(log, "server is DOWN") != 1 || strings.Count(log, "server is UP") != 1 {
		t.Error("changes are not logged once each")
	}
}

func TestFirstFailedCheckCountsAtOnce(t *testing.T) {
	r := start(t, "127.0.0.1:1", func(c *config.Config) { c.HealthPath, c.HealthInterval = "", time.Hour })
	until(t, "down", func() bool { return strings.Contains(r.log.String(), "server is DOWN") })
	res, _ := r.get("/bitbucket/")
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Error(res.Status)
	}
}
