package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// sight is what became of a stream at a proxy.
type sight struct {
	whole   []string // the requests that the server got to their end
	faults  []string // violations of the grammar in what it got
	answers []string // statuses, with " close" where the answer says so
	err     error    // of reading the answers
}

func (v sight) String() string {
	return fmt.Sprintf("%q %q answers %q %v", v.whole, v.faults, v.answers, v.err)
}

// side is a proxy whose lanes are free for the next stream.
type side struct {
	peer
	free chan lane
	tls  *tls.Config
}

func newSide(protocol string, p peer) side {
	s := side{p, make(chan lane, len(p.lanes)), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}, ClientSessionCache: tls.NewLRUClientSessionCache(100)}}
	for _, l := range p.lanes {
		s.free <- l
	}
	return s
}

var statusLines = regexp.MustCompile(`HTTP/1\.[01] (\d\d\d)[ \r]`)

func (s side) play(stream string) (v sight) {
	l := <-s.free
	defer func() { s.free <- l }()
	l.server.take() // what is left of another stream's end
	var text string
	text, v.err = converse(l.front, s.tls, strings.ReplaceAll(stream, "HOST", corpusHost))
	v.answers = statuses(text)
	v.whole, v.faults = received(l.server.take())
	return v
}

// statuses are those of the final answers.
func statuses(text string) (answers []string) {
	at := statusLines.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		status, head := text[m[2]:m[3]], text[m[0]:end]
		switch status {
		case "100":
			continue
		case "408", "504": // the server waits for the body's end, too
			answers = append(answers, timedOut)
			continue
		}
		head, _, _ = strings.Cut(strings.ToLower(head), "\r\n\r\n")
		if strings.Contains(head, "\r\nconnection: close") {
			status += " close"
		}
		answers = append(answers, status)
	}
	return answers
}

const timedOut = "timed out"

// origin is what absolute-form has before origin-form. HAProxy passes it on; RFC
// 9112, 3.2.1, demands the latter towards a server.
var origin = regexp.MustCompile(`^(?i:https?)://` + regexp.QuoteMeta(corpusHost))

// received tells the requests that are whole, and what is wrong with any.
func received(messages []message) (whole, faults []string) {
	for _, m := range messages {
		faults = append(faults, m.faults...)
		if m.whole {
			whole = append(whole, fmt.Sprintf("%s %s %s %s", m.method, origin.ReplaceAllString(m.target, ""), m.host, m.body))
		}
	}
	return whole, faults
}

// converse sends bytes and returns all that comes back until the proxy ends the
// connection.
func converse(front string, c *tls.Config, stream string) (string, error) {
	conn, err := connect(front, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, stream) // refused streams may not be taken to their end
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// connect is dial for a proxy whose limits may be too short for a handshake on a
// busy machine.
func connect(front string, c *tls.Config) (conn *tls.Conn, err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if conn, err = dialTLS(front, c); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
