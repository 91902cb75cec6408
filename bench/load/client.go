package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"bitgate/bench/standin"
)

// Client is a small TLS client with the trust of the benchmark's own authority.
type Client struct{ Roots *x509.CertPool }

// config of all connections: the key exchange that every peer has, so that all
// of them compute the same.
func (c Client) config() *tls.Config {
	return &tls.Config{RootCAs: c.Roots, ServerName: Host, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// Handshakes makes n connections one after the other with one request each;
// resumed says that every one must continue the session of an earlier one. The
// unit is a connection.
func (c Client) Handshakes(ctx context.Context, address string, n int, resumed bool) (float64, error) {
	config := c.config()
	if resumed {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		if _, err := c.visit(ctx, address, config); err != nil { // the first has nothing to continue
			return 0, err
		}
	}
	for range n {
		state, err := c.visit(ctx, address, config)
		if err != nil {
			return 0, err
		}
		if state.DidResume != resumed {
			return 0, fmt.Errorf("resumed: %t, wanted: %t", state.DidResume, resumed)
		}
	}
	return float64(n), nil
}

func (c Client) visit(ctx context.Context, address string, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	if err := request(conn, bufio.NewReader(conn)); err != nil {
		return tls.ConnectionState{}, err
	}
	state := conn.(*tls.Conn).ConnectionState()
	if state.Version != tls.VersionTLS13 {
		return state, errNotTLS13
	}
	return state, nil
}

// request makes one small request and reads its answer.
func request(conn net.Conn, in *bufio.Reader) error {
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET "+standin.SmallPath+" HTTP/1.1\r\nHost: "+Host+"\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	size, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || size != standin.SmallBody) {
		err = fmt.Errorf("status %d with %d bytes", answer.StatusCode, size)
	}
	return err
}

// Idle opens n connections that have each made one request, and calls use while
// they are open and silent.
func (c Client) Idle(ctx context.Context, address string, n int, use func(open []net.Conn) error) error {
	config := c.config()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	open := make([]net.Conn, 0, n)
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	in := bufio.NewReader(nil)
	for range n {
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		open = append(open, conn)
		in.Reset(conn)
		if err := request(conn, in); err != nil {
			return err
		}
	}
	return use(open)
}

// Steady opens n connections first and then, inside the function that measure is
// given, asks over all of them for the given time; so no handshake is measured.
// It returns the number of requests.
func (c Client) Steady(ctx context.Context, address string, n int, length time.Duration, measure func(running func()) error) (float64, error) {
	var done atomic.Int64
	err := c.Idle(ctx, address, n, func(open []net.Conn) error {
		errs := make(chan error, n)
		measured := measure(func() {
			end := time.Now().Add(length)
			for _, conn := range open {
				go func() { errs <- askUntil(end, conn, &done) }()
			}
			for range open {
				if err := <-errs; err != nil {
					errs <- err
					return
				}
			}
		})
		select {
		case err := <-errs:
			return err
		default:
			return measured
		}
	})
	return float64(done.Load()), err
}

func askUntil(end time.Time, conn net.Conn, done *atomic.Int64) error {
	in := bufio.NewReader(conn)
	for time.Now().Before(end) {
		if err := request(conn, in); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// Paced makes n requests at fixed moments, rate per second, over a few open
// connections, and returns the median and the 99th percentile of the time from
// the moment a request could be sent to its answer's last byte; a late answer
// counts for the requests that had to wait for it.
func (c Client) Paced(ctx context.Context, address string, n, rate int) (p50, p99 time.Duration, err error) {
	const connections = 8
	type result struct {
		times []time.Duration
		err   error
	}
	results := make(chan result)
	begun := time.Now().Add(100 * time.Millisecond)
	for k := range connections {
		go func() {
			var r result
			r.times, r.err = c.paced(ctx, address, func(i int) (time.Time, bool) {
				i = i*connections + k
				return begun.Add(time.Duration(i) * time.Second / time.Duration(rate)), i < n
			})
			results <- r
		}()
	}
	var all []time.Duration
	for range connections {
		r := <-results
		all = append(all, r.times...)
		if r.err != nil {
			err = r.err
		}
	}
	if err != nil {
		return 0, 0, err
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], nil
}

func (c Client) paced(ctx context.Context, address string, due func(int) (time.Time, bool)) ([]time.Duration, error) {
	conn, err := (&tls.Dialer{Config: c.config()}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	var times []time.Duration
	for i := 0; ; i++ {
		at, more := due(i)
		if !more {
			return times, nil
		}
		if wait := time.Until(at); wait > 0 {
			time.Sleep(wait)
			at = time.Now() // the sleep's own lateness is not the proxy's
		}
		if err := request(conn, in); err != nil {
			return nil, err
		}
		times = append(times, time.Since(at))
	}
}
