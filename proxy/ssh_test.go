package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// sshd greets, then answers the whole of what it got once the client is done.
func sshd(t *testing.T) string {
	t.Helper()
	return tcpServer(t, func(conn net.Conn) {
		fmt.Fprint(conn, "SSH-2.0-test\r\n")
		all, _ := io.ReadAll(conn)
		fmt.Fprintf(conn, "%d", len(all))
	})
}

func dialSSH(t *testing.T, r *rig) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", r.ssh)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); line != "SSH-2.0-test\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	return conn.(*net.TCPConn), in
}

func withSSH(t *testing.T, upstream string, idle time.Duration) *rig {
	t.Helper()
	return start(t, "127.0.0.1:1", func(c *config.Config) {
		c.SSHListen, c.SSHUpstream, c.TunnelTimeout = "127.0.0.1:0", upstream, idle
	})
}

func TestSSHPassesBothWaysAndHalfClose(t *testing.T) {
	r := withSSH(t, sshd(t), time.Hour)
	conn, in := dialSSH(t, r)
	if _, err := io.WriteString(conn, strings.Repeat("x", 3<<20)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(in); string(rest) != "3145728" || err != nil {
		t.Errorf("%q %v", rest, err)
	}
}

func TestSSHIdleEnds(t *testing.T) {
	r := withSSH(t, sshd(t), 300*time.Millisecond)
	_, in := dialSSH(t, r)
	if _, err := io.Copy(io.Discard, in); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("still open")
	}
}

func TestSSHServerAbsent(t *testing.T) {
	r := withSSH(t, "127.0.0.1:1", time.Hour)
	conn, err := net.Dial("tcp", r.ssh)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if data, err := io.ReadAll(conn); len(data) > 0 || err != nil {
		t.Errorf("%q %v", data, err)
	}
}
