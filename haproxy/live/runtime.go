package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"bitgate/internal/problem"
)

// runtimeTime bounds one question on the runtime socket.
const runtimeTime = 5 * time.Second

// ask sends one command to a runtime socket, as haproxy.RuntimeSocket names it,
// and returns the answer (management guide 9.3).
func ask(ctx context.Context, socket, command string) (string, error) {
	network, address, _ := strings.Cut(socket, ":")
	ctx, cancel := context.WithTimeout(ctx, runtimeTime)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline) // a socket that cannot have one fails by itself
	if _, err := io.WriteString(c, command+"\n"); err != nil {
		return "", err
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // a master waits for more commands else; at worst the deadline ends that
	}
	answer, err := io.ReadAll(io.LimitReader(c, 1<<20))
	return strings.TrimSpace(string(answer)), err
}

// Worker is the id of the process that serves, as it says on its runtime socket
// ("show info") or its master says on the master's ("show proc", 1.9). A reload
// that worked leads to another one.
func Worker(ctx context.Context, socket string) (string, error) {
	info, err := ask(ctx, socket, "show info")
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(info, "\n") {
		if pid, ok := strings.CutPrefix(line, "Pid: "); ok {
			return pid, nil
		}
	}
	processes, err := ask(ctx, socket, "show proc")
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(processes, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "worker" {
			return f[0], nil
		}
	}
	return "", fmt.Errorf("%s does not say which process serves", socket)
}

// maxPayload is what a command may carry: all of it has to fit into one buffer
// (tune.bufsize, 16 KB). What is longer gets an empty answer.
const maxPayload = 15 << 10

// SwapCertificate gives the running HAProxy (2.4 or newer) the PEM bundle of a
// file that it has loaded, without a reload; connections are not touched. socket is
// its runtime socket of level admin, or its master's. The key travels over a UNIX
// socket only.
func SwapCertificate(ctx context.Context, socket, path string, pem []byte) error {
	if !strings.HasPrefix(socket, "unix:") {
		return fmt.Errorf("%s is no UNIX socket", socket)
	}
	var payload []byte
	for line := range bytes.Lines(pem) { // an empty line would end the payload
		if line = bytes.TrimSpace(line); len(line) > 0 {
			payload = append(append(payload, line...), '\n')
		}
	}
	defer clear(payload)
	if len(payload) > maxPayload {
		return fmt.Errorf("%s is too long for HAProxy's runtime socket: %d bytes, of which it takes %d", path, len(payload), maxPayload)
	}
	to := ""
	if isMaster(ctx, socket) {
		to = "@1 " // its worker of now
	}
	name, err := certificateName(ctx, socket, to, path)
	if err != nil {
		return err
	}
	steps := []struct{ command, good string }{
		{"set ssl cert " + name + " <<\n" + string(payload), "Transaction"},
		{"commit ssl cert " + name, "Success!"},
	}
	for _, s := range steps {
		answer, err := ask(ctx, socket, to+s.command)
		if err == nil && strings.Contains(answer, s.good) {
			continue
		}
		_, _ = ask(ctx, socket, to+"abort ssl cert "+name) // there may be nothing to abort
		return problem.Wrap(err, fmt.Sprintf("HAProxy does not take %s on its runtime socket: %s", path, answer), "", "")
	}
	return nil
}

// isMaster: only a master lists processes ("show proc", management guide 9.4).
func isMaster(ctx context.Context, socket string) bool {
	answer, err := ask(ctx, socket, "show proc")
	return err == nil && strings.Contains(answer, "master") && strings.Contains(answer, "worker")
}

// certificateName is what HAProxy calls a file that it has loaded: as its
// configuration writes it, which may be relative to crt-base or to a folder.
func certificateName(ctx context.Context, socket, to, path string) (string, error) {
	answer, err := ask(ctx, socket, to+"show ssl cert")
	if err != nil {
		return "", err
	}
	var found []string
	for name := range strings.Lines(answer) {
		switch name = strings.TrimSpace(name); {
		case name == path:
			return name, nil
		case strings.HasPrefix(name, "#") || strings.HasPrefix(name, "*"):
		case strings.HasSuffix(path, "/"+strings.TrimPrefix(name, "./")), strings.HasPrefix(name, "/") && sameFile(name, path):
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("HAProxy has not loaded %s", path)
	}
	return found[0], nil
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
