package live_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
)

// master starts haproxy as distributions do (-Ws, here without systemd: -W) and
// returns its process.
func (w *town) master(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	var output syncBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	await(t, "haproxy listens", func() bool {
		c, err := net.Dial("tcp", w.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return cmd
}

// load sends rate requests a second to a host for a while, half of them over
// connections kept open, and counts answers that are not want.
func (w *town) load(host, want string, rate int, whole time.Duration, sent, failed *atomic.Int64, fail func(string)) *sync.WaitGroup {
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", w.addr) }
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, DialContext: dial, MaxIdleConnsPerHost: 20}, Timeout: 20 * time.Second}
	fresh := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, DialContext: dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	var all sync.WaitGroup
	all.Go(func() {
		start := time.Now()
		for n := range rate * int(whole/time.Second) { // who comes late catches up
			time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(rate))))
			c := kept
			if sent.Add(1)%2 == 0 {
				c = fresh
			}
			all.Go(func() {
				resp, err := c.Get("https://" + host + ":" + w.port + "/bitbucket/x")
				if err == nil {
					body, rerr := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err = rerr; err == nil && string(body) != want {
						err = fmt.Errorf("%d %q", resp.StatusCode, body)
					}
				}
				if err != nil {
					failed.Add(1)
					fail(err.Error())
				}
			})
		}
	})
	return &all
}

// The first merge, a changed one, a broken one and removal are put in place and
// reloaded while a site of the administrator's is under load: no request fails.
func TestReloadUnderLoad(t *testing.T) {
	in := installed(t)
	if !in.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: the layouts use keywords of HAProxy 2.2")
	}
	whole, rate := 5*time.Second, 50
	if os.Getenv("BITGATE_TORTURE") != "" {
		whole, rate = 20*time.Second, 200
	}
	w := newTown(t)
	cfg, socket := filepath.Join(w.dir, "haproxy.cfg"), filepath.Join(w.dir, "s")
	layout := layouts["2 host rules, a directory of certificates"].text
	original := []byte(strings.Replace(string(w.fill(layout)), "maxconn 400\n", "maxconn 400\n    stats socket "+socket+" level admin expose-fd listeners\n", 1))
	s := w.site(t, in.Version)
	merged, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: original}}, s)
	if err != nil {
		t.Fatal(err)
	}
	s.MaxConn = 20
	changed, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: merged.After}}, s)
	if err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), changed.After...)
	broken = append(broken, "backend broken on purpose\n    no such keyword\n"...)

	write(t, cfg, original)
	cmd := w.master(t, exec.Command(in.Bin, "-W", "-db", "-f", cfg))
	worker := func() string {
		pid, _ := live.Worker(t.Context(), "unix:"+socket) // none while it changes
		return pid
	}
	reload := func(data []byte, serves bool) {
		before := worker()
		if report := check(t, in.Bin, live.Candidate{Path: cfg, Data: data}, nil); report.OK != serves {
			t.Errorf("haproxy -c accepts: %t", report.OK)
		}
		if err := os.WriteFile(cfg, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		if serves {
			await(t, "another worker serves", func() bool { now := worker(); return now != "" && now != before })
			return
		}
		// The master goes on waiting, and the worker serving.
		for range 10 {
			if got := w.ask(t, ourHost, "/bitbucket/", false); got != "bitbucket" {
				t.Errorf("while the broken file is in place: %s", got)
			}
		}
		if now := worker(); now != before {
			t.Errorf("worker %s became %s by a broken file", before, now)
		}
	}
	var sent, failed atomic.Int64
	var once sync.Map
	all := w.load("a.example.com", "a.example.com", rate, whole, &sent, &failed, func(what string) {
		if _, told := once.LoadOrStore(what, true); !told {
			t.Log(what)
		}
	})
	start := time.Now()
	steps := []struct {
		data   []byte
		serves bool
	}{{merged.After, true}, {changed.After, true}, {broken, false}, {changed.After, true}, {original, true}}
	for i, step := range steps {
		time.Sleep(time.Until(start.Add(whole * time.Duration(i) / time.Duration(len(steps)))))
		reload(step.data, step.serves)
		if i == 1 {
			if got := w.ask(t, ourHost, "/bitbucket/", true); got != "bitbucket" {
				t.Errorf("%s is answered by %s", ourHost, got)
			}
		}
	}
	all.Wait()
	t.Logf("%d requests in %s over %d reloads, one of them with a broken file: %d failed", sent.Load(), time.Since(start).Round(time.Second), len(steps), failed.Load())
	if failed.Load() > 0 || sent.Load() != int64(rate)*int64(whole/time.Second) {
		t.Errorf("%d of %d requests failed", failed.Load(), sent.Load())
	}
}
