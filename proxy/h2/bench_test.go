package h2_test

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"syscall"
	"testing"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	benchStreams = 50 // at a time
	benchPage    = 1024
)

// BenchmarkServer is the CPU time of both sides of a 1 KB page, over a pipe: ours
// with the driver of these tests, theirs is the standard library's. The client
// does the same for both, next to nothing.
func BenchmarkServer(b *testing.B) {
	page := make([]byte, benchPage)
	b.Run("ours", func(b *testing.B) {
		v := &server{t: b, answer: func(s *h2.Stream, _ []byte) {
			s.Respond(200, []h1.Field{field("Content-Type", "text/plain")}, benchPage)
			s.Write(page)
			s.End()
		}}
		ask(b, v.serve)
	})
	b.Run("theirs", func(b *testing.B) {
		s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(page)
		})}
		s.Protocols.SetUnencryptedHTTP2(true)
		ask(b, func(conn net.Conn) {
			l := &oneConn{conn: conn, closed: make(chan struct{})}
			b.Cleanup(func() { s.Close() })
			s.Serve(l)
		})
	})
}

// ask sends b.N requests to a server on the other end of a pipe.
func ask(b *testing.B, serve func(net.Conn)) {
	client, conn := net.Pipe()
	go serve(conn)
	defer client.Close()
	var wire, block bytes.Buffer
	framer, encoder := http2.NewFramer(&wire, nil), hpack.NewEncoder(&block)
	wire.WriteString(http2.ClientPreface)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	framer.WriteWindowUpdate(0, 1<<30)
	answered := make(chan int, 1<<16)
	go countEnds(client, answered)
	b.ReportAllocs()
	begun := cpu()
	b.ResetTimer()
	stream, sent, unseen := uint32(1), 0, 0
	for done := 0; done < b.N; done += <-answered {
		before := sent
		for ; sent < min(b.N, done+benchStreams); sent++ {
			block.Reset()
			for i, pairs := 0, request("GET", "accept", "*/*", "user-agent", "h2load nghttp2/1.52.0"); i < len(pairs); i += 2 {
				_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
			}
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
			stream += 2
		}
		if unseen += benchPage * (sent - before); unseen > 1<<20 {
			framer.WriteWindowUpdate(0, uint32(unseen))
			unseen = 0
		}
		if _, err := client.Write(wire.Bytes()); err != nil {
			b.Error(err)
			return
		}
		wire.Reset()
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-begun)/float64(b.N), "cpu-ns/op")
}

// countEnds tells how many streams have ended.
func countEnds(client net.Conn, answered chan<- int) {
	var in []byte
	buf := make([]byte, 64<<10)
	waiting := 0
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for len(in) >= 9 && len(in) >= 9+int(in[1])<<8+int(in[2]) {
			if kind := http2.FrameType(in[3]); (kind == http2.FrameData || kind == http2.FrameHeaders) && in[4]&1 != 0 {
				waiting++
			}
			in = in[9+int(in[1])<<8+int(in[2]):]
		}
		if waiting > 0 {
			answered <- waiting
			waiting = 0
		}
	}
}

// cpu is the process's CPU time in nanoseconds.
func cpu() int64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
