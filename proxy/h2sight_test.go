package proxy_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"bitgate/internal/peers/h2frames"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// playFrames sends one frame after the other, and gives what may be a whole
// request the time to reach the server.
func (s side) playFrames(frames [][]byte, wait time.Duration) (v h2sight) {
	l := <-s.free
	defer func() { s.free <- l }()
	l.server.take()
	conn, err := connect(l.front, s.tls)
	if err != nil {
		return h2sight{err: err}
	}
	defer conn.Close()
	answers := &answerReader{conn: conn, arrived: make(chan struct{}, 1), ended: make(chan struct{})}
	go answers.run()
	conn.SetDeadline(time.Now().Add(patience + time.Duration(len(frames)+3)*wait))
	_, _ = conn.Write([]byte(http2.ClientPreface))
	v.end = len(frames)
	for i, f := range frames {
		_, _ = conn.Write(f) // the proxy may have ended the connection
		answers.quiet(wait)
		if v.gone = goneAway(answers.text()); v.gone != "" || answers.closes(0) {
			v.end = min(v.end, i)
		}
	}
	v.ended = v.end < len(frames)
	answers.quiet(3 * wait)
	conn.Close()
	<-answers.ended
	v.answers, v.gone = readFrames(answers.text())
	for _, f := range frames { // whether an answer comes before the client gives it up is chance
		if len(f) >= 9 && f[3] == byte(http2.FrameRSTStream) {
			delete(v.answers, binary.BigEndian.Uint32(f[5:9])&(1<<31-1))
		}
	}
	v.whole, v.faults = received(l.server.take())
	slices.Sort(v.whole)
	return v
}

// quiet waits until nothing has come for a while, or the end.
func (a *answerReader) quiet(wait time.Duration) {
	for n := -1; n != len(a.text()) && !a.closes(0); {
		n = len(a.text())
		a.settle(wait)
	}
}

func (a *answerReader) text() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.data
}

// goneAway is the code of GOAWAY, "" for none or for no error.
func goneAway(out []byte) string {
	for _, f := range h2frames.Split(out) {
		if len(f) >= 17 && f[3] == byte(http2.FrameGoAway) {
			if code := http2.ErrCode(binary.BigEndian.Uint32(f[13:])); code != http2.ErrCodeNo {
				return code.String()
			}
		}
	}
	return ""
}

// readFrames tells what became of each HTTP/2 stream, and of the connection.
func readFrames(out []byte) (answers map[uint32]string, gone string) {
	answers = map[uint32]string{}
	framer := http2.NewFramer(nil, bytes.NewReader(out))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return answers, goneAway(out)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if status := f.PseudoValue("status"); !strings.HasPrefix(status, "1") {
				answers[f.StreamID] = status
			}
		case *http2.RSTStreamFrame:
			if answers[f.StreamID] == "" {
				answers[f.StreamID] = f.ErrCode.String()
			}
		}
	}
}

// framesForHAProxy changes what HAProxy 2.6.12 ends a connection by, and what RFC
// 9113 wants to be taken:
//   - Padding of the last DATA of a request (6.1): HAProxy reads it as the next
//     frame's head.
//   - A reserved bit in WINDOW_UPDATE (6.9: ignored): HAProxy counts it.
//   - Frames of unknown types on streams that are not open (5.5: discarded).
//   - PRIORITY of a stream that depends on itself (5.3.2: ignored), and one of
//     another length (6.3: ends the stream only).
//   - Trailers without a field, in an empty HEADERS frame.
func framesForHAProxy(frames [][]byte) (given [][]byte) {
	for _, f := range frames {
		f = slices.Clone(f)
		switch {
		case len(f) < 9 || len(f) < 9+int(f[0])<<16+int(f[1])<<8+int(f[2]): // the stream ends within it
		case f[3] == byte(http2.FrameData) && f[4]&byte(http2.FlagDataPadded) != 0 && len(f) > 9 && int(f[9]) <= len(f)-10:
			data := f[10 : len(f)-int(f[9])]
			f[1], f[2], f[4] = byte(len(data)>>8), byte(len(data)), f[4]&^byte(http2.FlagDataPadded)
			f = append(f[:9], data...)
		case f[3] == byte(http2.FrameWindowUpdate) && len(f) == 9+4:
			f[9] &= 0x7f
		case f[3] > byte(http2.FrameContinuation):
			continue
		case f[3] == byte(http2.FramePriority) && f[8] != 0 && (len(f) != 9+5 || bytes.Equal(f[5:9], f[9:13])):
			continue
		case f[3] == byte(http2.FrameHeaders) && f[4] == 5 && len(f) == 9:
			f[3], f[4] = byte(http2.FrameData), 1
		}
		given = append(given, f)
	}
	return given
}
