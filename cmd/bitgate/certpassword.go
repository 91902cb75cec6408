package main

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/internal/problem"
)

// certPassword is what opens the certificate's files, on its way from a file, a
// prompt, standard input or systemd. It is read when a file turns out to be locked,
// once, and kept until the run has ended.
type certPassword struct {
	source func(file string) func() ([]byte, error)                 // of passwords, by the answer that names one
	prompt func(ctx context.Context, prompt string) ([]byte, error) // nil: no terminal
	say    func(error)                                              // a refusal, before asking again

	mu      sync.Mutex             // the wizard looks at the machine and at an answer at a time
	file    string                 // that read reads, as the answers name it
	read    func() ([]byte, error) // nil: no file given, or it was read
	secrets []bitbucket.Secret
	own     string   // Bitbucket's own key store, "" for none
	found   [][]byte // what its configuration opens that one with
	typed   int
}

// newCertPassword finds out where a password can come from; it reads none yet.
func newCertPassword(p *process, file string) *certPassword {
	c := &certPassword{
		source: func(file string) func() ([]byte, error) {
			return p.passwordSource("the certificate's password file", file, "cert-password", readAll)
		},
		prompt: p.ReadPassword, say: func(err error) { printError(*p, err) },
	}
	c.read = c.source("")
	c.follow(file)
	return c
}

// follow takes over which file has the password.
func (c *certPassword) follow(file string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if file != c.file {
		c.file, c.read = file, c.source(file)
	}
}

// ask is certs.Unlock's way to the passwords; see there.
func (c *certPassword) ask(ctx context.Context) func(locked error) ([][]byte, error) {
	return func(locked error) ([][]byte, error) {
		if c == nil {
			return nil, nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !certs.Refused(locked) && len(c.secrets) > 0:
		case !certs.Refused(locked) && c.own != "" && strings.Contains(locked.Error(), c.own):
			return c.found, nil
		case c.read != nil:
			text, err := c.read()
			c.read = nil
			if err != nil {
				return nil, err
			}
			for line := range bytes.Lines(text) {
				c.add(bytes.Clone(bytes.TrimRight(line, "\r\n")))
			}
			clear(text)
		case c.prompt != nil && c.typed < tries:
			if certs.Refused(locked) {
				c.say(locked)
			}
			c.typed++
			text, err := c.prompt(ctx, "Password ("+problem.Explain(locked).Found[0]+"): ")
			if ctx.Err() != nil || err == nil && len(text) == 0 {
				return nil, cancelled()
			}
			if err != nil {
				return nil, err
			}
			c.add(text) // beside those before: a store and its key may have different ones
		default:
			return nil, nil
		}
		return c.reveal(), nil
	}
}

// keep takes over a password.
func (c *certPassword) keep(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(text)
}

// opensOwn takes over what Bitbucket's own key store is opened with.
func (c *certPassword) opensOwn(store string, passwords [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own, c.found = store, passwords
}

// add is keep; the caller holds mu.
func (c *certPassword) add(text []byte) {
	c.secrets = append(c.secrets, bitbucket.NewSecret(text))
}

// reveal gives all of them; the caller holds mu.
func (c *certPassword) reveal() [][]byte {
	var all [][]byte
	for _, s := range c.secrets {
		all = append(all, s.Reveal())
	}
	return all
}

func (c *certPassword) wipe() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.secrets {
		s.Wipe()
	}
	c.secrets = nil
}
