package keys

import "crypto/tls"

// Config is a new TLS configuration that serves s under Mozilla's "intermediate"
// policy, guideline 6.0 (https://ssl-config.mozilla.org/guidelines/6.0.json),
// exactly: Go's defaults would add CBC suites. The suites of TLS 1.3 are Go's,
// which are the guideline's. Session ticket keys are left to crypto/tls, which
// changes them every day. Never Clone it under other client authorities: resumed
// sessions would survive (CVE-2025-68121). With http2 it is offered besides
// HTTP/1.1 (ALPN, RFC 7301).
func (s *Store) Config(http2 bool) *tls.Config {
	protocols := []string{"http/1.1"}
	if http2 {
		protocols = []string{"h2", "http/1.1"}
	}
	return &tls.Config{
		GetCertificate: s.GetCertificate,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
		NextProtos:       protocols,
	}
}
