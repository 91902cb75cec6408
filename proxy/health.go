package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/pool"
)

// health asks each server's status page from time to time; the pool judges.
type health struct {
	cfg       config.Config
	secure    *tls.Config // see exchange.Common
	log       *accesslog.Log
	admission *exchange.Admission
}

// run checks until ctx ends.
func (h *health) run(ctx context.Context) {
	if h.cfg.HealthPath == config.HealthNone {
		return
	}
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   h.secure.Clone(), // nil stays nil
			// HAProxy: the shorter of "timeout connect" and "inter" for the connection.
			DialContext: (&net.Dialer{Timeout: min(h.cfg.ConnectTimeout, h.cfg.CheckTimeout)}).DialContext,
		},
		Timeout:       h.cfg.CheckTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var all sync.WaitGroup
	for _, s := range h.cfg.Servers() {
		all.Go(func() { h.watch(ctx, client, s) })
	}
	all.Wait()
}

func (h *health) watch(ctx context.Context, client *http.Client, s config.Node) {
	name := "server"
	if len(h.cfg.Nodes) > 0 {
		name = "server " + s.Name
	}
	up := true
	lack := accesslog.Seldom{Log: h.log}
	for {
		err := h.check(ctx, client, s.Address)
		if ctx.Err() != nil {
			return
		}
		if conns.Shortage(err) {
			lack.Event("%s could not be checked: %v", name, err)
			if !sleep(ctx, h.cfg.HealthInterval) {
				return
			}
			continue
		}
		changed, next := h.admission.Checked(s.Name, err == nil)
		if changed {
			up = !up
			if up {
				h.log.Event("%s is UP", name)
			} else {
				h.log.Event("%s is DOWN: %v", name, err)
			}
		}
		if !sleep(ctx, next) {
			return
		}
	}
}

// sleep reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (h *health) scheme() string {
	if h.secure != nil {
		return "https://"
	}
	return "http://"
}

// check is one question.
func (h *health) check(ctx context.Context, client *http.Client, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.scheme()+address+h.cfg.HealthPath, nil)
	if err != nil {
		return err
	}
	r.Host = h.cfg.URL.Authority()
	r.Header.Set("User-Agent", "bitgate-health")
	r.Header.Set("X-Forwarded-Proto", "https")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10)) // what is missing does not make it good
	if pool.Judge(answer.StatusCode, body) {
		return nil
	}
	return fmt.Errorf("its status page answered %d %.100q", answer.StatusCode, body)
}
