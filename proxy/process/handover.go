package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	"bitgate/proxy"
	"bitgate/proxy/config"
)

// An upgrade without a gap, as HAProxy does it ("expose-fd listeners", -x, -sf):
// the new process is given the bound sockets by the one before, over a unix
// socket that only the user who started it can open. Both accept for a moment;
// then the old one stops as it would on SIGTERM. A new process that fails to
// start leaves the old one as it was.
//
// Under systemd `bitgate proxy --replace` is the unit's ExecReload=: it starts the
// new process as a child of systemd's, tells systemd that this is the main process, and
// only then the new process tells the old one to stop; the old one says nothing more
// to systemd, for its STOPPING=1 would stop the unit.

const (
	handoverHello = "bitgate handover 1\n"
	handoverGo    = "go\n"
	handoverAsk   = "on\n" // whether it still waits; it says the same, and waits anew
	maxHandover   = 100    // sockets
)

// handoverTime is for a start, with a look at keys and users, and for each step after.
var handoverTime = 30 * time.Second

// predecessor is the process that serves now.
type predecessor struct {
	conn     *net.UnixConn
	sockets  inherited
	stale    inherited     // sockets that this configuration has no more
	watchdog time.Duration // how often the service manager wants a sign of life from it
	answers  bool          // it can be asked whether it still waits
}

// takeOver gets the sockets of the process that listens at path; nil if there
// is none.
func takeOver(c config.Config) (*predecessor, error) {
	if c.Handover == "" {
		return nil, nil
	}
	info, err := os.Lstat(c.Handover)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = ownSocket(info)
	}
	if err != nil {
		return nil, problem.Wrap(err, c.Handover+" cannot be trusted", "whoever made it could hand over its own sockets", "remove it, or choose a path in a folder owned by root (handover)")
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: c.Handover, Net: "unix"})
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the file of a process that has ended
	}
	if err == nil {
		p := &predecessor{conn: conn}
		if err = p.receive(c); err == nil {
			return p, nil
		}
		conn.Close()
	}
	return nil, problem.Wrap(err, "the running proxy does not hand over its sockets", "", "read its log, or stop it first")
}

func ownSocket(info fs.FileInfo) error {
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("it is not a socket")
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d", s.Uid)
	}
	return nil
}

// receive keeps those sockets that the configuration names.
func (p *predecessor) receive(c config.Config) error {
	_ = p.conn.SetDeadline(time.Now().Add(handoverTime)) // a closed connection fails next
	hello, rights := make([]byte, len(handoverHello)+64), make([]byte, unix.CmsgSpace(4*maxHandover))
	n, m, _, _, err := p.conn.ReadMsgUnix(hello, rights)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	more, isHello := strings.CutPrefix(string(hello[:n]), handoverHello)
	if err != nil || len(messages) != 1 || !isHello {
		return errors.New("its answer is not what was expected")
	}
	p.watchdog, p.answers = watchdogIn(more), strings.HasSuffix(more, handoverAsk)
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	for _, fd := range fds {
		l, err := listenerOf(os.NewFile(uintptr(fd), "handed over"))
		if err != nil {
			p.sockets.close()
			return err
		}
		p.sockets = append(p.sockets, l)
	}
	p.stale = p.sockets.forget(c)
	return nil
}

// watchdogLine follows the hello. systemd tells only the processes that it starts as
// the service itself; who is started by a reload must get it from the one before.
// A program that does not know the line reads it as the answer to its "go".
func watchdogLine(limit time.Duration) string {
	return fmt.Sprintf("watchdog %d\n", limit.Microseconds())
}

