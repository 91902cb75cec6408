package stage

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/child"
)

// startTime is how long HAProxy may do nothing before it listens, or says why it does
// not; working, with many certificates or beside other load, it may take longestStart.
const (
	startTime    = 20 * time.Second
	longestStart = 5 * time.Minute
)

// memoryLimit is what one HAProxy may have of data, in bytes.
const memoryLimit = 2 << 30

// running is the HAProxy that runs.
type running struct {
	process *child.Process
	output  *output
	ended   chan struct{}
}

// load writes the files and starts HAProxy with them.
func (p *play) load(l Load) (Loaded, error) {
	began := time.Now()
	p.end()
	for _, f := range l.Files {
		if err := p.write(f); err != nil {
			return Loaded{}, err
		}
	}
	if err := resolve(l.Hosts); err != nil {
		return Loaded{}, err
	}
	if err := p.recorders.listen(l.Recorders); err != nil {
		return Loaded{}, err
	}
	if l.Asked != "" {
		if err := p.names.listen(l.Asked); err != nil {
			return Loaded{}, err
		}
	}
	h, err := p.start(l.Config)
	if err != nil {
		return Loaded{}, err
	}
	ctx, cancel := h.within(startTime, longestStart)
	defer cancel()
	running := h.says(ctx, l.Ready) && h.waitFor(ctx, l.Doors)
	if running {
		p.proxy = h
	} else {
		p.memory = max(p.memory, h.stop())
	}
	return Loaded{Running: running, Output: h.output.String(), Took: time.Since(began)}, nil
}

// write puts a file into memory, in the place of the link to the machine's where
// there is one, with the mode and owner of that; a new one is for the user that
// HAProxy starts as, as its present and future owner makes it.
func (p *play) write(f File) error {
	was, err := os.Stat(f.Path)
	_ = os.Remove(f.Path) // what keeps it keeps the next line from working
	if err := os.WriteFile(f.Path, f.Data, 0o600); err != nil {
		return err
	}
	if err != nil {
		if u := p.setup.User; u != nil {
			return os.Chown(f.Path, int(u.UID), int(u.GID))
		}
		return nil
	}
	if owner, ok := was.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(f.Path, int(owner.Uid), int(owner.Gid)) // an owner that the namespace does not know
	}
	return os.Chmod(f.Path, was.Mode().Perm())
}

func (p *play) start(args []string) (*running, error) {
	h := &running{output: &output{}, ended: make(chan struct{})}
	c := child.Command{
		Name: p.setup.Bin, Arg0: p.setup.Arg0, Args: slices.Concat(p.setup.Args, args),
		Dir: p.setup.Dir, Env: p.setup.Env, Bare: true, Stdout: h.output, Stderr: h.output,
	}
	if u := p.setup.User; u != nil {
		c.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID}
		if u.Binds {
			c.AmbientCaps = append(c.AmbientCaps, unix.CAP_NET_BIND_SERVICE)
		}
		if u.Chroots {
			c.AmbientCaps = append(c.AmbientCaps, unix.CAP_SYS_CHROOT)
		}
	}
	var err error
	if h.process, err = c.Start(context.Background()); err != nil {
		return nil, err
	}
	_ = unix.Prlimit(h.process.PID, unix.RLIMIT_DATA, &unix.Rlimit{Cur: memoryLimit, Max: memoryLimit}, nil) // it may have ended already
	go func() {
		_ = h.process.Wait() // its output says why
		close(h.ended)
	}()
	return h, nil
}

// says waits until HAProxy has said something, and reports whether it did.
func (h *running) says(ctx context.Context, text string) bool {
	for {
		over := ctx.Err() != nil // before the last look: both may be due after a standstill
		if strings.Contains(h.output.String(), text) {
			return true
		}
		if over || !h.pause() {
			return false
		}
	}
}

const (
	// slow is how long one address may accept later than another: HAProxy takes them
	// one by one, and some of them not at all.
	slow = 300 * time.Millisecond
	// round is how much of that one look at the addresses takes, unless the machine
	// stands still.
	round = 20 * time.Millisecond
)

// waitFor waits until the addresses accept, and reports whether one does.
func (h *running) waitFor(ctx context.Context, doors []string) bool {
	left := slices.Clone(doors)
	for since := time.Duration(0); ; {
		began, over := time.Now(), ctx.Err() != nil
		left = slices.DeleteFunc(left, accepts)
		some := len(left) < len(doors)
		if len(left) == 0 || over || since >= slow {
			return some
		}
		if !h.pause() {
			return false
		}
		if some {
			since += min(time.Since(began), round)
		}
	}
}

// pause is between two looks; it reports whether HAProxy runs still.
func (h *running) pause() bool {
	select {
	case <-h.ended:
		return false
	case <-time.After(2 * time.Millisecond):
		return true
	}
}

func accepts(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// stop ends HAProxy and says how much memory it had at most, in bytes.
func (h *running) stop() int64 {
	_ = h.process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-h.ended
	return h.process.Memory()
}

// output keeps the beginning of what HAProxy says.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := 64<<10 - o.buf.Len(); room > 0 {
		o.buf.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Files of the C library's resolver.
const (
	hostsFile  = "/etc/hosts"
	switchFile = "/etc/nsswitch.conf"
)

// ownNames puts files in memory over those that say how names resolve.
func ownNames() error {
	for path, text := range map[string]string{hostsFile: "", switchFile: "passwd: files\ngroup: files\nhosts: files\n"} {
		own := "/run/" + filepath.Base(path)
		if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			continue // without it the library asks files first, and then nobody answers
		}
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// resolve gives every name an address of the stage.
func resolve(names []string) error {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, name := range names {
		text.WriteString("127.91.0.1 " + name + "\n")
	}
	return os.WriteFile("/run/hosts", []byte(text.String()), 0o644)
}
