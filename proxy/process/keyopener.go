package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/keys"
)

// KeysVariable carries the descriptor of the key opener over Reexec.
const KeysVariable = "BITGATE_KEYS"

// startKeyOpener decides who opens the certificate files once the proxy serves. A
// process that may read every file now, as root or with CAP_DAC_READ_SEARCH, does
// not keep that right where it meets the network: it leaves it to a process of
// its own, which opens these files and does nothing else. Root drops the rest
// later (DropPrivileges); a capability goes by starting this program anew
// without it, in the same process.
func startKeyOpener(c config.Config, s Surroundings) (*keys.Opener, error) {
	paths := keyFiles(c)
	if s.KeyFD > 0 {
		if all, err := readsAll(); err != nil {
			return nil, err
		} else if all {
			return nil, errors.New("the proxy still has CAP_DAC_READ_SEARCH, which must not face the network")
		}
		return connectKeyOpener(os.NewFile(uintptr(s.KeyFD), "key opener"), paths)
	}
	all, err := readsAll()
	if !all || s.SpawnKeyOpener == nil || s.Reexec == nil {
		return nil, err // each file must be readable for the user that serves
	}
	root := os.Geteuid() == 0
	ours, err := spawnKeyOpener(c, s, paths, root)
	if err != nil {
		return nil, err
	}
	if root {
		return connectKeyOpener(ours, paths)
	}
	return nil, reexec(s, ours)
}

// spawnKeyOpener starts the process that opens files and returns our end of the
// connection. From root it becomes the user that the proxy becomes, with the one
// capability; else it inherits that.
func spawnKeyOpener(c config.Config, s Surroundings, paths []string, root bool) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "key opener"), os.NewFile(uintptr(pair[1]), "key opener")
	defer theirs.Close()
	cmd := s.SpawnKeyOpener(paths)
	cmd.Files = []*os.File{theirs}
	if root {
		uid, gid, err := lookup(s.user(c))
		if err != nil {
			ours.Close()
			return nil, err
		}
		cmd.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		cmd.AmbientCaps = []uintptr{unix.CAP_DAC_READ_SEARCH}
	}
	running, err := cmd.Start(context.Background())
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("cannot start the process that opens renewed keys: %w", err)
	}
	go func() { _ = running.Wait() }() // without it renewed keys are not read, which is told then
	return ours, nil
}

// reexec starts this program anew without the right to read every file. The
// ambient set of the thread that does it is what counts (capabilities(7)).
func reexec(s Surroundings, opener *os.File) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, unix.CAP_DAC_READ_SEARCH, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_CAP_AMBIENT_LOWER): %w", err)
	}
	fd, err := unix.Dup(int(opener.Fd())) // one that exec leaves open
	if err != nil {
		return fmt.Errorf("dup: %w", err)
	}
	return s.Reexec(KeysVariable + "=" + strconv.Itoa(fd))
}

func connectKeyOpener(file *os.File, paths []string) (*keys.Opener, error) {
	defer file.Close() // the connection has a copy
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("descriptor of the key opener: %w", err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("descriptor of the key opener: it is a %s socket", conn.LocalAddr().Network())
	}
	return keys.NewOpener(socket, paths), nil
}

// readsAll reports whether this process has the capability to read every file.
func readsAll() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, fmt.Errorf("capget: %w", err)
	}
	return data[0].Permitted&(1<<unix.CAP_DAC_READ_SEARCH) != 0, nil
}

// keyFiles are the files that the proxy reads for c, each once.
func keyFiles(c config.Config) []string {
	all := c.Files()
	for _, p := range proxy.KeyPaths(c) {
		for _, file := range []string{p.PEM, p.Cert, p.Chain, p.Key} {
			if file != "" && !slices.Contains(all, file) {
				all = append(all, file)
			}
		}
	}
	return all
}

// ServeKeys is the life of the process that opens certificate files: descriptor 3
// is its connection, whose end is its own. It cannot gain privileges, and others
// of its user cannot look into it.
func ServeKeys(paths []string) error {
	if err := noNewPrivileges(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	file := os.NewFile(3, "proxy") // the first of exec.Cmd.ExtraFiles
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("descriptor 3: %w", err)
	}
	file.Close()
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("descriptor 3 is %s", conn.LocalAddr().Network())
	}
	keys.ServeOpener(socket, paths)
	return nil
}
