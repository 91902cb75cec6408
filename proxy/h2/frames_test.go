package h2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

// What breaks the connection, by section of RFC 9113. The streams 1 (open), 3
// (half-closed by the client) and 5 (closed by END_STREAM) exist.
func TestConnectionErrors(t *testing.T) {
	long := make([]byte, 16385)
	for name, tt := range map[string]struct {
		send func(c *client, f *http2.Framer)
		want h2.Code
	}{
		"4.2 frame too long":                  {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameData, 0, 1, long) }, h2.FrameSizeError},
		"4.2 unknown frame too long":          {func(c *client, f *http2.Framer) { f.WriteRawFrame(0xbb, 0, 0, long) }, h2.FrameSizeError},
		"4.3 HPACK index 0":                   {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 5, 7, []byte{0x80}) }, h2.CompressionError},
		"4.3 block is incomplete":             {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 5, 7, []byte{0x40, 5, 'a'}) }, h2.CompressionError},
		"5.1 DATA on an idle stream":          {func(c *client, f *http2.Framer) { f.WriteData(7, false, nil) }, h2.ProtocolError},
		"5.1 RST_STREAM on an idle stream":    {func(c *client, f *http2.Framer) { f.WriteRSTStream(7, 0) }, h2.ProtocolError},
		"5.1 WINDOW_UPDATE on an idle stream": {func(c *client, f *http2.Framer) { f.WriteWindowUpdate(7, 1) }, h2.ProtocolError},
		"5.1 DATA after END_STREAM":           {func(c *client, f *http2.Framer) { f.WriteData(5, false, nil) }, h2.StreamClosed},
		"5.1 HEADERS after END_STREAM":        {func(c *client, f *http2.Framer) { writeGet(c, f, 5) }, h2.StreamClosed},
		"5.1.1 even stream":                   {func(c *client, f *http2.Framer) { writeGet(c, f, 8) }, h2.ProtocolError},
		"5.1.1 lower stream than before":      {func(c *client, f *http2.Framer) { writeGet(c, f, 11); writeGet(c, f, 9) }, h2.ProtocolError},
		"5.3.1 PRIORITY on itself, idle":      {func(c *client, f *http2.Framer) { f.WritePriority(7, http2.PriorityParam{StreamDep: 7}) }, h2.ProtocolError},
		"6.1 DATA on stream 0":                {func(c *client, f *http2.Framer) { f.WriteData(0, false, nil) }, h2.ProtocolError},
		"6.1 padding as long as the frame":    {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameData, 8, 1, []byte{4, 1, 2, 3}) }, h2.ProtocolError},
		"6.1 padded but empty":                {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameData, 8, 1, nil) }, h2.ProtocolError},
		"6.2 HEADERS on stream 0":             {func(c *client, f *http2.Framer) { writeGet(c, f, 0) }, h2.ProtocolError},
		"6.2 padding as long as the frame ":   {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 0xd, 7, []byte{9, 0x82}) }, h2.ProtocolError},
		"6.2 no room for the priority":        {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 0x25, 7, []byte{0, 0}) }, h2.FrameSizeError},
		"6.2 another frame in a block":        {func(c *client, f *http2.Framer) { openBlock(c, f, 7); f.WritePing(false, [8]byte{}) }, h2.ProtocolError},
		"6.2 another stream's HEADERS":        {func(c *client, f *http2.Framer) { openBlock(c, f, 7); writeGet(c, f, 9) }, h2.ProtocolError},
		"6.2 an unknown frame in a block":     {func(c *client, f *http2.Framer) { openBlock(c, f, 7); f.WriteRawFrame(0xbb, 0, 7, nil) }, h2.ProtocolError},
		"6.3 PRIORITY on stream 0":            {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FramePriority, 0, 0, make([]byte, 5)) }, h2.ProtocolError},
		"6.4 RST_STREAM on stream 0":          {func(c *client, f *http2.Framer) { f.WriteRSTStream(0, 0) }, h2.ProtocolError},
		"6.4 RST_STREAM of three bytes":       {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameRSTStream, 0, 1, make([]byte, 3)) }, h2.FrameSizeError},
		"6.5 SETTINGS on a stream":            {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameSettings, 0, 1, nil) }, h2.ProtocolError},
		"6.5 SETTINGS of three bytes":         {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 3)) }, h2.FrameSizeError},
		"6.5 acknowledgement with a payload":  {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameSettings, 1, 0, make([]byte, 6)) }, h2.FrameSizeError},
		"6.5.2 ENABLE_PUSH 2":                 {func(c *client, f *http2.Framer) { f.WriteSettings(http2.Setting{ID: 2, Val: 2}) }, h2.ProtocolError},
		"6.5.2 INITIAL_WINDOW_SIZE 2^31":      {func(c *client, f *http2.Framer) { f.WriteSettings(http2.Setting{ID: 4, Val: 1 << 31}) }, h2.FlowControlError},
		"6.5.2 MAX_FRAME_SIZE below 2^14":     {func(c *client, f *http2.Framer) { f.WriteSettings(http2.Setting{ID: 5, Val: 16383}) }, h2.ProtocolError},
		"6.5.2 MAX_FRAME_SIZE of 2^24":        {func(c *client, f *http2.Framer) { f.WriteSettings(http2.Setting{ID: 5, Val: 1 << 24}) }, h2.ProtocolError},
		"RFC 8441, 3: a setting of 2":         {func(c *client, f *http2.Framer) { f.WriteSettings(http2.Setting{ID: 8, Val: 2}) }, h2.ProtocolError},
		"6.6 PUSH_PROMISE": {func(c *client, f *http2.Framer) {
			f.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte{0, 0, 0, 2, 0x82})
		}, h2.ProtocolError},
		"6.7 PING on a stream":                    {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FramePing, 0, 1, make([]byte, 8)) }, h2.ProtocolError},
		"6.7 PING of six bytes":                   {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FramePing, 0, 0, make([]byte, 6)) }, h2.FrameSizeError},
		"6.8 GOAWAY on a stream":                  {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameGoAway, 0, 1, make([]byte, 8)) }, h2.ProtocolError},
		"6.8 GOAWAY of four bytes":                {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameGoAway, 0, 0, make([]byte, 4)) }, h2.FrameSizeError},
		"6.9 WINDOW_UPDATE of three bytes":        {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameWindowUpdate, 0, 1, make([]byte, 3)) }, h2.FrameSizeError},
		"6.9 WINDOW_UPDATE by nothing":            {func(c *client, f *http2.Framer) { f.WriteWindowUpdate(0, 0) }, h2.ProtocolError},
		"6.9.1 window of the connection":          {func(c *client, f *http2.Framer) { f.WriteWindowUpdate(0, 1<<31-1) }, h2.FlowControlError},
		"6.9.2 window of a stream, by SETTINGS":   {widen, h2.FlowControlError},
		"6.10 CONTINUATION without a block":       {func(c *client, f *http2.Framer) { f.WriteContinuation(1, true, nil) }, h2.ProtocolError},
		"6.10 CONTINUATION after END_HEADERS":     {func(c *client, f *http2.Framer) { writeGet(c, f, 7); f.WriteContinuation(7, true, nil) }, h2.ProtocolError},
		"6.10 CONTINUATION of another stream":     {func(c *client, f *http2.Framer) { openBlock(c, f, 7); f.WriteContinuation(9, true, nil) }, h2.ProtocolError},
		"10.5.1 block of 17 fragments":            {fragments(17, 10), h2.EnhanceYourCalm},
		"10.5.1 block of more than 64 KiB":        {fragments(5, 16000), h2.EnhanceYourCalm},
		"10.5.1 a field of more than 32 KiB":      {bigField, h2.EnhanceYourCalm},
		"RFC 7541, 6.3: table larger than agreed": {func(c *client, f *http2.Framer) { f.WriteRawFrame(http2.FrameHeaders, 5, 7, []byte{0x3f, 0xe2, 0x1f}) }, h2.CompressionError},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, h2.Limits{})
			c.post(1)
			c.get(3)
			s := c.get(5)
			s.Respond(204, nil, -1)
			s.End()
			c.frames()
			tt.send(c, c.framer)
			c.send()
			var broken *h2.Error
			if !errors.As(c.err, &broken) || broken.Code != tt.want {
				t.Fatalf("%v, want %v; output %q", c.err, tt.want, c.frames())
			}
			if got := c.frames(); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "GOAWAY ") || !strings.HasSuffix(got[len(got)-1], tt.want.String()) {
				t.Errorf("output %q", got)
			}
			if !c.conn.Done() {
				t.Error("the connection goes on")
			}
			if c.wire.WriteString("more"); c.conn.Receive(c.wire.Bytes(), c.now) == nil {
				t.Error("more is received")
			}
		})
	}
}

