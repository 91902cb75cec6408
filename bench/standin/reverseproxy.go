package standin

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// ReverseProxy serves httputil.ReverseProxy as well tuned as its users know how:
// a connection pool that fits the limit, pooled buffers, no compression.
func ReverseProxy(l net.Listener, upstream string, pair tls.Certificate, slots int) error {
	target := &url.URL{Scheme: "http", Host: upstream}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: slots,
			MaxConnsPerHost:     slots,
			DisableCompression:  true,
			ReadBufferSize:      64 << 10,
			WriteBufferSize:     64 << 10,
		},
		BufferPool:    buffers{},
		FlushInterval: -1,
	}
	server := &http.Server{
		Handler:           proxy,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}},
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.ServeTLS(l, "", "")
}

type buffers struct{}

var pool = sync.Pool{New: func() any { return new([64 << 10]byte) }}

func (buffers) Get() []byte  { return pool.Get().(*[64 << 10]byte)[:] }
func (buffers) Put(b []byte) { pool.Put((*[64 << 10]byte)(b)) }
