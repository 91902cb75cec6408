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

// startTime is how long HAProxy may take to listen, or to say why it does not.
const startTime = 20 * time.Second

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
	running := h.says(l.Ready) && h.waitFor(l.Doors)
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
func (h *running) says(text string) bool {
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		if strings.Contains(h.output.String(), text) {
			return true
		}
		select {
		case <-h.ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
	return false
}

// slow is how long one address may accept later than another: HAProxy takes them
// one by one, and some of them not at all.
const slow = 300 * time.Millisecond

// waitFor waits until the addresses accept, and reports whether one does.
func (h *running) waitFor(doors []string) bool {
	deadline, first := time.Now().Add(startTime), true
	left := slices.Clone(doors)
	for time.Now().Before(deadline) {
		left = slices.DeleteFunc(left, accepts)
		switch {
		case len(left) == 0:
			return len(doors) > 0
		case len(left) < len(doors) && first:
			first, deadline = false, time.Now().Add(slow)
		}
		select {
		case <-h.ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
	return len(left) < len(doors)
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
