// Package standin holds the two small servers that the benchmark brings along:
// the back end behind every proxy, and the reverse proxy that Go's standard
// library makes when it is tuned.
package standin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
)

// Sizes in bytes of what the back end answers.
const (
	SmallBody = 1 << 10
	PageBody  = 50 << 10
	PackBody  = 200 << 20
)

// Paths of the back end. Any POST or PUT is read to its end and answered "ok".
const (
	SmallPath = "/small"
	PagePath  = "/page"
	PackPath  = "/pack"
	PushPath  = "/push"
)

// Tomcat writes a body without length in chunks of its 8 KiB output buffer.
const chunk = 8 << 10

// Backend answers on the listener until that is closed: canned HTTP/1.1 answers
// with the head that Bitbucket sends, so that its own cost is small and the same
// for every proxy. It trusts the proxies in front of it to send well-formed requests.
func Backend(l net.Listener) error {
	small := answer("application/json;charset=UTF-8", SmallBody)
	page := answer("text/html;charset=UTF-8", PageBody)
	pack := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n" +
		"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			in := bufio.NewReaderSize(c, 64<<10)
			for {
				path, keep, err := readRequest(in, c)
				if err != nil {
					return
				}
				switch path {
				case SmallPath:
					_, err = c.Write(small)
				case PagePath:
					_, err = c.Write(page)
				case PackPath:
					err = writePack(c, pack)
				default: // a push, a health check
					_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
				}
				if err != nil || !keep {
					return
				}
			}
		}()
	}
}

func answer(kind string, size int) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-AREQUESTID: @1ABCDEFx1x2x0\r\nX-ASEN: SEN-500\r\nX-AUSERID: 1\r\n"+
		"X-AUSERNAME: admin\r\nCache-Control: no-cache, no-transform\r\nVary: X-AUSERNAME,X-AUSERID,Cookie,accept-encoding\r\n"+
		"X-Content-Type-Options: nosniff\r\nContent-Type: %s\r\nContent-Length: %d\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\n\r\n", kind, size)
	return append([]byte(head), bytes.Repeat([]byte("x"), size)...)
}

func writePack(c net.Conn, head []byte) error {
	block := bytes.Repeat(append(fmt.Appendf(nil, "%x\r\n", chunk), append(bytes.Repeat([]byte{0xA5}, chunk), "\r\n"...)...), 8)
	if _, err := c.Write(head); err != nil {
		return err
	}
	for sent := 0; sent < PackBody; sent += 8 * chunk {
		if _, err := c.Write(block); err != nil {
			return err
		}
	}
	_, err := io.WriteString(c, "0\r\n\r\n")
	return err
}

// readRequest takes one request and its body off the connection.
func readRequest(in *bufio.Reader, c net.Conn) (path string, keep bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", false, err
	}
	words := bytes.Fields(line)
	if len(words) != 3 {
		return "", false, fmt.Errorf("request line %q", line)
	}
	path, keep = string(words[1]), true
	length, chunked := int64(0), false
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return "", false, err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if !found {
			break
		}
		switch value := strings.TrimSpace(string(value)); textproto.CanonicalMIMEHeaderKey(string(name)) {
		case "Content-Length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return "", false, err
			}
		case "Transfer-Encoding":
			chunked = true
		case "Connection":
			keep = !strings.EqualFold(value, "close")
		case "Expect":
			if _, err = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return "", false, err
			}
		}
	}
	if chunked {
		return path, keep, discardChunks(in)
	}
	_, err = io.CopyN(io.Discard, in, length)
	return path, keep, err
}

func discardChunks(in *bufio.Reader) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, in, size+2); err != nil { // and its CRLF
			return err
		}
		if size == 0 {
			return nil
		}
	}
}