func writeGet(c *client, f *http2.Framer, stream uint32) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields(request("GET")...), EndStream: true, EndHeaders: true})
}

func openBlock(c *client, f *http2.Framer, stream uint32) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.fields(request("GET")...), EndStream: true})
}

func widen(c *client, f *http2.Framer) {
	f.WriteWindowUpdate(1, 1<<31-1-65535)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65536})
}

// fragments is a field block of so many fragments of so many bytes.
func fragments(n, size int) func(*client, *http2.Framer) {
	return func(c *client, f *http2.Framer) {
		openBlock(c, f, 7)
		field := append([]byte{0, 1, 'a', 0x7f}, binary.AppendUvarint(nil, uint64(size-127-6))...)
		field = append(field, bytes.Repeat([]byte("b"), size)...)
		for range n {
			if size < 200 {
				field = []byte{0, 1, 'a', 1, 'b'}
			}
			f.WriteContinuation(7, false, field[:min(size, len(field))])
		}
	}
}

func bigField(c *client, f *http2.Framer) {
	openBlock(c, f, 7)
	block := c.fields("a", strings.Repeat("\x01", 40<<10))
	for len(block) > 0 {
		n := min(len(block), 16000)
		f.WriteContinuation(7, false, block[:n])
		block = block[n:]
	}
}

