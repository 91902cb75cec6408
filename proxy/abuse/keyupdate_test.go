package abuse

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// rekeyer is a TLS 1.3 client whose handshake is crypto/tls's and whose records
// are its own: after each it can say KeyUpdate (RFC 8446, 4.6.3), which crypto/tls
// never does.
type rekeyer struct {
	net.Conn
	secret   []byte // client_application_traffic_secret_N (RFC 8446, 7.1)
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
	batch    []byte // records to be sent
}

// rekeyer connects and agrees on protocol. Nothing that the proxy sends is read.
func (f *front) rekeyer(protocol string) (*rekeyer, error) {
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)   // the kernel shall not take the answers in its stead
	_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10) // nor megabytes of questions, each of which costs a new key
	var log bytes.Buffer
	secure := tls.Client(conn, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS13, KeyLogWriter: &log})
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	if suite := secure.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		return nil, fmt.Errorf("the cipher suite is %s, this client only speaks AES-128", tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(log.String()) {
		if words := strings.Fields(line); words[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				return nil, err
			}
			r := &rekeyer{Conn: conn}
			return r, r.use(secret)
		}
	}
	return nil, errors.New("the handshake told no secret")
}

// use derives the keys of secret (RFC 8446, 7.3).
func (r *rekeyer) use(secret []byte) error {
	key, err := expand(secret, "key", 16)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	r.secret, r.sequence = secret, 0
	if r.iv, err = expand(secret, "iv", 12); err == nil {
		r.aead, err = cipher.NewGCM(block)
	}
	return err
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
func expand(secret []byte, label string, length int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{0, byte(length), byte(len(label))}, label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), length)
}

// Types of content (RFC 8446, B.1).
const (
	typeHandshake = 22
	typeData      = 23
)

// record adds a protected record (RFC 8446, 5.2) to the batch.
func (r *rekeyer) record(kind byte, content []byte) {
	length := len(content) + 1 + r.aead.Overhead()
	header := []byte{typeData, 3, 3, byte(length >> 8), byte(length)}
	nonce := bytes.Clone(r.iv)
	last := nonce[4:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^r.sequence)
	r.sequence++
	r.batch = append(r.batch, header...)
	r.batch = r.aead.Seal(r.batch, nonce, append(bytes.Clone(content), kind), header)
}

// askForKeys adds KeyUpdate(update_requested), which the other side has to answer
// with one of its own.
func (r *rekeyer) askForKeys() error {
	r.record(typeHandshake, []byte{24, 0, 0, 1, 1})
	secret, err := expand(r.secret, "traffic upd", sha256.Size)
	if err != nil {
		return err
	}
	return r.use(secret)
}

// send sends the batch; it fails where the proxy has taken nothing for a second.
func (r *rekeyer) send() error {
	_ = r.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := r.Write(r.batch)
	r.batch = r.batch[:0]
	return err
}

// rekeyFlood asks for new keys, reading none, until the proxy takes no more of it,
// and reports how many bytes it took. Up to sixteen questions at a time are what
// crypto/tls accepts between two bytes that mean something: word, repeated.
func (f *front) rekeyFlood(protocol, begin, word string) (taken int, err error) {
	r, err := f.rekeyer(protocol)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	r.record(typeData, []byte(begin))
	for taken < 24<<20 {
		for range 50 {
			for range 16 {
				if err := r.askForKeys(); err != nil {
					return taken, err
				}
			}
			r.record(typeData, []byte(word))
		}
		n := len(r.batch)
		if err := r.send(); errors.Is(err, os.ErrDeadlineExceeded) {
			return taken, nil
		} else if err != nil {
			return taken, err
		}
		taken += n
	}
	return taken, nil
}

// Who asks for new keys and takes none makes the proxy keep a buffer's worth of
// answers and read no further, whatever it speaks and however far it is.
func TestKeyUpdateFlood(t *testing.T) {
	b := newBitbucket(t)
	const (
		attackers = 2        // of each kind
		allowed   = 40 << 20 // most of it garbage: each key is derived anew
	)
	// On a machine whose cores are taken, garbage is collected late. Beyond this it is
	// so at once, and what is more is kept.
	f := startWith(t, "GOMEMLIMIT=40MiB", b.addr, nil)
	calm := f.canary()
	asked(t, calm, 50)
	calm.stop(t)
	upload := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000000\r\n\r\n%s", abusedPath, f.url.Authority(), strings.Repeat("x", 10_000))
	for name, attack := range map[string][3]string{
		"while it uploads":  {"http/1.1", upload, "x"},
		"a head that drips": {"http/1.1", "GET / HTTP/1.1\r\nX: ", "x"},
		"over HTTP/2":       {"h2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x00\x00\x00\x04\x01\x00\x00\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.resident()
			c, memory := f.canary(), f.memory()
			var all sync.WaitGroup
			for range attackers {
				all.Go(func() {
					taken, err := f.rekeyFlood(attack[0], attack[1], attack[2])
					t.Logf("%d KiB were taken, then: %v", taken>>10, err)
				})
			}
			all.Wait()
			told(t, c)
			if most := memory() - before; most > allowed {
				t.Errorf("%d MiB more than before", most>>20)
			}
		})
	}
}
