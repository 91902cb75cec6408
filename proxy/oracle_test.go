package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The oracle is a server that reads what a proxy sends it by the strictest
// grammar of RFC 9112, with code that shares nothing with the proxy's.

// message is one request as it arrived at the server.
type message struct {
	head   string
	method string
	target string
	host   string
	body   string
	whole  bool     // its body came to its end
	faults []string // violations of the grammar
}

// oracle records messages and answers each with its own target.
type oracle struct {
	addr string
	mu   sync.Mutex
	got  []*message
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	o := &oracle{}
	o.addr = tcpServer(t, o.serve)
	return o
}

// take returns what arrived since the last call, as it is now: a body may still
// be arriving.
func (o *oracle) take() (got []message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.got {
		got = append(got, *m)
	}
	o.got = nil
	return got
}

func (o *oracle) note(m *message, fault string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m.faults = append(m.faults, fault)
}

const tokenBytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func isToken(s string) bool { return s != "" && strings.Trim(s, tokenBytes) == "" }

// isText allows visible bytes and those beyond ASCII, and blanks if they are allowed.
func isText(s, blanks string) bool {
	for _, c := range []byte(s) {
		if (c <= ' ' || c == 0x7f) && strings.IndexByte(blanks, c) < 0 {
			return false
		}
	}
	return true
}

// requestLine returns method and target of a valid request line, else "".
func requestLine(line string) (method, target string) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if !isToken(method) || !isText(target, "") || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return "", ""
	}
	return method, target
}

func (o *oracle) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			line, err := in.ReadString('\n')
			head.WriteString(line)
			if err != nil {
				if head.Len() > 0 {
					o.record(&message{head: head.String(), faults: []string{"no complete head"}})
				}
				return
			}
			if line == "\n" {
				break
			}
		}
		m, length, chunked := judge(head.String())
		o.record(m)
		if strings.Contains(strings.ToLower(m.head), "\r\nexpect: 100-continue\r\n") {
			fmt.Fprint(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if err := o.body(m, in, length, chunked); err != nil || len(m.faults) > 0 && m.faults[0] != "no Host" && m.faults[0] != "trailer" {
			return
		}
		answer := m.target
		if m.method == "HEAD" {
			answer = ""
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(m.target), answer)
	}
}

func (o *oracle) record(m *message) {
	if strings.HasSuffix(m.target, "/status") {
		return // HAProxy's health check
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got = append(o.got, m)
}

// judge reads a head. A message that merely lacks a Host has that one fault.
func judge(head string) (m *message, length int, chunked bool) {
	m = &message{head: head}
	fault := func(text string) { m.faults = append(m.faults, text) }
	lines := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	if m.method, m.target = requestLine(lines[0]); m.target == "" {
		fault("request line")
	}
	hosts, lengths, codings := 0, 0, 0
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || !isText(value, " \t") {
			fault("header line")
			continue
		}
		value = strings.Trim(value, " \t")
		switch name := strings.ToLower(name); name {
		case "host":
			hosts++
			m.host = value
		case "content-length":
			n, err := strconv.ParseUint(value, 10, 62)
			if lengths++; err != nil {
				fault("Content-Length")
			}
			length = int(n)
		case "transfer-encoding":
			codings++
			if chunked = true; !strings.EqualFold(value, "chunked") {
				fault("Transfer-Encoding")
			}
		default:
			if plain := strings.NewReplacer("_", "-", ".", "-").Replace(name); plain == "content-length" || plain == "transfer-encoding" {
				fault("twin of " + plain)
			}
		}
	}
	if lengths > 1 || codings > 1 || lengths > 0 && codings > 0 {
		fault("two lengths")
	}
	if hosts > 1 {
		fault("two Hosts")
	}
	if hosts == 0 {
		fault("no Host")
	}
	return m, length, chunked
}

// body reads the message to its end.
func (o *oracle) body(m *message, in *bufio.Reader, length int, chunked bool) error {
	var data strings.Builder
	read := o.chunks
	if !chunked {
		read = func(_ *message, in *bufio.Reader, data io.Writer) error {
			_, err := io.CopyN(data, in, int64(length))
			return err
		}
	}
	err := read(m, in, &data)
	o.mu.Lock()
	defer o.mu.Unlock()
	m.body, m.whole = data.String(), err == nil
	return err
}

func (o *oracle) chunks(m *message, in *bufio.Reader, data io.Writer) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		digits, ok := strings.CutSuffix(line, "\r\n")
		n, err := strconv.ParseUint(digits, 16, 60)
		if err != nil || !ok {
			o.note(m, "chunk size line")
			return errors.New("broken")
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(data, in, int64(n)); err != nil {
			return err
		}
		if end, err := in.ReadString('\n'); err != nil || end != "\r\n" {
			o.note(m, "chunk end")
			return errors.New("broken")
		}
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return err
		}
		o.note(m, "trailer")
	}
}
