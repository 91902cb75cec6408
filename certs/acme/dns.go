package acme

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/internal/child"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// Hook answers DNS-01 through a program, in lego's convention, so that scripts made for
// it fit: Program present|cleanup FQDN VALUE, where FQDN ends in a dot. A hook has its
// own way to its password; it gets none from here. It should return only once all
// servers of the zone have the record.
type Hook struct {
	Program  string
	Timeout  time.Duration // of one call; 0: 5 min
	Patience time.Duration // how long to look for the record after; 0: 1 min, below: not at all
	Tell     func(string)  // may be nil
	Resolver *net.Resolver // nil: the system's
}

// Type is Solver's.
func (Hook) Type() string { return DNS01 }

// Present is Solver's.
func (h Hook) Present(ctx context.Context, c acme.Challenge) error { return h.run(ctx, "present", c) }

// CleanUp is Solver's.
func (h Hook) CleanUp(ctx context.Context, c acme.Challenge) error { return h.run(ctx, "cleanup", c) }

func (h Hook) run(ctx context.Context, verb string, c acme.Challenge) error {
	if err := trusted.Check("--acme-dns-hook", h.Program); err != nil {
		return problem.Wrap(err, "the hook "+h.Program+" is not run", "it would run as root", "check its path and owner")
	}
	limit := cmp.Or(h.Timeout, 5*time.Minute)
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	out, err := child.Command{
		Name: h.Program, Args: []string{verb, c.DNS01TXTRecordName() + ".", c.DNS01KeyAuthorization()}, Env: child.Proxies(), // it talks to a provider outside
	}.Output(ctx)
	if err == nil {
		return nil
	}
	last := lastLines(out, 3)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		last = "it did not end within " + limit.String()
	}
	return problem.Wrap(err, "the hook "+h.Program+" "+verb+" failed", last, "run it by hand: "+problem.ShellWord(h.Program)+" "+verb+" "+c.DNS01TXTRecordName()+". VALUE")
}

// lastLines of what a program printed, in one line.
func lastLines(out []byte, n int) string {
	lines := strings.FieldsFunc(string(bytes.TrimSpace(out)), func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// Wait looks for the record. That it is not seen from here stops nothing: the name may
// be another one inside the company than outside.
func (h Hook) Wait(ctx context.Context, c acme.Challenge) error {
	patience := cmp.Or(h.Patience, time.Minute)
	resolver := cmp.Or(h.Resolver, net.DefaultResolver)
	name, want := c.DNS01TXTRecordName()+".", c.DNS01KeyAuthorization()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		look, done := context.WithTimeout(ctx, 5*time.Second)
		values, _ := resolver.LookupTXT(look, name) // none: not yet
		done()
		if slices.Contains(values, want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	if patience > 0 && h.Tell != nil {
		h.Tell("the record " + name + " is not seen from this machine; the authority is asked all the same")
	}
	return nil
}
