package keystore

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
	"unicode/utf16"

	"bitgate/internal/problem"
)

// The structures of RFC 7292, 4.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}
		Salt   []byte
		Rounds int `asn1:"optional,default:1"`
	}
	pfx struct {
		Version int
		Safe    contentInfo
		Mac     macData `asn1:"optional"`
	}
	encryptedData struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   asn1.RawValue `asn1:"tag:0,optional"`
		}
		Attributes asn1.RawValue `asn1:"optional"`
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes []attribute   `asn1:"set,optional"`
	}
	attribute struct {
		ID     asn1.ObjectIdentifier
		Values asn1.RawValue `asn1:"set"`
	}
)

var (
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSigned    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncrypted = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidName      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidKeyID     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
	oidTrusted   = asn1.ObjectIdentifier{2, 16, 840, 1, 113894, 746875, 1, 1} // Java's
	oidX509      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidPBMAC1    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidBags      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1} // the kinds of bags below it
)

// Kinds of bags (RFC 7292, 4.2).
const (
	keyBag = iota + 1
	shroudedBag
	certBag
	crlBag
	secretBag
	safeContentsBag
)

// digests are the hashes of a MAC (RFC 7292, B.4).
var digests = map[string]func() hash.Hash{
	"1.2.840.113549.2.5":     md5.New,
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.4": sha256.New224,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

func isPFX(der []byte) bool {
	var p pfx
	_, err := asn1.Unmarshal(der, &p)
	return err == nil && p.Version == 3
}

// item is a bag's content before keys and certificates have found each other.
type item struct {
	name, id string
	key      Key
	isKey    bool
	cert     *x509.Certificate
	trusted  bool
	fault    error
}

// readPFX reads a PFX in DER (toDER).
func (u *unlocker) readPFX(der []byte) (*Store, error) {
	var p pfx
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return nil, errDamaged
	}
	if !p.Safe.Type.Equal(oidData) {
		return nil, problem.New("this PKCS#12 key store is protected by a key instead of a password", "bitgate cannot open that", "export it again with a password")
	}
	safe, err := octets(p.Safe.Content.Bytes)
	if err != nil {
		return nil, errDamaged
	}
	if err := u.authenticate(p.Mac, safe); err != nil {
		return nil, err
	}
	var parts []contentInfo
	if err := unmarshal(safe, &parts); err != nil {
		return nil, errDamaged
	}
	var items []item
	for _, part := range parts {
		more, err := u.safeContents(part, maxEntries-len(items))
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
	}
	return &Store{Format: PKCS12, Entries: pair(items)}, nil
}

var errDamaged = problem.New("this PKCS#12 key store is damaged or cut off", "", "copy the file again, in binary mode, from where it was made")

// unmarshal reads one value of BER.
func unmarshal(data []byte, into any) error {
	der, err := toDER(data)
	if err != nil {
		return err
	}
	_, err = asn1.Unmarshal(der, into)
	return err
}

func octets(der []byte) ([]byte, error) {
	var out []byte
	_, err := asn1.Unmarshal(der, &out)
	return out, err
}

// authenticate finds the password that the checksum of the file accepts, which then
// is tried first for what is in it. Without a checksum all are.
func (u *unlocker) authenticate(m macData, content []byte) error {
	if len(m.Mac.Algorithm.Algorithm) == 0 {
		return nil
	}
	for i, p := range u.passwords {
		keys := [][]byte{p.bmp}
		if len(p.text) == 0 {
			keys = append(keys, nil) // both are in use for the empty password
		}
		for _, key := range keys {
			p.bmp = key
			sum, err := u.mac(m, content, p)
			if err != nil {
				return err
			}
			if hmac.Equal(sum, m.Mac.Digest) {
				u.passwords = append([]password{p}, append(u.passwords[:i:i], u.passwords[i+1:]...)...)
				return nil
			}
		}
	}
	return u.locked("the " + string(PKCS12))
}

