package keystore

import (
	"bytes"
	"crypto/sha1"
	"hash"
)

// pkcs12Key is the key and vector of a PKCS#12 scheme (RFC 7292, B.2, with SHA-1).
func pkcs12Key(u *unlocker, p password, salt []byte, rounds, size int) (key, iv []byte, err error) {
	if key, err = u.pkcs12KDF(sha1.New, p.bmp, salt, 1, rounds, size); err == nil {
		iv, err = u.pkcs12KDF(sha1.New, p.bmp, salt, 2, rounds, 8)
	}
	return key, iv, err
}

// pkcs12KDF is RFC 7292, B.2; id 1 makes keys, 2 vectors, 3 keys of checksums.
func (u *unlocker) pkcs12KDF(h func() hash.Hash, pass, salt []byte, id byte, rounds, size int) ([]byte, error) {
	d := h()
	v := d.BlockSize()
	blocks := (size + d.Size() - 1) / d.Size()
	if rounds < 1 || rounds > maxRounds {
		return nil, tooDear(rounds)
	}
	if err := u.spend(rounds * blocks); err != nil {
		return nil, err
	}
	input := append(fill(salt, v), fill(pass, v)...)
	var out []byte
	for range blocks {
		d.Reset()
		d.Write(bytes.Repeat([]byte{id}, v))
		d.Write(input)
		a := d.Sum(nil)
		for range rounds - 1 {
			d.Reset()
			d.Write(a)
			a = d.Sum(a[:0])
		}
		out = append(out, a...)
		b := fill(a, v)[:v]
		for j := 0; j < len(input); j += v {
			addOne(input[j:j+v], b)
		}
	}
	return out[:size], nil
}

// fill repeats b up to a multiple of v bytes.
func fill(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	n := (len(b) + v - 1) / v * v
	return bytes.Repeat(b, n/len(b)+1)[:n]
}

// addOne adds b and one to a, both numbers of the same length.
func addOne(a, b []byte) {
	carry := 1
	for i := len(a) - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		a[i], carry = byte(carry), carry>>8
	}
}
