package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bitgate/proxy/h1"
)

// reading is how a parser takes a stream of requests apart.
type reading struct {
	requests []string // with their bodies, whole ones only
	err      error    // why it went no further; nil at the stream's end
}

// TestCoreLikeNetHTTP: what proxy/h1 takes for a request in a mutated stream, the
// standard library takes for the same one, with the same body. That proxy/h1
// refuses more is counted.
func TestCoreLikeNetHTTP(t *testing.T) {
	playMutations(t, 20_000, func(r *rand.Rand) (why, details string) {
		stream := strings.ReplaceAll(mutated(r), "HOST", corpusHost)
		ours, theirs := readOurs([]byte(stream)), readTheirs(stream)
		why = sameReading(ours, theirs)
		if why == awaitedByUs { // what if it comes to its end?
			if why = sameReading(readOurs([]byte(stream+"\r\n\r\n")), readTheirs(stream+"\r\n\r\n")); why != "" {
				why += " (" + awaitedByUs + ")"
			}
		}
		return why, fmt.Sprintf("%q\nproxy/h1: %q %v\nnet/http: %q %v", stream, ours.requests, ours.err, theirs.requests, theirs.err)
	})
}

func sameReading(ours, theirs reading) string {
	for i, request := range ours.requests {
		var escape url.EscapeError
		switch {
		case i == len(theirs.requests) && errors.As(theirs.err, &escape):
			// Scripts send it, HAProxy passes it on, and the server judges it.
			return "refused by net/http alone: a % in the path that is no escape"
		case i == len(theirs.requests) && !strings.Contains(request, " "+corpusHost+" "):
			return "refused by net/http, and by us with 421: another host"
		case i == len(theirs.requests) || request != theirs.requests[i]:
			return ""
		}
	}
	switch {
	case len(ours.requests) == len(theirs.requests) && (ours.err == nil) == (theirs.err == nil):
		return "alike"
	case ours.err != nil:
		return "stricter: " + ours.err.Error()
	case len(ours.requests) < len(theirs.requests):
		return ""
	}
	return awaitedByUs
}

// awaitedByUs is a likeness only if what is awaited is refused, too.
const awaitedByUs = "refused by net/http before its end"

var errTwoNames = errors.New("the target and Host name two hosts, the connection ends")

func readOurs(in []byte) (all reading) {
	r := h1.Request{MaxHead: 64 << 10, MaxFields: 100}
	for {
		n, err := r.Feed(in)
		if err != nil || n == 0 {
			all.fail(err)
			return all
		}
		in = in[n:]
		var b h1.Body
		var data []byte
		for b.Start(r.Kind, r.Length); !b.Done(); in = in[n:] {
			var payload []byte
			if n, payload, err = b.Next(in); err != nil || len(in) == 0 {
				all.fail(err)
				return all
			}
			data = append(data, payload...)
		}
		host := r.Host
		if r.Authority != nil {
			host = r.Authority
		}
		all.requests = append(all.requests, fmt.Sprintf("%s %s %s chunked=%v %q", r.Method, r.Target, host, r.Kind == h1.Chunked, data))
		if r.Close {
			if r.Authority != nil && !bytes.EqualFold(r.Authority, r.Host) {
				all.err = errTwoNames
			}
			return all
		}
		r.Reset()
	}
}

// fail keeps nil nil.
func (r *reading) fail(err *h1.Error) {
	if err != nil {
		r.err = err
	}
}

func readTheirs(stream string) (all reading) {
	in := bufio.NewReader(strings.NewReader(stream))
	for {
		// RFC 9112, 2.2, asks to skip it; the standard library does not.
		if empty, _ := in.Peek(2); string(empty) == "\r\n" {
			_, _ = in.Discard(2)
		}
		r, err := http.ReadRequest(in)
		var data []byte
		if err == nil {
			data, err = io.ReadAll(r.Body)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				all.err = err
			}
			return all
		}
		target := r.RequestURI
		if r.URL.IsAbs() {
			_, target, _ = strings.Cut(target, "://")
			if target = strings.TrimPrefix(target, r.URL.Host); !strings.HasPrefix(target, "/") {
				target = "/" + target
			}
		}
		all.requests = append(all.requests, fmt.Sprintf("%s %s %s chunked=%v %q", r.Method, target, r.Host, len(r.TransferEncoding) > 0, data))
		if r.Close {
			return all
		}
	}
}
