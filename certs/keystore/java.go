package keystore

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"bitgate/internal/problem"
)

// The two formats of Java alone, as OpenJDK's JavaKeyStore and JceKeyStore write
// them: magic, version, count, the entries, and a SHA-1 over it all with the password.
var (
	magicJKS   = []byte{0xfe, 0xed, 0xfe, 0xed}
	magicJCEKS = []byte{0xce, 0xce, 0xce, 0xce}
)

const (
	oidJKSKey   = "1.3.6.1.4.1.42.2.17.1.1"
	oidJCEKSKey = "1.3.6.1.4.1.42.2.19.1"
	javaSalt    = "Mighty Aphrodite" // whitener of the checksum
)

// fields reads big-endian values; after an error all of them are empty.
type fields struct {
	data []byte
	err  error
}

func (f *fields) take(n int) []byte {
	if f.err != nil || n < 0 || n > len(f.data) {
		f.err = errShort
		return nil
	}
	out := f.data[:n]
	f.data = f.data[n:]
	return out
}

func (f *fields) number(size int) int {
	var buf [8]byte
	copy(buf[8-size:], f.take(size))
	return int(binary.BigEndian.Uint64(buf[:]))
}

func (f *fields) text() string { return string(f.take(f.number(2))) }
func (f *fields) blob() []byte { return f.take(f.number(4)) }

// readJava reads JKS and JCEKS. Without a password the certificates are there, and
// nothing says that nobody has changed them, as for keytool.
func (u *unlocker) readJava(data []byte) (*Store, error) {
	s := &Store{Format: JKS}
	if data[0] == magicJCEKS[0] {
		s.Format = JCEKS
	}
	damaged := problem.New("this "+string(s.Format)+" is damaged or cut off", "", "copy the file again, in binary mode, from where it was made")
	if len(data) < 12+sha1.Size {
		return nil, damaged
	}
	body := data[:len(data)-sha1.Size]
	if err := u.checksum(body, data[len(body):]); err != nil && u.given {
		return nil, u.locked("the " + string(s.Format))
	}
	f := &fields{data: body[4:]}
	version, count := f.number(4), f.number(4)
	if version < 1 || version > 2 || count > maxEntries {
		return nil, damaged
	}
	for range count {
		e, err := u.javaEntry(f, version)
		if f.err != nil {
			return nil, damaged
		}
		if errors.Is(err, errSecret) {
			s.Unread = problem.New(fmt.Sprintf("the entry %q of this %s is a secret key, and what follows it cannot be read", e.Alias, s.Format),
				"such keys are kept as objects of Java, of no known length",
				"take the server's key out alone: keytool -importkeystore -srcalias ALIAS -srckeystore FILE -destkeystore server.p12 -deststoretype PKCS12")
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.Entries = append(s.Entries, e)
	}
	return s, nil
}

var errSecret = errors.New("a secret key")

func (u *unlocker) javaEntry(f *fields, version int) (Entry, error) {
	kind := f.number(4)
	e := Entry{Alias: f.text()}
	f.take(8) // when it was made, in milliseconds
	certificate := func() {
		if version > 1 {
			f.text() // X.509, always
		}
		der := f.blob()
		if f.err != nil {
			return
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			e.Fault = err
			return
		}
		e.Certs = append(e.Certs, c)
	}
	switch kind {
	case 1:
		blob := f.blob()
		n := f.number(4)
		for i := 0; i < n && f.err == nil; i++ {
			certificate()
		}
		if f.err != nil {
			return e, nil //nolint:nilerr // f.err is the caller's
		}
		var err error
		if e.Key, err = u.javaKey(blob); isLocked(err) {
			e.Locked, err = true, nil
		}
		return e, err
	case 2:
		e.Trusted = true
		certificate()
		return e, nil
	case 3:
		return e, errSecret
	}
	f.err = errBER
	return e, nil
}

// checksum finds the password of the whole store, which is then tried first.
func (u *unlocker) checksum(body, want []byte) error {
	for i, p := range u.passwords {
		h := sha1.New()
		h.Write(p.utf16)
		h.Write([]byte(javaSalt))
		h.Write(body)
		if hmac.Equal(h.Sum(nil), want) {
			u.passwords[0], u.passwords[i] = p, u.passwords[0]
			return nil
		}
	}
	return errWrong
}

// javaKey opens the key of an entry, by any of the passwords: it may have its own.
func (u *unlocker) javaKey(blob []byte) (Key, error) {
	damaged := problem.New("a private key of this Java key store is damaged", "", "copy the file again from where it was made")
	var e encryptedKeyInfo
	if _, err := asn1.Unmarshal(blob, &e); err != nil {
		return Key{}, damaged
	}
	var open func([]byte, password) ([]byte, error)
	switch e.Algorithm.Algorithm.String() {
	case oidJKSKey:
		open = openJKS
	case oidJCEKSKey:
		var par struct {
			Salt   []byte
			Rounds int
		}
		if _, err := asn1.Unmarshal(e.Algorithm.Parameters.FullBytes, &par); err != nil || len(par.Salt) != 8 {
			return Key{}, damaged
		}
		open = func(data []byte, p password) ([]byte, error) {
			if err := u.spend(par.Rounds); err != nil {
				return nil, err
			}
			return openJCEKS(data, p, par.Salt, par.Rounds)
		}
	default:
		return Key{}, unsupported("an encryption", e.Algorithm.Algorithm)
	}
	for _, p := range u.passwords {
		plain, err := open(e.Data, p)
		if err == nil {
			var key Key
			if key, err = openedKey(plain); err == nil {
				return key, nil
			}
		}
		if !errors.Is(err, errWrong) {
			return Key{}, err
		}
	}
	return Key{}, u.locked("the private key")
}

// openJKS undoes sun.security.provider.KeyProtector: salt, data XOR a chain of
// SHA-1, and a checksum.
func openJKS(data []byte, p password) ([]byte, error) {
	if len(data) < 2*sha1.Size {
		return nil, errWrong
	}
	salt, hidden, want := data[:sha1.Size], data[sha1.Size:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	hash := func(more []byte) []byte {
		h := sha1.New()
		h.Write(p.utf16)
		h.Write(more)
		return h.Sum(nil)
	}
	out := make([]byte, len(hidden))
	for i, link := 0, salt; i < len(hidden); i++ {
		if i%sha1.Size == 0 {
			link = hash(link)
		}
		out[i] = hidden[i] ^ link[i%sha1.Size]
	}
	if !hmac.Equal(hash(out), want) {
		return nil, errWrong
	}
	return out, nil
}

// openJCEKS undoes com.sun.crypto.provider's PBEWithMD5AndTripleDES: each half of
// the salt is hashed on its own with the password's bytes.
func openJCEKS(data []byte, p password, salt []byte, rounds int) ([]byte, error) {
	halves := [2][4]byte{[4]byte(salt[:4]), [4]byte(salt[4:])}
	if halves[0] == halves[1] {
		// What Java does to tell them apart; it swaps three bytes instead of four.
		h := &halves[0]
		for i := range 2 {
			t := h[i]
			h[i], h[2] = h[3-i], t
		}
	}
	var key []byte
	for _, half := range halves {
		link := half[:]
		for range rounds {
			d := md5.New()
			d.Write(link)
			d.Write(p.text)
			link = d.Sum(nil)
		}
		key = append(key, link...)
	}
	block := func(k []byte) (cipher.Block, error) { return des.NewTripleDESCipher(k) }
	return scheme{cipher: block}.decrypt(key[:24], key[24:], data)
}

func isLocked(err error) bool {
	var locked *LockedError
	return errors.As(err, &locked)
}
