package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers/h2frames"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client is the other side of a Conn: it writes any frames, and reads what the
// Conn says as lines such as "RST_STREAM 1 CANCEL".
type client struct {
	t      *testing.T
	conn   *h2.Conn
	now    time.Time
	wire   bytes.Buffer // to the Conn
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
	out    bytes.Buffer // of the Conn
	reader *http2.Framer
	err    error
}

// newClient has exchanged SETTINGS with a Conn.
func newClient(t *testing.T, limits h2.Limits) *client {
	t.Helper()
	c := newBareClient(t, limits)
	c.wire.WriteString(http2.ClientPreface)
	c.framer.WriteSettings()
	c.send()
	if got := c.frames(); !slices.Contains(got, "SETTINGS ack") {
		t.Fatalf("greeted with %q", got)
	}
	return c
}

// newBareClient has said nothing yet.
func newBareClient(t *testing.T, limits h2.Limits) *client {
	c := &client{t: t, now: time.Unix(1_000_000, 0)}
	c.conn = h2.NewConn(limits, c.now)
	c.framer = http2.NewFramer(&c.wire, nil)
	c.framer.AllowIllegalWrites = true
	c.hpack = hpack.NewEncoder(&c.block)
	c.reader = http2.NewFramer(nil, &c.out)
	c.reader.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.reader.ReadMetaHeaders.SetMaxDynamicTableSize(0)
	return c
}

// send hands over what was written.
func (c *client) send() {
	c.err = c.conn.Receive(c.wire.Bytes(), c.now)
	c.wire.Reset()
	faultless(c.t, c.err)
}

// faultless fails the test where the peer met a fault of ours.
func faultless(t testing.TB, err error) {
	t.Helper()
	var broken *h2.Error
	if errors.As(err, &broken) && broken.Fault != "" {
		t.Error(broken.Fault)
	}
}

// fields encodes a field block of names and values.
func (c *client) fields(pairs ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		if err := c.hpack.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.block.Bytes()
}

const authority = "git.example.com"

// request are the fields of a request and further ones.
func request(method string, more ...string) []string {
	return h2frames.Request(authority, method, more...)
}

// headers sends a complete field block.
func (c *client) headers(stream uint32, end bool, pairs ...string) {
	c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields(pairs...), EndStream: end, EndHeaders: true})
	c.send()
}

func (c *client) data(stream uint32, end bool, data string) {
	c.framer.WriteData(stream, end, []byte(data))
	c.send()
}

// get opens a stream with a request without a body and returns it.
func (c *client) get(stream uint32) *h2.Stream {
	c.t.Helper()
	c.headers(stream, true, request("GET")...)
	s := c.event(h2.Request)
	c.event(h2.Readable)
	return s
}

// post opens a stream with a request whose body is to come.
func (c *client) post(stream uint32, more ...string) *h2.Stream {
	c.t.Helper()
	c.headers(stream, false, request("POST", more...)...)
	return c.event(h2.Request)
}

// event is the next event, which must be of that kind.
func (c *client) event(kind h2.Kind) *h2.Stream {
	c.t.Helper()
	e, ok := c.conn.Event()
	if !ok || e.Kind != kind {
		c.t.Fatalf("event %+v, %v; want kind %d; output %q", e, ok, kind, c.frames())
	}
	return e.Stream
}

// quiet demands that no event is left.
func (c *client) quiet() {
	c.t.Helper()
	if e, ok := c.conn.Event(); ok {
		c.t.Errorf("unexpected event of kind %d on stream %d", e.Kind, e.Stream.ID())
	}
}

// frames is all output so far.
func (c *client) frames() (lines []string) {
	c.t.Helper()
	for p := c.conn.Take(nil); len(p) > 0; p = c.conn.Take(nil) {
		c.out.Write(p)
	}
	for c.out.Len() > 0 {
		f, err := c.reader.ReadFrame()
		if err != nil {
			c.t.Fatalf("the output is not HTTP/2 after %q: %v", lines, err)
		}
		lines = append(lines, describe(f))
	}
	return lines
}

// expect compares the output since the last look.
func (c *client) expect(what string, want ...string) {
	c.t.Helper()
	if got := c.frames(); !slices.Equal(got, want) {
		c.t.Errorf("%s: output %q, want %q", what, got, want)
	}
}

func describe(f http2.Frame) string {
	id, end := f.Header().StreamID, ""
	if f.Header().Flags&1 != 0 {
		end = " END"
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ack"
		}
		return "SETTINGS"
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("WINDOW_UPDATE %d %d", id, f.Increment)
	case *http2.PingFrame:
		if f.IsAck() {
			return "PING ack " + string(f.Data[:])
		}
		return "PING " + string(f.Data[:])
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("RST_STREAM %d %s", id, h2.Code(f.ErrCode))
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %s", f.LastStreamID, h2.Code(f.ErrCode))
	case *http2.DataFrame:
		return fmt.Sprintf("DATA %d %d%s", id, len(f.Data()), end)
	case *http2.MetaHeadersFrame:
		var fields []string
		for _, hf := range f.Fields {
			fields = append(fields, hf.Name+"="+hf.Value)
		}
		return fmt.Sprintf("HEADERS %d %s%s", id, strings.Join(fields, " "), end)
	}
	return fmt.Sprintf("%T", f)
}

// body consumes and returns what has come of a request's body.
func body(s *h2.Stream) string {
	var all []byte
	for p := s.Body(); len(p) > 0; p = s.Body() {
		all = append(all, p...)
		s.Consume(len(p))
	}
	return string(all)
}
