package proxy

import (
	"crypto/tls"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// loadTLS reads the certificate and sets Mozilla's "intermediate" policy,
// guideline 6.0 (https://ssl-config.mozilla.org/guidelines/6.0.json), exactly:
// Go's defaults would add CBC suites. What is wrong with a usable certificate is
// logged and served all the same: expired beats absent.
func loadTLS(c config.Config, l *logger) (*tls.Config, error) {
	material, err := certs.Load(certs.Paths{Cert: c.Cert, Key: c.Key, Chain: c.Chain, PEM: c.PEM})
	if err != nil {
		return nil, err
	}
	for _, f := range material.Inspect(c.URL.Host(), time.Now()) {
		l.event("certificate: %s (%s): %s", f.Found, f.Why, f.Do)
	}
	bundle := material.Bundle()
	pair, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		return nil, problem.Wrap(err, "the certificate cannot be served with its key", "", "name a certificate and the key it was issued for")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
		NextProtos:       []string{"h2", "http/1.1"},
	}, nil
}