// Input cut anywhere gives the same output.
func TestInputInPieces(t *testing.T) {
	run := func(piece int) []string {
		c := newBareClient(t, h2.Limits{})
		c.wire.WriteString(http2.ClientPreface)
		c.framer.WriteSettings(http2.Setting{ID: 4, Val: 1000})
		c.framer.WriteRawFrame(0xbb, 0xff, 3, []byte("unknown"))
		openBlock(c, c.framer, 1)
		c.framer.WriteContinuation(1, true, nil)
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: c.fields(request("POST")...), EndHeaders: true, PadLength: 7, Priority: http2.PriorityParam{StreamDep: 1}})
		c.framer.WriteDataPadded(3, false, []byte("hello, "), make([]byte, 9))
		c.framer.WriteDataPadded(3, true, []byte("world"), make([]byte, 200))
		c.framer.WritePing(false, [8]byte{'p'})
		c.framer.WriteRSTStream(1, http2.ErrCodeCancel)
		var lines []string
		for in := c.wire.Bytes(); len(in) > 0; {
			n := min(piece, len(in))
			if err := c.conn.Receive(in[:n], c.now); err != nil {
				t.Fatal(err)
			}
			in = in[n:]
		}
		for e, ok := c.conn.Event(); ok; e, ok = c.conn.Event() {
			if e.Kind == h2.Readable && e.Stream.ID() == 3 {
				lines = append(lines, body(e.Stream))
			}
		}
		return append(lines, c.frames()...)
	}
	whole := run(1 << 20)
	if !slices.Contains(whole, "hello, world") || !slices.Contains(whole, "PING ack p\x00\x00\x00\x00\x00\x00\x00") {
		t.Fatalf("%q", whole)
	}
	for _, piece := range []int{1, 2, 7, 9, 10, 64} {
		if got := run(piece); !slices.Equal(got, whole) {
			t.Errorf("in pieces of %d: %q, want %q", piece, got, whole)
		}
	}
}

func TestPreface(t *testing.T) {
	for name, in := range map[string]string{
		"HTTP/1.1":            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"nearly":              "PRI * HTTP/2.0\r\n\r\nSN",
		"no SETTINGS":         http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x00........",
		"acknowledgement":     http2.ClientPreface + "\x00\x00\x00\x04\x01\x00\x00\x00\x00",
		"an unknown frame":    http2.ClientPreface + "\x00\x00\x00\xbb\x00\x00\x00\x00\x00",
		"HEADERS before that": http2.ClientPreface + "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82",
	} {
		c := newBareClient(t, h2.Limits{})
		var broken *h2.Error
		if err := c.conn.Receive([]byte(in), c.now); !errors.As(err, &broken) || broken.Code != h2.ProtocolError {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := newBareClient(t, h2.Limits{})
	c.expect("the server speaks first", "SETTINGS", "WINDOW_UPDATE 0 2147418112")
}
