package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Marks in a scripted request or answer: what follows is sent only after the
// other side's interim answer, or after the request's body, has arrived.
const (
	after100  = "@100@"
	afterBody = "@BODY@"
)

// script is a server that answers one request at a time as it is told, and
// keeps what it got.
type script struct {
	addr   string
	answer chan string
	got    chan string
}

func newScript(t testing.TB) *script {
	t.Helper()
	s := &script{answer: make(chan string, 1), got: make(chan string, 10)}
	s.addr = tcpServer(t, s.serve)
	return s
}

func (s *script) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		head.WriteString(line)
	}
	if strings.Contains(head.String(), "/status HTTP/1") {
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return // HAProxy's health check
	}
	before, after, _ := strings.Cut(<-s.answer, afterBody)
	io.WriteString(conn, before)
	s.got <- head.String() + "BODY:" + readBody(head.String(), in) + "\r\n"
	io.WriteString(conn, after)
	if strings.HasPrefix(before+after, "HTTP/1.1 101") {
		echo := make([]byte, 4)
		if _, err := io.ReadFull(in, echo); err == nil {
			conn.Write(bytes.ToUpper(echo))
		}
	}
}

func readBody(head string, in *bufio.Reader) string {
	var from io.Reader
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch strings.ToLower(name) {
		case "content-length":
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			from = io.LimitReader(in, n)
		case "transfer-encoding":
			from = httputil.NewChunkedReader(in)
		}
	}
	if from == nil {
		return ""
	}
	data, err := io.ReadAll(from)
	if err != nil {
		return string(data) + " BROKEN"
	}
	return string(data)
}

// ask sends a scripted request to a front and returns all that comes back.
func ask(front, request string) string {
	conn, err := dialTLS(front, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	first, rest, waits := strings.Cut(request, after100)
	io.WriteString(conn, first)
	var answer bytes.Buffer
	in := bufio.NewReader(conn)
	if waits {
		for !strings.HasSuffix(answer.String(), "\r\n\r\n") {
			line, err := in.ReadString('\n')
			answer.WriteString(line)
			if err != nil {
				return answer.String()
			}
		}
		io.WriteString(conn, rest)
	}
	_, _ = io.Copy(&answer, in)
	return answer.String()
}
