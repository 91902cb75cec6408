// Package h2frames makes what clients of HTTP/2 say, rightly and wrongly, for tests
// of those who listen.
package h2frames

import (
	"bytes"
	"math/rand/v2"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Request are the fields of a request to an authority, and further ones.
func Request(authority, method string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "https", ":path", "/x?y", ":authority", authority}, more...)
}

// Seeds are what clients say to an authority after the preface, frame by frame:
// ordinary requests, uploads, trailers, CONTINUATION, resets, windows, settings.
func Seeds(host string) [][][]byte {
	request := func(method string, more ...string) []string { return Request(host, method, more...) }
	var all [][][]byte
	var block, wire bytes.Buffer
	var encoder *hpack.Encoder
	framer := http2.NewFramer(&wire, nil)
	framer.AllowIllegalWrites = true
	fields := func(pairs ...string) []byte {
		block.Reset()
		for i := 0; i < len(pairs); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return bytes.Clone(block.Bytes())
	}
	head := func(id uint32, end bool, pairs ...string) {
		must(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fields(pairs...), EndStream: end, EndHeaders: true}))
	}
	for _, say := range []func(){
		func() { head(1, true, request("GET", "accept", "*/*", "user-agent", "curl/7.88.1")...) },
		func() {
			head(1, true, request("GET", "cookie", "a=1", "cookie", "b=2")...)
			head(3, true, request("GET", "cookie", "a=1", "te", "trailers", "x-a", "")...)
			must(framer.WriteRSTStream(1, http2.ErrCodeCancel))
			head(5, true, request("HEAD", "host", host)...)
		},
		func() {
			head(1, false, request("POST", "content-length", "10", "content-type", "application/x-git")...)
			must(framer.WriteData(1, false, []byte("hello")))
			must(framer.WriteDataPadded(1, true, []byte("world"), make([]byte, 3)))
			must(framer.WriteWindowUpdate(0, 1000))
			head(3, true, request("GET")...)
		},
		func() {
			head(1, false, request("PUT", "trailer", "x-sum")...)
			must(framer.WriteData(1, false, []byte("chunk")))
			head(1, true, "x-sum", "1")
			must(framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}))
			must(framer.WriteSettingsAck())
			head(3, true, request("GET")...)
		},
		func() {
			b := fields(request("GET", "x-long", "0123456789")...)
			must(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:4], EndStream: true, Priority: http2.PriorityParam{StreamDep: 3, Weight: 9}}))
			must(framer.WriteContinuation(1, false, b[4:8]))
			must(framer.WriteContinuation(1, true, b[8:]))
			must(framer.WritePriority(3, http2.PriorityParam{StreamDep: 1, Weight: 200}))
			must(framer.WritePing(false, [8]byte{1}))
			must(framer.WriteRawFrame(0xbb, 1, 1, []byte("unknown")))
			head(7, true, request("OPTIONS")...)
			must(framer.WriteGoAway(0, http2.ErrCodeNo, nil))
		},
		func() {
			head(1, false, request("POST")...)
			b := fields("x-sum", "0123456789", "x-more", "0123456789")
			must(framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:3], EndStream: true}))
			must(framer.WriteContinuation(1, false, b[3:12]))
			must(framer.WriteContinuation(1, true, b[12:]))
			head(3, true, request("GET", "x-sum", "0123456789")...)
		},
		func() { // windows that become negative while answers wait for the connection's
			must(framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
			head(1, true, request("GET")...)
			head(3, true, request("GET")...)
			must(framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			must(framer.WriteWindowUpdate(0, 1<<20))
			must(framer.WriteWindowUpdate(1, 1<<20))
		},
		func() {
			head(1, false, request("POST", "expect", "100-continue", "content-length", "3")...)
			must(framer.WriteData(1, true, []byte("abc")))
			head(3, false, request("POST", "content-length", "0")...)
			must(framer.WriteData(3, true, nil))
			must(framer.WriteWindowUpdate(3, 70000))
			head(5, true, ":method", "CONNECT", ":authority", "a:443")
		},
	} {
		wire.Reset()
		encoder = hpack.NewEncoder(&block)
		must(framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingEnablePush, Val: 0}))
		must(framer.WriteWindowUpdate(0, 1<<20))
		say()
		all = append(all, Split(bytes.Clone(wire.Bytes())))
	}
	return all
}

// must is for writes into memory.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Split cuts a stream at the ends of its frames.
func Split(in []byte) (frames [][]byte) {
	for len(in) > 0 {
		n := len(in)
		if n >= 9 {
			n = min(n, 9+int(in[0])<<16+int(in[1])<<8+int(in[2]))
		}
		frames = append(frames, in[:n])
		in = in[n:]
	}
	return frames
}

// Mutate changes one to three things about a stream.
func Mutate(r *rand.Rand, seed [][]byte) [][]byte {
	var frames [][]byte
	for _, f := range seed {
		frames = append(frames, bytes.Clone(f))
	}
	for range 1 + r.IntN(3) {
		i := r.IntN(len(frames))
		f := frames[i]
		if len(f) < 9 { // the rest of a frame whose length was changed
			continue
		}
		switch r.IntN(11) {
		case 0: // a frame twice
			frames = append(frames[:i], append([][]byte{bytes.Clone(f)}, frames[i:]...)...)
		case 1: // a frame less
			if len(frames) > 1 {
				frames = append(frames[:i], frames[i+1:]...)
			}
		case 2: // two frames in another order
			j := r.IntN(len(frames))
			frames[i], frames[j] = frames[j], frames[i]
		case 3: // another type
			f[3] = byte(r.IntN(12))
		case 4: // other flags
			f[4] ^= 1 << r.IntN(8)
		case 5: // another stream
			f[8] = byte(r.IntN(10))
		case 6: // a payload that ends early, in a frame that is well-formed
			if len(f) > 9 {
				n := r.IntN(len(f) - 9)
				f = f[:9+n]
				f[1], f[2] = byte(n>>8), byte(n)
				frames[i] = f
			}
		case 7: // another length
			f[2] = byte(r.IntN(256))
			frames = Split(bytes.Join(frames, nil))
		case 8, 9: // a byte of the payload
			if len(f) > 9 {
				f[9+r.IntN(len(f)-9)] = byte(r.IntN(256))
			}
		case 10: // the same fields, or data, on another stream
			c := bytes.Clone(f)
			c[8] += 2
			frames = append(frames, c)
		}
	}
	return frames
}
