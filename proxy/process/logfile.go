package process

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/proxy/config"
)

// logFile is the access log in a file of its own, which can be opened anew after
// somebody has moved it away (logrotate(8)).
type logFile struct {
	path string

	mu     sync.Mutex
	file   *os.File // nil until it can be opened as the proxy's user
	before []byte   // lines from before that
}

// openLog opens the access log. Root does so only where the user that the proxy
// becomes cannot have chosen what lies there, a link to a file of root's, say; else
// that user does, once the proxy has become it.
func openLog(path, user string) (*logFile, error) {
	l := &logFile{path: path}
	if os.Geteuid() != 0 {
		return l, l.open()
	}
	uid, _, err := lookup(user)
	if err != nil {
		return nil, err
	}
	l.file, err = trusted.AppendNotBy(uid, "the access log", path, 0o640)
	var planted *problem.Error
	if err != nil && !errors.As(err, &planted) {
		return nil, logProblem(err)
	}
	return l, nil
}

// open opens it with the rights that the process has. A FIFO keeps nobody waiting:
// it cannot be opened without a reader.
func (l *logFile) open() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|unix.O_NONBLOCK, 0o640)
	if err != nil {
		return logProblem(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	if len(l.before) > 0 {
		_, _ = file.Write(l.before)
		l.before = nil
	}
	return nil
}

func logProblem(err error) error {
	return problem.Wrap(err, "the access log cannot be written", "", "choose another file (access-log) that the proxy's user may write, or - for standard output")
}

// dropped is called once the process has become the proxy's user.
func (l *logFile) dropped() error {
	if l == nil || l.file != nil {
		return nil
	}
	return l.open()
}

// reopen opens the file anew, so that a log that was moved away can be packed.
func (l *logFile) reopen(logf func(format string, args ...any)) {
	if l == nil {
		return
	}
	if err := l.open(); err != nil {
		logf("the access log stays in the file that is open: %v; let logrotate copy and truncate it (copytruncate)", err)
	}
}

// Write implements io.Writer.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	file := l.file
	if file == nil {
		l.before = append(l.before, p...)
		l.mu.Unlock()
		return len(p), nil
	}
	l.mu.Unlock()
	n, err := file.Write(p) // it may wait, so that reopen does not
	if !errors.Is(err, os.ErrClosed) {
		return n, err
	}
	l.mu.Lock() // reopened in between
	file = l.file
	l.mu.Unlock()
	rest, err := file.Write(p[n:])
	return n + rest, err
}

// Close implements io.Closer.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// keysNotPlanted refuses certificate files that root would read in the stead of the
// user that the proxy becomes, where that user can have chosen them.
func keysNotPlanted(c config.Config, user string) error {
	uid, _, err := lookup(user)
	if err != nil {
		return err
	}
	for _, path := range keyFiles(c) {
		file, err := trusted.OpenNotBy(uid, "the certificate", path)
		var planted *problem.Error
		if errors.As(err, &planted) && !readableBy(uid, path) {
			return err
		}
		if err == nil {
			file.Close()
		}
	}
	return nil
}

// readableBy reports whether the user may read the file anyway: then nothing is won
// by having root read it.
func readableBy(uid int, path string) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	var st unix.Stat_t
	if unix.Fstat(int(file.Fd()), &st) != nil {
		return false
	}
	return int(st.Uid) == uid && st.Mode&0o400 != 0 || st.Mode&0o004 != 0
}
