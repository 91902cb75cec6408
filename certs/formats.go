package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"bitgate/certs/keystore"
	"bitgate/internal/printable"
	"bitgate/internal/problem"
)

// parse reads a file by its content: PEM, or anything that keystore knows.
func parse(name string, data []byte, passwords [][]byte) (parsed, error) {
	data = plainText(data)
	if bytes.Contains(data, beginMark) {
		return parsePEM(name, data, passwords)
	}
	var out parsed
	return out, out.addStore(name, name, data, passwords)
}

// plainText turns UTF-16, in which Windows' Notepad saves "Unicode", into bytes. PEM
// is plain ASCII, so what is none becomes a question mark.
func plainText(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte("-\x00-\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}) || bytes.HasPrefix(data, []byte("\x00-\x00-")):
		order = binary.BigEndian
	default:
		return data
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// namedStore is a store with the file it was in.
type namedStore struct {
	file string
	*keystore.Store
}

// addStore reads what is no PEM. What it holds is taken by choose.
func (p *parsed) addStore(where, file string, data []byte, passwords [][]byte) error {
	s, err := keystore.Read(data, passwords...)
	var told *problem.Error
	var locked *keystore.LockedError
	switch {
	case err == nil:
		p.stores = append(p.stores, namedStore{file, s})
		p.opened = p.opened || s.Format != keystore.DERKey || len(passwords) > 0
		return nil
	case errors.As(err, &locked):
		p.locked = &lockedKey{file: file, where: where, cause: locked, store: true}
		return nil
	case errors.As(err, &told):
		return problem.New(where+": "+err.Error(), told.Why, told.Do)
	}
	return problem.Wrap(err, where+" cannot be read", "", "copy the file again, in binary mode, from where it was made")
}

// all are the certificates, those in stores too.
func (p *parsed) all() []*x509.Certificate {
	all := slices.Clone(p.certs)
	for _, s := range p.stores {
		all = append(all, s.Certs()...)
	}
	return all
}

// join adds what another file holds.
func (p *parsed) join(more parsed) {
	p.certs = append(p.certs, more.certs...)
	p.keys = append(p.keys, more.keys...)
	p.stores = append(p.stores, more.stores...)
	if more.locked != nil {
		p.locked = more.locked
	}
}

// choose takes out of the stores the one key that is meant, with the certificates
// that can belong to its chain.
func (p *parsed) choose(alias, host string, given bool) error {
	named := alias == ""
	for _, s := range p.stores {
		entry, err := s.meant(alias, host)
		if err != nil {
			return err
		}
		named = named || entry != nil
		if err := p.take(s, entry, given); err != nil {
			return err
		}
	}
	if !named && p.locked == nil {
		return problem.New(fmt.Sprintf("no key store among the files has an entry %q", alias), "an alias names a key in a store; other files have none", "leave the alias out, or name the key store").WithKind(problem.Usage)
	}
	return nil
}

// take adds one key, its certificates, and all that may stand above them.
func (p *parsed) take(s namedStore, key *keystore.Entry, given bool) error {
	var rest []keystore.Entry
	if key != nil {
		p.alias = key.Alias
		if key.Locked {
			p.locked = &lockedKey{
				file: s.file, where: s.file + keyOf(key.Alias), store: true, own: true,
				cause: &keystore.LockedError{What: "the private key", Given: given},
			}
		}
		if err := p.addEntry(s, *key); err != nil {
			return err
		}
	}
	for _, e := range s.Entries {
		if !e.HasKey() || key == nil {
			rest = append(rest, e)
		}
	}
	if key == nil || len(key.Certs) == 0 { // nothing to belong to
		for _, e := range rest {
			if err := p.addEntry(s, e); err != nil {
				return err
			}
		}
		return nil
	}
	for again := true; again; {
		again = false
		rest = slices.DeleteFunc(rest, func(e keystore.Entry) bool {
			if len(e.Certs) == 0 || !slices.ContainsFunc(p.certs, func(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, e.Certs[0].RawSubject) }) {
				return false
			}
			p.certs = append(p.certs, e.Certs...)
			again = true
			return true
		})
	}
	return nil
}

// addEntry adds an entry as it is.
func (p *parsed) addEntry(s namedStore, e keystore.Entry) error {
	if e.Fault != nil {
		why, do := cureOf(e.Fault)
		return problem.Wrap(e.Fault, s.file+keyOf(e.Alias)+": a certificate of it cannot be read", why, do)
	}
	p.certs = append(p.certs, e.Certs...)
	if e.Key.IsZero() {
		return nil
	}
	der, err := e.Key.PKCS8()
	if err != nil {
		return unreadableKey(s.file, err)
	}
	p.keys = append(p.keys, privateKey{pem.Block{Type: "PRIVATE KEY", Bytes: der}, e.Key.Public()})
	return nil
}

func keyOf(alias string) string {
	if alias == "" {
		return ""
	}
	return fmt.Sprintf(", entry %q", printable.Text(alias))
}

// meant is the entry with the key that is to serve, nil where the store has no key.
// Java writes aliases in lower case, whatever was typed.
func (s namedStore) meant(alias, host string) (*keystore.Entry, error) {
	var keys []*keystore.Entry
	nameless := 0
	for i, e := range s.Entries {
		if e.HasKey() && e.Alias == "" {
			nameless++ // Java calls them 1, 2, 3
			e.Alias = strconv.Itoa(nameless)
		}
		if e.HasKey() && (alias == "" || strings.EqualFold(e.Alias, alias)) {
			keys = append(keys, &s.Entries[i])
		}
	}
	if len(keys) == 0 && s.Unread != nil {
		told, _ := errors.AsType[*problem.Error](s.Unread)
		return nil, problem.New(s.file+": "+told.Found, told.Why, strings.ReplaceAll(told.Do, "FILE", problem.ShellWord(s.file)))
	}
	if len(keys) == 0 && alias != "" && s.hasKeys() {
		return nil, problem.New(fmt.Sprintf("%s has no key under the alias %q", s.file, alias), "it has "+s.list(), "name one of them (--cert-alias)").WithKind(problem.Usage)
	}
	if len(keys) <= 1 {
		if len(keys) == 0 {
			return nil, nil //nolint:nilnil // certificates alone
		}
		return keys[0], nil
	}
	fit := slices.DeleteFunc(slices.Clone(keys), func(e *keystore.Entry) bool {
		return len(e.Certs) == 0 || host == "" || e.Certs[0].VerifyHostname(host) != nil
	})
	if len(fit) == 0 {
		found := fmt.Sprintf("%s has several keys", s.file)
		if host != "" {
			found += ", and none of them has a certificate for " + host
		}
		return nil, &SeveralError{
			told: problem.New(found, "it has "+s.list(), "name the one that is to serve (--cert-alias)").WithKind(problem.Usage),
			Keys: s.choices(),
		}
	}
	return slices.MaxFunc(fit, func(a, b *keystore.Entry) int { return a.Certs[0].NotAfter.Compare(b.Certs[0].NotAfter) }), nil
}

func (s namedStore) hasKeys() bool { return slices.ContainsFunc(s.Entries, keystore.Entry.HasKey) }

// SeveralError says that one of several keys must be named.
type SeveralError struct {
	told *problem.Error
	Keys []StoreKey
}

// StoreKey is a key of a store with what its certificate says.
type StoreKey struct {
	Alias    string
	Names    []string
	NotAfter time.Time // zero where it has no certificate
}

func (e *SeveralError) Error() string { return e.told.Error() }
func (e *SeveralError) Unwrap() error { return e.told }

func (s namedStore) choices() []StoreKey {
	var all []StoreKey
	for _, e := range s.Entries {
		if !e.HasKey() {
			continue
		}
		k := StoreKey{Alias: e.Alias}
		if len(e.Certs) > 0 {
			k.Names, k.NotAfter = names(e.Certs[0]), e.Certs[0].NotAfter
		}
		all = append(all, k)
	}
	return all
}

// list is the keys of a store in words.
func (s namedStore) list() string {
	var all []string
	for _, k := range s.choices() {
		text := fmt.Sprintf("%q", printable.Text(k.Alias))
		if !k.NotAfter.IsZero() {
			text += fmt.Sprintf(" for %s until %s", strings.Join(k.Names, ", "), k.NotAfter.UTC().Format(time.DateOnly))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// lockedKey is a key or a store whose password is missing.
type lockedKey struct {
	file, where string
	cause       *keystore.LockedError
	store       bool // as a whole, or a key in one
	own         bool // the key has a password that is not the store's
	certs       bool // PEM certificates stand beside it
}

// error says what to do about it, which depends on whether a password can be given.
func (l *lockedKey) error(canAsk bool) error {
	why, do := "the front gets a copy that only root can read", "give its password: --cert-password-file FILE, or - for standard input"
	switch {
	case !canAsk && l.store:
		why = "a server must be able to start without a person typing it"
		do = "write a copy without it: bitgate cert bundle --cert " + l.file + " --cert-password-file FILE -o " + l.file + ".pem (and name that file)"
	case !canAsk:
		// The certificates of a combined file are not in what openssl writes, so that
		// file stays named.
		plain, then := l.file+".plain", " (and name that file as key)"
		if l.certs {
			then = " (and name both files: --cert " + l.file + " --key " + plain + ")"
		}
		why, do = "a server must be able to start without a person typing it", "write it without: umask 077; openssl pkey -in "+l.file+" -out "+plain+then
	case l.own && l.cause.Given:
		why, do = "it may have a password of its own, beside the store's", "give both, each on a line of its own: --cert-password-file FILE"
	case l.cause.Given && l.store:
		why = "it is another one, or the file is damaged; what Windows exported for users or groups of a domain has a password that nobody knows"
		do = "try again, or have it exported with a password: --cert-password-file FILE"
	case l.cause.Given:
		why = "it is another one, or the file is damaged"
	}
	return problem.Wrap(l.cause, l.where, why, do)
}
