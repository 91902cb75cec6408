package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// transparent is one thing that must pass unchanged, or must not pass.
//
// Expectations are lines: "+line" must be there exactly, "-prefix" must not
// (whatever its case), "=a|b" must come in this order, "*text" anywhere.
type transparent struct {
	name    string
	request string // HOST is the public authority
	answer  string // of the server, "" for a plain one
	status  int    // what the client gets, 0 for 200
	server  string // expectations of what the server gets, separated by newlines; "" where nothing may arrive
	client  string // expectations of what the client gets
}

const plainAnswer = afterBody + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

func get(target string, fields ...string) string {
	return request("GET", target, "", fields...)
}

func request(method, target, body string, fields ...string) string {
	return method + " " + target + " HTTP/1.1\r\n" + strings.Join(append([]string{"Host: HOST"}, append(fields, "Connection: close")...), "\r\n") + "\r\n\r\n" + body
}

// front is a proxy before the script.
type front struct {
	name, addr string
	server     *script
	folds      bool // it writes names in lower case, which is no fault of another proxy's
}

func TestTransparency(t *testing.T) {
	t.Parallel()
	cases := transparencyCases()
	if len(cases) < 120 {
		t.Fatalf("%d cases, at least 120 were promised", len(cases))
	}
	s := newScript(t)
	r := start(t, s.addr, func(c *config.Config) { c.URL, _ = publicurl.Parse("https://" + corpusHost) })
	fronts := []front{{"bitgate", r.addr, s, false}}
	if needs(t, "haproxy") {
		pem := (&rig{t: t}).certificate()
		fronts = append(fronts, haproxyBefore(t, pem, false), haproxyBefore(t, pem, true))
	}
	failures := map[string][]string{}
	for _, f := range fronts {
		for _, c := range cases {
			wrong := f.try(c)
			for again := 0; wrong != "" && again < 2 && f.name == "bitgate"; again++ { // the machine may have stood still
				wrong = f.try(c)
			}
			if wrong != "" {
				failures[f.name] = append(failures[f.name], c.name+": "+wrong)
			}
		}
	}
	for _, f := range fronts {
		t.Logf("%-16s %d of %d", f.name, len(cases)-len(failures[f.name]), len(cases))
		for _, wrong := range failures[f.name] {
			t.Logf("    %.170s", wrong)
		}
	}
	for _, wrong := range failures["bitgate"] {
		t.Error(wrong)
	}
}

func haproxyBefore(t *testing.T, pem string, hardened bool) front {
	t.Helper()
	s := newScript(t)
	l := lane{front: peers.FreeAddress(t)}
	name := "HAProxy"
	text := fmt.Sprintf("frontend f\n    bind %s ssl crt %s alpn http/1.1\n    option forwardfor\n    http-request set-header X-Forwarded-Proto https\n    default_backend b\n\nbackend b\n    server s %s maxconn 50\n", l.front, pem, s.addr)
	if hardened {
		name = "HAProxy hardened"
		public, err := publicurl.Parse("https://" + corpusHost)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = haproxy.Render(haproxy.Site{URL: public, Listen: []string{l.front}, Bundle: pem, Upstream: s.addr, MaxConn: 50, Version: haproxy.Version{Major: 2, Minor: 6}}); err != nil {
			t.Fatal(err)
		}
	}
	program(t, []lane{l}, "haproxy", "-db", "-f", write(t, "haproxy.cfg", haproxyGlobal+text))
	return front{name, l.front, s, true}
}

// try returns what is wrong, "" for nothing.
func (f front) try(c transparent) string {
	answer := c.answer
	if answer == "" {
		answer = plainAnswer
	}
	for len(f.server.answer) > 0 {
		<-f.server.answer
	}
	for len(f.server.got) > 0 {
		<-f.server.got
	}
	f.server.answer <- answer
	back := ask(f.addr, strings.ReplaceAll(c.request, "HOST", corpusHost))
	want := c.status
	if want == 0 {
		want = 200
	}
	status, wait := finalStatus(back), 300*time.Millisecond
	switch {
	case status != want:
	case c.server == "":
		wait = 0
	default:
		wait = patience
	}
	arrived := ""
	select {
	case arrived = <-f.server.got: // perhaps a moment after the answer
	case <-time.After(wait):
	}
	if status != want {
		return fmt.Sprintf("status %d, want %d", status, want)
	}
	if c.server == "" && arrived != "" {
		return fmt.Sprintf("the server got %.200q", arrived)
	}
	if wrong := f.expect(arrived, c.server); wrong != "" {
		return "at the server: " + wrong
	}
	return f.expect(back, c.client)
}

// sameField compares without the case of the names.
func sameField(a, b string) bool {
	name, value, _ := strings.Cut(a, ":")
	other, want, ok := strings.Cut(b, ":")
	return ok && strings.EqualFold(name, other) && value == want
}

// finalStatus skips interim answers.
func finalStatus(answer string) int {
	for {
		var status int
		if _, err := fmt.Sscanf(answer, "HTTP/1.1 %d", &status); err != nil {
			return 0
		}
		if status >= 200 || status == 101 {
			return status
		}
		_, answer, _ = strings.Cut(answer, "\r\n\r\n")
	}
}

func (f front) expect(text, expectations string) string {
	lines := strings.Split(text, "\r\n")
	at := func(want string) int {
		for i, line := range lines {
			if line == want || f.folds && sameField(line, want) {
				return i
			}
		}
		return -1
	}
	for e := range strings.SplitSeq(expectations, "\n") {
		if e == "" {
			continue
		}
		kind, rest := e[0], e[1:]
		switch kind {
		case '+':
			if at(rest) < 0 {
				return fmt.Sprintf("no line %q in %.400q", rest, text)
			}
		case '-':
			for _, line := range lines {
				if len(line) >= len(rest) && strings.EqualFold(line[:len(rest)], rest) {
					return fmt.Sprintf("line %q", line)
				}
			}
		case '=':
			last := -1
			for _, want := range strings.Split(rest, "|") {
				i := at(want)
				if i <= last {
					return fmt.Sprintf("%q is not there, or out of order, in %.400q", want, text)
				}
				last = i
			}
		case '*':
			if !strings.Contains(text, rest) {
				return fmt.Sprintf("no %q in %.400q", rest, text)
			}
		default:
			panic("expectation " + e)
		}
	}
	return ""
}
