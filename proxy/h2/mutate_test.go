package h2_test

import (
	"bytes"
	"math/rand/v2"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// seeds are what clients say after the preface, frame by frame: ordinary
// requests, uploads, trailers, CONTINUATION, resets, windows, settings.
func seeds() [][][]byte {
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
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fields(pairs...), EndStream: end, EndHeaders: true})
	}
	for _, say := range []func(){
		func() { head(1, true, request("GET", "accept", "*/*", "user-agent", "curl/7.88.1")...) },
		func() {
			head(1, true, request("GET", "cookie", "a=1", "cookie", "b=2")...)
			head(3, true, request("GET", "cookie", "a=1", "te", "trailers", "x-a", "")...)
			framer.WriteRSTStream(1, http2.ErrCodeCancel)
			head(5, true, request("HEAD", "host", "git.example.com")...)
		},
		func() {
			head(1, false, request("POST", "content-length", "10", "content-type", "application/x-git")...)
			framer.WriteData(1, false, []byte("hello"))
			framer.WriteDataPadded(1, true, []byte("world"), make([]byte, 3))
			framer.WriteWindowUpdate(0, 1000)
			head(3, true, request("GET")...)
		},
		func() {
			head(1, false, request("PUT", "trailer", "x-sum")...)
			framer.WriteData(1, false, []byte("chunk"))
			head(1, true, "x-sum", "1")
			framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
			framer.WriteSettingsAck()
			head(3, true, request("GET")...)
		},
		func() {
			b := fields(request("GET", "x-long", "0123456789")...)
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:4], EndStream: true, Priority: http2.PriorityParam{StreamDep: 3, Weight: 9}})
			framer.WriteContinuation(1, false, b[4:8])
			framer.WriteContinuation(1, true, b[8:])
			framer.WritePriority(3, http2.PriorityParam{StreamDep: 1, Weight: 200})
			framer.WritePing(false, [8]byte{1})
			framer.WriteRawFrame(0xbb, 1, 1, []byte("unknown"))
			head(7, true, request("OPTIONS")...)
			framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		},
		func() {
			head(1, false, request("POST", "expect", "100-continue", "content-length", "3")...)
			framer.WriteData(1, true, []byte("abc"))
			head(3, false, request("POST", "content-length", "0")...)
			framer.WriteData(3, true, nil)
			framer.WriteWindowUpdate(3, 70000)
			head(5, true, ":method", "CONNECT", ":authority", "a:443")
		},
	} {
		wire.Reset()
		encoder = hpack.NewEncoder(&block)
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
		framer.WriteWindowUpdate(0, 1<<20)
		say()
		all = append(all, split(bytes.Clone(wire.Bytes())))
	}
	return all
}

// split cuts a stream at the ends of its frames.
func split(in []byte) (frames [][]byte) {
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

// mutate changes one to three things about a stream.
func mutate(r *rand.Rand, seed [][]byte) [][]byte {
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
			frames = split(bytes.Join(frames, nil))
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
