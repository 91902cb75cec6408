package bitbuckettest

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Ready is the line of JSON that Run prints once it serves.
type Ready struct {
	Upstream string `json:"upstream"` // http://127.0.0.1:PORT, without the context path
	BaseURL  string `json:"baseURL"`  // as stored
	Home     string `json:"home"`
	Install  string `json:"install"`
	PID      int    `json:"pid"`
	SSH      string `json:"ssh"`  // host:port, "" where SSH is off
	Repo     string `json:"repo"` // path of the HTTP clone URL under the context path, "" without git
}

// Run is a stand-in as a process of its own: it starts, prints one line of JSON
// to ready, restarts on SIGHUP, and ends when ctx or Options.Stdin does (so it never
// outlives the parent that holds the other end of the pipe). A restart
// that fails leaves it down until the next SIGHUP, with the reason in its log.
func Run(ctx context.Context, o Options, ready io.Writer) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	s, err := New(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Start(); err != nil {
		return err
	}
	if err := json.NewEncoder(ready).Encode(Ready{
		Upstream: s.Upstream(), BaseURL: s.BaseURL(), Home: s.Home(), Install: s.InstallDir(),
		PID: os.Getpid(), SSH: s.SSHAddr(), Repo: s.RepoPath(),
	}); err != nil {
		return err
	}
	ended := make(chan struct{})
	if o.Stdin != nil {
		go func() {
			_, _ = io.Copy(io.Discard, o.Stdin)
			close(ended)
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return nil
		case <-hup:
			_ = s.Restart() // the log says why, as a real one's would
		}
	}
}