// mac is RFC 7292, 4 (with the key of B.2), or PBMAC1 (RFC 9579).
func (u *unlocker) mac(m macData, content []byte, p password) ([]byte, error) {
	alg := m.Mac.Algorithm
	if !alg.Algorithm.Equal(oidPBMAC1) {
		h := digests[alg.Algorithm.String()]
		if h == nil {
			return nil, unsupported("a checksum", alg.Algorithm)
		}
		key, err := u.pkcs12KDF(h, p.bmp, m.Salt, 3, m.Rounds, h().Size())
		if err != nil {
			return nil, err
		}
		return sum(h, key, content), nil
	}
	var par struct{ KDF, MAC pkix.AlgorithmIdentifier }
	if _, err := asn1.Unmarshal(alg.Parameters.FullBytes, &par); err != nil {
		return nil, errParameters
	}
	var length struct {
		Salt         []byte
		Rounds, Size int
		PRF          pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	h := hmacs[par.MAC.Algorithm.String()]
	if _, err := asn1.Unmarshal(par.KDF.Parameters.FullBytes, &length); err != nil || h == nil || length.Size < 20 || length.Size > 64 {
		return nil, errParameters // RFC 9579, 3: the length is there, and no less than 20
	}
	key, err := u.derive(par.KDF, p, length.Size)
	if err != nil {
		return nil, err
	}
	return sum(h, key, content), nil
}

func sum(h func() hash.Hash, key, content []byte) []byte {
	m := hmac.New(h, key)
	m.Write(content)
	return m.Sum(nil)
}

// safeContents reads one part, encrypted or not.
func (u *unlocker) safeContents(part contentInfo, room int) ([]item, error) {
	switch {
	case part.Type.Equal(oidData):
		content, err := octets(part.Content.Bytes)
		if err != nil {
			return nil, errDamaged
		}
		return u.bags(content, room, 0)
	case part.Type.Equal(oidEncrypted):
		var e encryptedData
		if _, err := asn1.Unmarshal(part.Content.Bytes, &e); err != nil {
			return nil, errDamaged
		}
		content := e.Info.Content.Bytes
		if e.Info.Content.IsCompound {
			var err error
			if content, err = flat(content); err != nil {
				return nil, errDamaged
			}
		}
		var items []item
		err := u.decrypt("the "+string(PKCS12), e.Info.Algorithm, content, func(plain []byte) error {
			if _, err := toDER(plain); err != nil {
				return errWrong
			}
			var err error
			items, err = u.bags(plain, room, 0)
			return err
		})
		return items, err
	}
	return nil, problem.New("a part of this PKCS#12 key store is encrypted for a person or a group", "bitgate has no key of theirs", "export it again with a password")
}

func (u *unlocker) bags(content []byte, room, depth int) ([]item, error) {
	var all []safeBag
	if err := unmarshal(content, &all); err != nil || depth > maxDepth {
		return nil, errDamaged
	}
	var items []item
	for _, b := range all {
		if len(items) >= room {
			return nil, problem.New("it holds more than 10,000 entries", "", "name the key store of this one server")
		}
		if len(b.ID) != len(oidBags)+1 || !b.ID[:len(oidBags)].Equal(oidBags) {
			continue
		}
		it := item{}
		it.describe(b.Attributes)
		switch b.ID[len(oidBags)] {
		case keyBag:
			it.isKey = true
			var err error
			if it.key, err = openedKey(b.Value.Bytes); err != nil {
				return nil, err
			}
		case shroudedBag:
			var err error
			it.isKey = true
			if it.key, err = u.encryptedKey(b.Value.Bytes); err != nil && !isLocked(err) {
				return nil, err
			}
		case certBag:
			var c struct {
				ID   asn1.ObjectIdentifier
				Data []byte `asn1:"tag:0,explicit"`
			}
			if _, err := asn1.Unmarshal(b.Value.Bytes, &c); err != nil {
				return nil, errDamaged
			}
			if !c.ID.Equal(oidX509) {
				continue
			}
			it.cert, it.fault = x509.ParseCertificate(c.Data)
		case safeContentsBag:
			more, err := u.bags(b.Value.Bytes, room-len(items), depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, more...)
			continue
		default: // CRLs and secrets
			continue
		}
		items = append(items, it)
	}
	return items, nil
}

// describe takes the attributes that connect keys with certificates (RFC 7292, 4.2).
func (it *item) describe(attributes []attribute) {
	for _, a := range attributes {
		var v asn1.RawValue
		switch {
		case a.ID.Equal(oidTrusted):
			it.trusted = true
		case a.ID.Equal(oidName) || a.ID.Equal(oidKeyID):
			if _, err := asn1.Unmarshal(a.Values.Bytes, &v); err != nil {
				continue
			}
			if a.ID.Equal(oidKeyID) {
				it.id = string(v.Bytes)
				continue
			}
			var units []uint16
			for i := 0; i+1 < len(v.Bytes); i += 2 {
				units = append(units, uint16(v.Bytes[i])<<8|uint16(v.Bytes[i+1]))
			}
			it.name = string(utf16.Decode(units))
		}
	}
}

// pair gives each key its certificate, by public key, or by the id that both have;
// what is left stands alone.
func pair(items []item) []Entry {
	taken := map[*x509.Certificate]bool{}
	var keys, alone []Entry
	for _, k := range items {
		if !k.isKey {
			continue
		}
		e := Entry{Alias: k.name, Key: k.key, Locked: k.key.IsZero()}
		for _, c := range items {
			if c.cert == nil || len(e.Certs) > 0 {
				continue
			}
			if belongs(k, c) {
				e.Certs, taken[c.cert] = append(e.Certs, c.cert), true
				e.Alias = cmp.Or(e.Alias, c.name)
			}
		}
		keys = append(keys, e)
	}
	for _, c := range items {
		switch {
		case c.cert != nil && !taken[c.cert]:
			alone = append(alone, Entry{Alias: c.name, Certs: []*x509.Certificate{c.cert}, Trusted: c.trusted})
		case c.fault != nil:
			alone = append(alone, Entry{Alias: c.name, Fault: c.fault, Trusted: c.trusted})
		}
	}
	return append(keys, alone...)
}

func belongs(key, cert item) bool {
	if key.key.IsZero() {
		return key.id != "" && key.id == cert.id
	}
	own, ok := key.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(cert.cert.PublicKey)
}
