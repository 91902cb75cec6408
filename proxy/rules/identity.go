package rules

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"strings"

	"bitgate/proxy/h1"
)

// Unidentified is what Bitbucket is told of a client that was asked for a certificate
// and showed none.
var Unidentified = []h1.Field{field("X-SSL-Client-Verify", "NONE")}

// IdentityFields are what Bitbucket is told of a client's certificate, under the names
// that nginx's and HAProxy's documents use and RFC 9440's (Client-Cert). What a
// client itself says under these names never gets further (package fieldnames).
func IdentityFields(cert *x509.Certificate) []h1.Field {
	var subject pkix.RDNSequence
	if _, err := asn1.Unmarshal(cert.RawSubject, &subject); err != nil {
		subject = cert.Subject.ToRDNSequence()
	}
	return []h1.Field{
		field("X-SSL-Client-Verify", "SUCCESS"),
		field("X-SSL-Client-S-DN", ascii(subject.String(), func(c byte) string { return fmt.Sprintf("\\%02X", c) })), // RFC 2253, 2.4
		field("X-SSL-Client-CN", ascii(cert.Subject.CommonName, func(byte) string { return "?" })),
		field("Client-Cert", ":"+base64.StdEncoding.EncodeToString(cert.Raw)+":"),
	}
}

// ascii replaces the bytes that a field's value cannot hold.
func ascii(text string, instead func(byte) string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			out.WriteString(instead(c))
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
