package store

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
)

// The certificate that is in force for a host lies under one name, so that setup and
// cert deploy find the new one where the old one was.
const installed = "bundle.pem"

// Install keeps a bundle as the newest generation of host and puts it in force. It
// returns where the front's setup is to find it (--pem).
func (s Store) Install(host string, bundle []byte) (path string, err error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	if _, err := s.Add(host, bundle); err != nil {
		return "", err
	}
	return s.path("names", name, installed), s.write(bundle, "names", name, installed)
}

// KeepChain keeps intermediate certificates that were fetched for host, and returns
// where setup is to find them (--chain).
func (s Store) KeepChain(host string, pem []byte) (path string, err error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	return s.path("names", name, "chain.pem"), s.write(pem, "names", name, "chain.pem")
}

// Installed is where the bundle of host lies that is in force, "" where there is none.
func (s Store) Installed(host string) (string, error) {
	name, err := fileName(host)
	if err != nil {
		return "", err
	}
	data, err := s.read("names", name, installed)
	if data == nil || err != nil {
		return "", err
	}
	clear(data)
	return s.path("names", name, installed), nil
}

// HostOf is what a bundle is in force for whose certificate has that public key, as Install
// and Installed take it; "" for none. A request's placeholder is such a bundle.
func (s Store) HostOf(public crypto.PublicKey) (string, error) {
	id, err := KeyID(public)
	if err != nil {
		return "", err
	}
	return s.hostWhere(func(leaf *x509.Certificate) bool {
		has, err := KeyID(leaf.PublicKey)
		return err == nil && has == id
	})
}

// Superseded is what a bundle is in force for that a certificate for names does as well
// as: it names nothing else; "" for none.
func (s Store) Superseded(names []string) (string, error) {
	has := map[string]bool{}
	for _, name := range names {
		file, err := fileName(name)
		if err != nil {
			return "", err
		}
		has[file] = true
	}
	return s.hostWhere(func(leaf *x509.Certificate) bool {
		all := slices.Clone(leaf.DNSNames)
		for _, ip := range leaf.IPAddresses {
			all = append(all, ip.String())
		}
		return len(all) > 0 && !slices.ContainsFunc(all, func(name string) bool {
			file, err := fileName(name)
			return err != nil || !has[file]
		})
	})
}

// Covering is where a bundle lies that does for host: its own, or one that names it too.
func (s Store) Covering(host string) (string, error) {
	if path, err := s.Installed(host); path != "" || err != nil {
		return path, err
	}
	other, err := s.hostWhere(func(leaf *x509.Certificate) bool { return leaf.VerifyHostname(host) == nil })
	if other == "" || err != nil {
		return "", err
	}
	return s.Installed(other)
}

// hostWhere is the first host whose bundle in force has such a certificate.
func (s Store) hostWhere(such func(leaf *x509.Certificate) bool) (string, error) {
	hosts, err := s.list("names")
	for _, host := range hosts {
		data, err := s.read("names", host, installed)
		if err != nil {
			return "", err
		}
		block, _ := pem.Decode(data)
		clear(data)
		if block == nil {
			continue
		}
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil && such(leaf) {
			return host, nil
		}
	}
	return "", err
}
