package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// tries is how often a password may be typed: Bitbucket shows a CAPTCHA after
// five failures and then refuses the right one too.
const tries = 3

// maxPassword is more than any password and less than a file named by mistake.
const maxPassword = 4096

// credentials is the administrator's password on its single way from a file, a
// prompt, standard input or systemd to one login. A refused password is used
// again only after new typing.
type credentials struct {
	user   string
	method bitbucket.Method
	caFile string
	own    func(base string) string                                 // PEM of the authorities of Bitbucket's own certificate, "" for none
	home   string                                                   // of the instance that may have it, where somebody vouched for one
	source func(file string) func() ([]byte, error)                 // of passwords, by the answer that names one
	file   string                                                   // that read reads, as the answers name it
	read   func() ([]byte, error)                                   // nil: no file given
	prompt func(ctx context.Context, prompt string) ([]byte, error) // nil: no terminal, or the full screen has it
	say    func(error)                                              // a refusal, before asking again

	secret   bitbucket.Secret
	have     bool
	typed    int
	refused  error
	sessions map[string]*bitbucket.Session // by base

	cert *certPassword // of the certificate's files; another secret, with the same life
}

// newCredentials finds out where a password can come from; it reads none yet.
func newCredentials(p *process, a setup.Answers) *credentials {
	c := &credentials{
		home: a.Home, prompt: p.ReadPassword, cert: newCertPassword(p, a.CertPasswordFile),
		source: func(file string) func() ([]byte, error) {
			return p.passwordSource("the password file", file, "admin-password", readPassword)
		},
		say: func(err error) { printError(*p, err) }, sessions: map[string]*bitbucket.Session{},
	}
	c.read = c.source("")
	c.follow(a)
	return c
}

// follow takes over what the answers say of who signs in, how, and with which file. A
// password that belonged to other answers is forgotten.
func (c *credentials) follow(a setup.Answers) {
	c.cert.follow(a.CertPasswordFile)
	user, file := cmp.Or(a.AdminUser, c.user), a.AdminPasswordFile
	if user != c.user || file != c.file && file != "" {
		c.secret.Wipe()
		c.have, c.refused, c.typed = false, nil, 0
		clear(c.sessions)
	}
	if c.user = user; file != c.file {
		c.file, c.read = file, c.source(file)
	}
	c.method, c.caFile, c.own = bitbucket.MethodAuto, a.CAFile, a.OwnCA
	if m := bitbucket.Method(a.BaseURLMethod); m == bitbucket.MethodConfAPI || m == bitbucket.MethodForm {
		c.method = m
	}
}

// passwordSource reads passwords with take from a file, from standard input for "-", or,
// where no file is named, from systemd's credential of that name. nil: there is none.
func (p *process) passwordSource(what, file, credential string, take func(r io.Reader, name string) ([]byte, error)) func() ([]byte, error) {
	if dir := p.env("CREDENTIALS_DIRECTORY"); file == "" && dir != "" { // https://systemd.io/CREDENTIALS/
		if f := filepath.Join(dir, credential); exists(f) {
			file = f
		}
	}
	switch file {
	case "":
		return nil
	case "-":
		return func() ([]byte, error) {
			if p.screen {
				return nil, usage("the password is to come from standard input, which is the keyboard of the full screen",
					"name a file, or leave that answer empty, and the password is asked for; bitgate setup --plain reads it")
			}
			return take(p.lines, "standard input")
		}
	}
	return func() ([]byte, error) {
		b, err := readTrusted(what, file)
		if err != nil {
			return nil, err
		}
		defer clear(b)
		return take(bytes.NewReader(b), file)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// readPassword takes all of r but one line end.
func readPassword(r io.Reader, name string) ([]byte, error) {
	b, err := readAll(r, name)
	if err == nil && bytes.ContainsRune(b, '\n') {
		clear(b)
		return nil, usage(name+" does not hold one password on one line", "")
	}
	return b, err
}

// readAll takes all of r but one line end; there must be something that can be passwords.
func readAll(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPassword+1))
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // as Windows' editors begin a file
	if len(b) == 0 || len(b) > maxPassword || bytes.ContainsRune(b, 0) {
		clear(b)
		return nil, usage(name+" does not hold one password on one line", "")
	}
	return b, nil
}

// available reports whether a login can be tried without giving more flags.
func (c *credentials) available() bool {
	return c != nil && c.user != "" && (c.have || c.read != nil || c.prompt != nil)
}

// Login gives a session under base. A session that still works is used again.
func (c *credentials) Login(ctx context.Context, base string) (*bitbucket.Session, error) {
	if s := c.sessions[base]; s != nil {
		if _, err := s.Settings(ctx); err == nil {
			return s, nil
		}
		delete(c.sessions, base) // a restart ends sessions
	}
	client, err := c.client(base)
	if err != nil {
		return nil, err
	}
	for {
		if err := c.obtain(ctx, base); err != nil {
			return nil, err
		}
		s, err := client.Login(ctx, c.user, c.secret, c.method)
		if err == nil {
			c.sessions[base] = s
			return s, nil
		}
		if problem.KindOf(err) != problem.Credentials {
			return nil, err
		}
		c.secret.Wipe()
		c.have, c.refused = false, err
		if c.prompt == nil || c.typed >= tries {
			return nil, err
		}
		c.say(err)
	}
}

// client is Bitbucket at base, where a password may be sent.
func (c *credentials) client(base string) (*bitbucket.Client, error) {
	o := bitbucket.Options{Home: c.home}
	if strings.HasPrefix(base, "https:") {
		o.CAFile = c.caFile // verify without an upstream of its own
		if own := c.own(base); own != "" {
			o.CAFile = own
		}
		u, err := url.Parse(base)
		o.OwnTLS = err == nil && net.ParseIP(u.Hostname()).IsLoopback() // an upstream with its own
	}
	return bitbucket.NewClient(base, o)
}

// obtain reads or asks for the password where there is none.
func (c *credentials) obtain(ctx context.Context, base string) error {
	if c.have {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var b []byte
	var err error
	switch {
	case c.read != nil && c.refused == nil:
		b, err = c.read()
	case c.prompt != nil && c.typed < tries:
		c.typed++
		if b, err = c.prompt(ctx, fmt.Sprintf("Password of %s at %s: ", c.user, base)); err == nil && len(b) == 0 {
			err = cancelled()
		}
	case c.refused != nil:
		err = c.refused
	default:
		err = usage("there is no password for "+c.user, "give --admin-password-file FILE, or - for standard input")
	}
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = cancelled()
	}
	if err == nil {
		c.secret, c.have = bitbucket.NewSecret(b), true
	}
	return err
}

// keep takes over a password that was accepted elsewhere (the wizard).
func (c *credentials) keep(user string, secret bitbucket.Secret, base string, s *bitbucket.Session) {
	c.user, c.secret, c.have, c.refused = user, secret, true, nil
	c.sessions[base] = s
}

// wipe forgets everything.
func (c *credentials) wipe() {
	if c == nil {
		return
	}
	c.secret.Wipe()
	c.have = false
	c.cert.wipe()
	clear(c.sessions)
}
