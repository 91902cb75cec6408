package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
)

// A service manager keeps the socket: over restarts no request of a new
// HTTP/1.1 connection fails, those between two processes wait. (net/http closes
// an HTTP/2 connection at once on which no request has come yet.)
func TestRestartsOverAKeptSocketLoseNothing(t *testing.T) {
	r := &rig{t: t, log: &logBuffer{}}
	pem := r.certificate()
	kept, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	_, port, _ := net.SplitHostPort(kept.Addr().String())
	url, _ := publicurl.Parse("https://localhost:" + port + "/bitbucket")
	c := config.Config{URL: url, Upstream: "http://" + server(t, hello), PEM: pem, HealthPath: config.HealthNone}
	serve := func() (*proxy.Proxy, <-chan error) {
		t.Helper()
		file, err := kept.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		l, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := proxy.New(c, r.log)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(context.Background(), proxy.Listeners{HTTPS: []net.Listener{l}}) }()
		return p, ended
	}

	p, ended := serve()
	stop := make(chan struct{})
	failed := make(chan error, 100)
	var answered atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: r.roots}, DisableKeepAlives: true, Protocols: protocols,
		}}
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := client.Get(url.BaseURL() + "/x")
				if err == nil && res.StatusCode != 200 {
					err = fmt.Errorf("status %s", res.Status)
				}
				if err != nil {
					failed <- err
					return
				}
				res.Body.Close()
				answered.Add(1)
			}
		})
	}
	for range 5 {
		seen := answered.Load()
		until(t, "requests are answered", func() bool { return answered.Load() > seen+20 || len(failed) > 0 })
		if err := p.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if err := receive(t, "the old one ends", ended); err != nil {
			t.Error(err)
		}
		p, ended = serve()
	}
	close(stop)
	load.Wait()
	if err := p.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	<-ended
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	t.Logf("%d requests", answered.Load())
}
