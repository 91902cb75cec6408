// Package machine tests bitgate on machines with systemd: what is said elsewhere
// of units, restarts and reboots is shown here.
package machine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

func TestMain(m *testing.M) {
	peers.Suite{Parallel: 3, Jobs: map[string]func(string){bitbucketJob: beBitbucket, thiefJob: beThief}, Around: peers.Around(&program)}.Main(m)
}

// program is bitgate, built once.
var program string

const (
	bitbucketJob = "bitbucket"
	password     = "correct-horse-battery"
	version      = "9.4.16"
)

// beBitbucket is the stand-in as the service of a machine, in dir: the base URL
// and the configuration outlast it, as a database and files do.
func beBitbucket(dir string) {
	if err := bitbucketService(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// downloads has transfers of as many bytes as the rest of the path says. While there
// is a file named hold in Bitbucket's folder, a download and a push stop half way.
const downloads = "/bitbucket/download/"

func download(dir string, w http.ResponseWriter, size string) {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", size)
	_, _ = io.CopyN(w, zeros{}, n/2)
	_ = http.NewResponseController(w).Flush()
	held(dir, "download")
	_, _ = io.CopyN(w, zeros{}, n-n/2)
}

// held waits until the file hold is gone, and says by another file that what is there.
func held(dir, what string) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "hold")); err != nil {
			return
		}
		_ = os.WriteFile(filepath.Join(dir, "held-"+what), nil, 0o600)
		time.Sleep(20 * time.Millisecond)
	}
}

// pushed is the body of a push.
type pushed struct {
	io.ReadCloser
	dir  string
	read int
}

func (p *pushed) Read(b []byte) (int, error) {
	if p.read > heldPush {
		held(p.dir, "push")
	}
	n, err := p.ReadCloser.Read(b)
	p.read += n
	return n, err
}

// heldPush is after how many bytes a push is held.
const heldPush = 1 << 20

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func bitbucketService(dir string) error {
	stored := filepath.Join(dir, "base-url")
	saved := ""
	o := bitbuckettest.Options{Dir: dir, Version: version, Port: 7990, SSHPort: -1, AdminPassword: password, PublicRepo: true}
	if data, err := os.ReadFile(stored); err == nil {
		saved = string(data)
		o.BaseURL = saved
	}
	var s *bitbuckettest.Server
	var err error
	o.Middleware = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if size, is := strings.CutPrefix(r.URL.Path, downloads); is {
				download(dir, w, size)
				return
			}
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				r = r.WithContext(r.Context()) // a copy: the server itself has to know its own body
				r.Body = &pushed{ReadCloser: r.Body, dir: dir}
			}
			next.ServeHTTP(w, r)
			if now := s.BaseURL(); now != saved {
				saved = now
				_ = os.WriteFile(stored, []byte(now), 0o600) // the next start shows it
			}
		})
	}
	if s, err = bitbuckettest.New(o); err != nil {
		return err
	}
	defer s.Close()
	if err := s.Start(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	return nil
}
