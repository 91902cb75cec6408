package bitbuckettest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"software.sslmate.com/src/go-pkcs12"
)

// keyStore is where a connector's certificate lies and what opens it, as Spring Boot's
// server.ssl.* and Tomcat's keystore... say.
type keyStore struct {
	enabled           bool
	path, kind        string
	password, keyPass string
	alias             string
}

// fromSSL reads server.ssl.* (prefix "server.") or those of an additional connector. What
// is not set has Bitbucket's defaults.
func fromSSL(props map[string]string, prefix, shared string) keyStore {
	k := keyStore{enabled: isTrue(props[prefix+"ssl.enabled"]), path: shared + "/config/ssl-keystore", kind: "PKCS12", password: "changeit", keyPass: "changeit", alias: "tomcat"}
	for key, field := range map[string]*string{
		"ssl.key-store": &k.path, "ssl.key-store-type": &k.kind, "ssl.key-store-password": &k.password, "ssl.key-password": &k.keyPass, "ssl.key-alias": &k.alias,
	} {
		if v := props[prefix+key]; v != "" {
			*field = v
		}
	}
	return k
}

// load opens the store as Java does: a wrong password and an alias that is not there
// keep the connector from starting.
func (k keyStore) load() (*tls.Config, error) {
	data, err := os.ReadFile(k.path)
	if err != nil {
		return nil, err
	}
	if k.kind != "PKCS12" {
		return nil, fmt.Errorf("%s not found", k.kind)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, k.password)
	if err != nil {
		return nil, fmt.Errorf("keystore password was incorrect: %w", err)
	}
	if k.keyPass != k.password {
		return nil, errors.New("cannot recover key")
	}
	if k.alias != "1" { // the name that Java gives to a key without one; this reader sees no names
		return nil, fmt.Errorf("alias name [%s] does not identify a key entry", k.alias)
	}
	certificate := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// secured is a listener of a connector with TLS, or the plain one.
func (c connector) secured(l net.Listener) (net.Listener, error) {
	if !c.store.enabled {
		return l, nil
	}
	config, err := c.store.load()
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("connector configured to listen on port %d failed to start: %w", c.port, err)
	}
	return tls.NewListener(l, config), nil
}
