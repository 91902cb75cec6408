package stage

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"bitgate/haproxy/rehearsal"
)

// Who has no certificate where one is asked for is told so in the same words over
// either version of HTTP, whatever a connection that is cut shows first.
func TestCertificateAskedIsOneReason(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	var requests []rehearsal.Request
	for i := range 200 {
		r := rehearsal.Request{Address: server.Listener.Addr().String(), TLS: true, SNI: "example.com", Host: "example.com", Method: http.MethodGet, Target: "/"}
		if i > 0 {
			r.ALPN = []string{"h2", "http/1.1"}
		}
		requests = append(requests, r)
	}
	said := map[string]int{}
	for _, a := range (&play{}).ask(requests, answerTime) {
		said[a.Failed]++
	}
	if said[noCertificate] != len(requests) {
		t.Errorf("they are told %v", said)
	}
}
