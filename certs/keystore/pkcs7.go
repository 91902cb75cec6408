package keystore

import (
	"crypto/x509"
	"encoding/asn1"

	"bitgate/internal/problem"
)

func isPKCS7(der []byte) bool {
	var c contentInfo
	_, err := asn1.Unmarshal(der, &c)
	return err == nil && c.Type.Equal(oidSigned)
}

// readPKCS7 takes the certificates of a SignedData without signers (RFC 5652, 5.1),
// which is what authorities send as a chain. Its DER comes from toDER.
func readPKCS7(der []byte) (*Store, error) {
	damaged := problem.New("this PKCS#7 collection is damaged or cut off", "", "copy the file again, in binary mode, from where it was issued")
	var c contentInfo
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil, damaged
	}
	var signed struct {
		Version      int
		Digests      asn1.RawValue `asn1:"set"`
		Content      asn1.RawValue
		Certificates asn1.RawValue `asn1:"tag:0,optional"`
		CRLs         asn1.RawValue `asn1:"tag:1,optional"`
		Signers      asn1.RawValue `asn1:"set"`
	}
	if _, err := asn1.Unmarshal(c.Content.Bytes, &signed); err != nil {
		return nil, damaged
	}
	s := &Store{Format: PKCS7}
	for rest := signed.Certificates.Bytes; len(rest) > 0; {
		var one asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			return nil, damaged
		}
		if len(s.Entries) >= maxEntries {
			return nil, problem.New("it holds more than 10,000 certificates", "", "name the chain of this one server")
		}
		if one.Class != asn1.ClassUniversal {
			continue // an attribute certificate
		}
		cert, err := x509.ParseCertificate(one.FullBytes)
		if err != nil {
			s.Entries = append(s.Entries, Entry{Fault: err})
			continue
		}
		s.Entries = append(s.Entries, Entry{Certs: []*x509.Certificate{cert}})
	}
	return s, nil
}
