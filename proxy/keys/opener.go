package keys

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"bitgate/certs"
	"bitgate/internal/trusted"
)

// Opener opens certificate files for a process that may not: whoever serves the
// other end of its connection (ServeOpener) started with more rights, opens the
// files that were named then and no other, and sends their descriptors. So a
// proxy that has given up root still gets a renewed key that only root may read,
// and what breaks into it gets nothing that it did not have.
type Opener struct {
	mu    sync.Mutex
	conn  *net.UnixConn // sequenced packets
	paths []string
	asked byte // the number of the last question
}

// openerPatience is how long the other end may take.
const openerPatience = 5 * time.Second

var errNoDescriptor = errors.New("the key opener sent no descriptor")

// NewOpener asks over conn for the paths, in the order that the other end knows.
func NewOpener(conn *net.UnixConn, paths []string) *Opener {
	return &Opener{conn: conn, paths: paths}
}

// Open opens path, which the other end does where this process may not.
func (o *Opener) Open(path string) (*os.File, error) {
	file, err := certs.Open(path)
	n := slices.Index(o.paths, path)
	if !errors.Is(err, os.ErrPermission) || n < 0 {
		return file, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.conn.SetDeadline(time.Now().Add(openerPatience)) // fails on a closed connection only
	o.asked++
	if _, err := o.conn.Write([]byte{o.asked, byte(n)}); err != nil {
		return nil, err
	}
	for {
		number, errno, file, err := o.answer(path)
		switch {
		case err != nil && !errors.Is(err, errNoDescriptor):
			return nil, err
		case number != o.asked: // to a question whose asker waited no longer
			if file != nil {
				file.Close()
			}
		case errno != 0:
			return nil, &os.PathError{Op: "open", Path: path, Err: errno}
		default:
			return file, err
		}
	}
}

// answer reads the next one.
func (o *Opener) answer(path string) (number byte, errno syscall.Errno, file *os.File, err error) {
	var said [2]byte
	control := make([]byte, syscall.CmsgSpace(4))
	_, m, _, _, err := o.conn.ReadMsgUnix(said[:], control)
	if err == nil && said[1] == 0 {
		file, err = descriptor(control[:m], path)
	}
	return said[0], syscall.Errno(said[1]), file, err
}

// descriptor takes the file out of a message.
func descriptor(control []byte, path string) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		return nil, errNoDescriptor
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errNoDescriptor
	}
	syscall.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), path), nil
}

// ServeOpener opens paths for the Opener at the other end of conn until that is
// closed.
func ServeOpener(conn *net.UnixConn, paths []string) {
	var asked [2]byte // its number, and which path
	for {
		if m, err := conn.Read(asked[:]); m != len(asked) || err != nil || int(asked[1]) >= len(paths) {
			return
		}
		if err := sendFile(conn, asked[0], paths[asked[1]]); err != nil {
			return
		}
	}
}

// sendFile answers a question with path's descriptor, or the number of what the kernel
// said.
func sendFile(conn *net.UnixConn, number byte, path string) error {
	file, err := trusted.OpenNotBy(os.Geteuid(), "the certificate", path)
	if err != nil {
		errno := syscall.EPERM // of who could have planted it
		errors.As(err, &errno)
		_, err = conn.Write([]byte{number, byte(errno)})
		return err
	}
	defer file.Close()
	_, _, err = conn.WriteMsgUnix([]byte{number, 0}, syscall.UnixRights(int(file.Fd())), nil)
	return err
}
