package keystore

import (
	"bytes"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"bitgate/internal/problem"
)

// unlocker tries passwords where one is needed, within the budget of one file.
type unlocker struct {
	passwords []password // the given ones, then the empty one
	given     bool
	work      int // rounds of key derivation so far
}

// password in the spellings that the formats hash.
type password struct {
	text  []byte // as given; PKCS#5
	utf16 []byte // big endian; Java's own formats
	bmp   []byte // that with a final zero character; PKCS#12
}

func newUnlocker(given [][]byte) *unlocker {
	u := &unlocker{given: len(given) > 0}
	for _, p := range append(given[:len(given):len(given)], nil) {
		u.passwords = append(u.passwords, spell(p, decode(p)))
	}
	// OpenSSL before 1.1 took each byte for a character in PKCS#12.
	for _, p := range given {
		if bytes.ContainsFunc(p, func(r rune) bool { return r > 127 }) && utf8.Valid(p) {
			u.passwords = append(u.passwords, spell(p, widen(p)))
		}
	}
	return u
}

// spell gives a password whose characters are known in all its forms. What was not
// UTF-8 becomes it.
func spell(text []byte, characters []rune) password {
	p := password{text: text}
	if !utf8.Valid(text) {
		p.text = []byte(string(characters))
	}
	for _, u := range utf16.Encode(characters) {
		p.utf16 = append(p.utf16, byte(u>>8), byte(u))
	}
	p.bmp = append(bytes.Clone(p.utf16), 0, 0)
	return p
}

// decode takes what is not UTF-8 for Latin-1.
func decode(text []byte) []rune {
	if utf8.Valid(text) {
		return []rune(string(text))
	}
	return widen(text)
}

func widen(text []byte) []rune {
	out := make([]rune, 0, len(text))
	for _, b := range text {
		out = append(out, rune(b))
	}
	return out
}

func (u *unlocker) locked(what string) error { return &LockedError{What: what, Given: u.given} }

// spend takes rounds of a key derivation from the budget.
func (u *unlocker) spend(rounds int) error {
	if rounds < 1 || rounds > maxRounds {
		return tooDear(rounds)
	}
	if u.work += rounds; u.work > maxWork {
		return tooDear(u.work)
	}
	return nil
}

func tooDear(rounds int) error {
	return problem.New(fmt.Sprintf("it wants %d rounds to make a key of its password", rounds), "programs write 2,000 to 600,000, and more only keeps this machine busy",
		"have it exported again, with the defaults of OpenSSL or keytool")
}

// errWrong: the password is not this one, or the data is damaged.
var errWrong = errors.New("wrong password or damaged data")

// decrypt hands the plain text under the first password that gives one to take,
// which says whether it is what it should be.
func (u *unlocker) decrypt(what string, alg pkix.AlgorithmIdentifier, data []byte, take func(plain []byte) error) error {
	for _, p := range u.passwords {
		plain, err := u.open(alg, data, p)
		if err == nil {
			err = take(plain)
		}
		if !errors.Is(err, errWrong) {
			return err
		}
	}
	return u.locked(what)
}
