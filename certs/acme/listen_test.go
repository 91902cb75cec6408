package acme

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/certs/store"
	"bitgate/internal/peers"
)

// TestListens: on whatever addresses a front would listen, together, both responders
// answer, and on no others.
func TestListens(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	probe.Close()
	for _, c := range []struct{ listen, answered, silent string }{
		{"0.0.0.0 [::]", "127.0.0.1 ::1", ""},
		{"[::] 0.0.0.0", "127.0.0.1 ::1", ""},
		{"127.0.0.1 [::] *", "127.0.0.1 127.0.0.2 ::1", ""},
		{"127.0.0.2 0.0.0.0", "127.0.0.1 127.0.0.2", "::1"},
		{"0.0.0.0 [::1]", "127.0.0.1 ::1", ""},
		{"127.0.0.1 127.0.0.1", "127.0.0.1", "127.0.0.2 ::1"},
		{"[::]", "127.0.0.1 ::1", ""},
	} {
		port := strconv.Itoa(peers.FreePort(t))
		var addresses []string
		for host := range strings.FieldsSeq(c.listen) {
			addresses = append(addresses, host+":"+port)
		}
		asks, err := NewResponder(store.Store{StateDir: privateDir(t)})
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		http01 := func(address string) bool {
			resp, err := client.Get("http://" + address + ChallengePath + "0123456789abcdef")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return err == nil && string(body) == "0123456789abcdef."+asks.Thumbprint
		}
		accepts := func(address string) bool {
			conn, err := net.DialTimeout("tcp", address, 30*time.Second)
			if err == nil {
				conn.Close()
			}
			return err == nil
		}
		for _, r := range []struct {
			responder interface {
				Open([]string) error
				Close() error
			}
			answers func(string) bool
		}{{asks, http01}, {&TLSResponder{}, accepts}} {
			if err := r.responder.Open(addresses); err != nil {
				t.Errorf("%T on %s: %v", r.responder, c.listen, err)
			}
			for host := range strings.FieldsSeq(c.answered) {
				if !r.answers(net.JoinHostPort(host, port)) {
					t.Errorf("%T on %s does not answer at %s", r.responder, c.listen, host)
				}
			}
			for host := range strings.FieldsSeq(c.silent) {
				if r.answers(net.JoinHostPort(host, port)) {
					t.Errorf("%T on %s answers at %s", r.responder, c.listen, host)
				}
			}
			r.responder.Close()
		}
	}
}
