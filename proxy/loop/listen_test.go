package loop_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/proxy/loop"
)

func always() bool { return true }

// listen has serve run for each connection to the returned address, on all loops.
func listen(t *testing.T, loops []*loop.Loop, serve func(int, *loop.Conn)) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	for i, l := range loops {
		on(t, l, func() {
			err = l.Listen(socket, always, func(accepted loop.Accepted) {
				c, err := l.Add(accepted)
				if err != nil {
					t.Error(err)
					return
				}
				l.Go(func() { serve(i, c) })
			}, func(err error) { t.Error(err) })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return socket.Addr().String()
}

func TestListenOnTwoLoops(t *testing.T) {
	var served [2]atomic.Int64
	address := listen(t, several(t, 2), func(i int, c *loop.Conn) {
		served[i].Add(1)
		io.WriteString(c, "hello")
		c.Close()
	})
	for range 200 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute)) // a TCP connection has one
		if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
			t.Fatalf("%q %v", got, err)
		}
		conn.Close()
	}
	if n := served[0].Load() + served[1].Load(); n != 200 {
		t.Errorf("%d served", n)
	}
}

func TestClosedListenerRefuses(t *testing.T) {
	l := start(t)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	on(t, l, func() {
		if err := l.Listen(socket, always, func(a loop.Accepted) { a.Refuse() }, func(err error) { t.Error(err) }); err != nil {
			t.Error(err)
		}
		l.StopListening()
	})
	socket.Close()
	if conn, err := net.Dial("tcp", socket.Addr().String()); err == nil {
		t.Error("somebody still listens")
		conn.Close()
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return pair, roots
}

// together holds the client's last flight back until its first request, so that
// both leave in one packet.
type together struct {
	net.Conn
	hold bool // once the server has spoken
	kept []byte
}

// Write implements net.Conn.
func (c *together) Write(p []byte) (int, error) {
	c.kept = append(c.kept, p...)
	if c.hold {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.kept)
	c.kept = nil
	return len(p), err
}

// Read implements net.Conn.
func (c *together) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.hold = true
	return n, err
}

// Between two messages the connection holds no coroutine; the first may have come
// together with the client's Finished.
func TestTLSWithFinishedAndRequestInOnePacket(t *testing.T) {
	pair, roots := certificate(t)
	l := start(t)
	address := listen(t, []*loop.Loop{l}, func(_ int, c *loop.Conn) {
		secure := tls.Server(c.Batch(), &tls.Config{Certificates: []tls.Certificate{pair}})
		if err := secure.Handshake(); err != nil {
			t.Error(err)
			c.Close()
			return
		}
		c.QuickAck()
		var serve func()
		serve = func() {
			in := make([]byte, 100)
			n, err := secure.Read(in)
			if err != nil {
				secure.Close()
				return
			}
			fmt.Fprintf(secure, "you said %s", in[:n])
			if err := c.Flush(); err != nil {
				t.Error(err)
			}
			c.WhenReadable(time.Now().Add(patience), serve)
		}
		serve()
	})
	for _, hold := range []bool{false, true} {
		raw, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		raw.SetDeadline(time.Now().Add(patience))
		held := &together{Conn: raw}
		conn := tls.Client(held, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if !hold {
			conn = tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12})
		}
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		if hold && len(held.kept) == 0 {
			t.Fatal("nothing was held back: the test proves nothing")
		}
		for _, text := range []string{"one", "two", "three"} {
			held.hold = false
			io.WriteString(conn, text)
			answer := make([]byte, 100)
			if n, err := conn.Read(answer); string(answer[:n]) != "you said "+text || err != nil {
				t.Fatalf("held back %v: %q %v", hold, answer[:n], err)
			}
		}
		conn.Close()
	}
}