// watchdogIn is 0 where there is none.
func watchdogIn(line string) time.Duration {
	var us int64
	if _, err := fmt.Sscanf(line, "watchdog %d\n", &us); err != nil || us < 0 || us > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// stillWaits is an error where the old process serves on: it has given this one up, which
// was too slow. From here on it waits for as long again.
func (p *predecessor) stillWaits() error {
	if p == nil || !p.answers {
		return nil
	}
	_ = p.conn.SetDeadline(time.Now().Add(handoverTime))
	_, err := io.WriteString(p.conn, handoverAsk)
	if err == nil {
		_, err = io.ReadFull(p.conn, make([]byte, len(handoverAsk)))
	}
	if err != nil {
		return problem.Wrap(err, "the running proxy waits for this one no longer", "it gives up after "+handoverTime.String()+", and serves on as it was",
			"try again; if it stays so, look at what takes long: host names to listen on, the user's name service, a slow disk")
	}
	return nil
}

// retire lets the old process stop: this one accepts.
func (p *predecessor) retire() error {
	defer p.conn.Close()
	_ = p.conn.SetDeadline(time.Now().Add(handoverTime))
	if _, err := io.WriteString(p.conn, handoverGo); err != nil {
		return err
	}
	_, err := io.ReadFull(p.conn, make([]byte, len(handoverGo)))
	return err
}

// offering is where the next process asks for the sockets.
type offering struct {
	path string

	mu    sync.Mutex
	at    *net.UnixListener
	file  fs.FileInfo // of the socket
	ended bool
}

// offer binds the path that the next process asks at; nil without one.
func offer(path string) (*offering, error) {
	if path == "" {
		return nil, nil
	}
	o := &offering{path: path}
	return o, o.bind()
}

// bind is for the first time, and after a process that asked and did not start: it may
// have put its own socket in the place of this one.
func (o *offering) bind() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if there, err := os.Lstat(o.path); o.ended || err == nil && os.SameFile(there, o.file) {
		return nil
	}
	l, err := listenAt(o.path)
	if err != nil {
		return err
	}
	if o.at != nil {
		o.at.Close()
	}
	o.at = l
	o.file, err = os.Lstat(o.path)
	return err
}

func (o *offering) accept() (*net.UnixConn, error) {
	o.mu.Lock()
	at := o.at
	o.mu.Unlock()
	return at.AcceptUnix()
}

// Close ends accept.
func (o *offering) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.at.Close()
}

func listenAt(path string) (*net.UnixListener, error) {
	// A unit has this folder made (RuntimeDirectory=); whoever starts the proxy by hand
	// with the same configuration has not.
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, cannotListen(path, err)
	}
	fresh := path + ".new" // moved over the old one's, which stays reachable until then
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, cannotListen(path, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, cannotListen(path, err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(fresh, 0o600), os.Rename(fresh, path)); err != nil {
		l.Close()
		return nil, cannotListen(path, err)
	}
	return l, nil
}

// handOver gives the sockets to each process that asks, until one says that it
// serves; then it calls retire.
func handOver(logf func(string, ...any), offered *offering, sockets proxy.Listeners, watchdog time.Duration, retire func()) {
	for {
		conn, err := offered.accept()
		if err != nil {
			return
		}
		err = give(conn, sockets, watchdog)
		if err == nil {
			logf("another process took the sockets over")
			sockets.LeaveAdmin()
			retire()
			_, _ = io.WriteString(conn, handoverGo) // it knows by now
			conn.Close()
			return
		}
		conn.Close()
		logf("another process asked for the sockets and did not start: %v", err)
		if err := offered.bind(); err != nil {
			logf("the next one may have to be started anew: %v", err)
		}
	}
}

// give returns nil once the other side serves.
func give(conn *net.UnixConn, sockets proxy.Listeners, watchdog time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(handoverTime)) // a closed connection fails next
	fds, err := copies(sockets.All())
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	if err != nil {
		return err
	}
	if _, _, err := conn.WriteMsgUnix([]byte(handoverHello+watchdogLine(watchdog)+handoverAsk), unix.UnixRights(fds...), nil); err != nil {
		return err
	}
	for said := make([]byte, len(handoverGo)); ; {
		if _, err := io.ReadFull(conn, said); err != nil || string(said) != handoverAsk {
			return err
		}
		_ = conn.SetDeadline(time.Now().Add(handoverTime))
		if _, err := conn.Write(said); err != nil {
			return err
		}
	}
}

// copies are descriptors of the listeners' sockets. File().Fd() would make the sockets
// themselves blocking ones, on which this process still accepts.
func copies(listeners []net.Listener) (fds []int, err error) {
	for _, l := range listeners {
		socket, ok := l.(syscall.Conn)
		if !ok {
			return fds, fmt.Errorf("%T has no descriptor", l)
		}
		raw, err := socket.SyscallConn()
		if err != nil {
			return fds, err
		}
		var failed error
		err = raw.Control(func(fd uintptr) {
			var one int
			if one, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
				fds = append(fds, one)
			}
		})
		if err = errors.Join(err, failed); err != nil {
			return fds, err
		}
	}
	return fds, nil
}
