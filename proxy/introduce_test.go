package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// proxied sends a PROXY header and then a request over TLS; "" is no answer.
func proxied(t *testing.T, r *rig, header string) string {
	t.Helper()
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(raw, header); err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, r.tls())
	if conn.Handshake() != nil {
		return ""
	}
	fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n", r.url.Authority())
	res := readAnswer(t, bufio.NewReader(conn))
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPROXYProtocolIsAcceptedFromTrustedProxies(t *testing.T) {
	const v1 = "PROXY TCP4 192.0.2.7 192.0.2.8 56324 443\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\xdc\x04\x01\xbb"
	local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	for _, tt := range []struct {
		name    string
		trusted bool
		header  string
		want    string
	}{
		{"version 1", true, v1, "192.0.2.7"},
		{"version 2", true, v2, "192.0.2.7"},
		{"the proxy for itself", true, local, "6.6.6.6"}, // it is trusted, and so is its header
		{"no header", true, "", ""},
		{"half a header", true, "PROXY TCP4 192.0.2.7\r\n", ""},
		{"from a stranger", false, v1, ""},
		{"a stranger without", false, "", "127.0.0.1"},
	} {
		r := start(t, server(t, hello), func(c *config.Config) {
			c.ProxyProtocol, c.TrustedProxies = true, []string{"10.0.0.0/8"}
			if tt.trusted {
				c.TrustedProxies = []string{"127.0.0.1"}
			}
		})
		if got := proxied(t, r, tt.header); got != tt.want {
			t.Errorf("%s: the server is told %q, want %q", tt.name, got, tt.want)
		}
		if tt.want == "192.0.2.7" {
			until(t, "the client is logged", func() bool { return strings.Contains("\n"+r.log.String(), "\n192.0.2.7:56324 ") })
		}
	}
}

func TestSilentTrustedProxyIsCut(t *testing.T) {
	r := start(t, server(t, hello), func(c *config.Config) {
		c.ProxyProtocol, c.TrustedProxies, c.RequestTimeout = true, []string{"127.0.0.1"}, 50*time.Millisecond
	})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

func TestPROXYProtocolIsSentToSSH(t *testing.T) {
	for version, want := range map[string]string{
		"v1": "PROXY TCP4 127.0.0.1 127.0.0.1 PORT %s\r\n",
		"v2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		r := start(t, "127.0.0.1:1", func(c *config.Config) {
			c.SSHListen, c.SSHUpstream, c.SSHProxyProtocol = "127.0.0.1:0", l.Addr().String(), version
		})
		conn, err := net.Dial("tcp", r.ssh)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "SSH-2.0-x\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		got.SetDeadline(time.Now().Add(patience))
		if version == "v1" {
			_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
			_, own, _ := net.SplitHostPort(r.ssh)
			want = strings.Replace(fmt.Sprintf(want, own), "PORT", port, 1)
		}
		head := make([]byte, len(want))
		if _, err := io.ReadFull(got, head); err != nil || string(head) != want {
			t.Errorf("%s: %q, %v, want %q", version, head, err, want)
		}
	}
}
