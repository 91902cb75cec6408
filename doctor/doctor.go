// Package doctor proves from outside that Bitbucket works under its public
// URL. Each family of checks has a file of its own; a check is data (what it
// is, why it matters, what to do) plus one function that looks.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// Target is what is examined. Only URL is required.
type Target struct {
	URL     publicurl.URL
	Connect string // host:port dialled instead of the URL's; TLS still checks the URL's name
	CAFile  string // PEM with roots besides the system's

	// ClientCert and ClientKey are PEM files of what is shown to a front that asks
	// clients for certificates; "" shows none. One file may hold both.
	ClientCert, ClientKey string

	Again string // command that repeats the run, "" without one; only words the advice

	RedirectPort     int      // plain HTTP port that must redirect to https, 0 for none
	RedirectOptional bool     // the redirect was set up only if the port was free
	SSHAddr          string   // host:port where SSH is forwarded, "" for none
	Nodes            []string // names of a cluster's nodes, as the front's cookie has them
	Direct           string   // "http://127.0.0.1:7990", Bitbucket past the front, "" where it cannot be asked
	OldPath          string   // former context path, "/" for the root, "" when it did not change

	Repo        string // "PROJ/repo" or a clone URL under URL, "" for no git check
	GitUser     string
	GitPassword bitbucket.Secret

	Session *bitbucket.Session // administrator's session where there is one, to read the base URL

	// LinkLogin names an administrator of a linked application by its host, where one
	// was given. May be nil.
	LinkLogin func(host string) (user string, password bitbucket.Secret, known bool)

	Causes []problem.Finding // what Causes found on the machine; checks that fail because of one say so
}

// check is one examination: data plus one function.
type check struct {
	id    string
	title string
	why   string              // why it matters when it is not ok
	do    string              // the smallest next step when it is not ok
	https bool                // needs a TLS connection to the front
	when  func(t Target) bool // nil: always
	look  func(context.Context, *probe) verdict
}

// verdict is what a check's function saw. Why and Do replace the check's own.
type verdict problem.Finding

func ok(found string) verdict   { return verdict{Level: problem.OK, Found: found} }
func note(found string) verdict { return verdict{Level: problem.Note, Found: found} }
func warn(found string) verdict { return verdict{Level: problem.Warn, Found: found} }
func fail(found string) verdict { return verdict{Level: problem.Fail, Found: found} }

func (v verdict) because(why string) verdict { v.Why = why; return v }
func (v verdict) doing(do string) verdict    { v.Do = do; return v }

// limit of one check, git included; a front that hangs must not hang the doctor.
const limit = 30 * time.Second

func checks() []check {
	return slices.Concat(tlsChecks, redirectChecks, statusChecks, nodeChecks, baseURLChecks, appLinkChecks, cookieChecks,
		cloneChecks, clientChecks, gitChecks, sshChecks, oldPathChecks)
}

// Run makes every check that applies to t, in a fixed order, and tells notify
// (may be nil) of each finding as it is made. It changes nothing anywhere.
func Run(ctx context.Context, t Target, notify func(problem.Finding)) []problem.Finding {
	p := newProbe(t)
	defer p.close()
	because := explained(t.Causes)
	var findings []problem.Finding
	for _, c := range checks() {
		if c.when != nil && !c.when(t) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		f := c.run(ctx, p)
		if stopped(ctx) {
			break
		}
		if f.Level == "" {
			continue // another check says that there is nothing to see
		}
		if cause := because[c.id]; cause != "" && f.Level != problem.OK && f.Do != "" {
			f.Why, f.Do = "that follows from what stands above: "+cause, "do what is said there first, then bitgate verify"
		}
		if c.id == "base-url" && f.Level == problem.Fail && because["clone-url"] == "" {
			because["clone-url"] = c.title
		}
		findings = append(findings, f)
		if notify != nil {
			notify(f)
		}
	}
	return findings
}

// stopped: somebody ended the look, and that is all that what was under way has found.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

func (c check) run(ctx context.Context, p *probe) problem.Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f := problem.Finding{ID: c.id, Title: c.title}
	if c.https && p.handshake(ctx).err != nil {
		f.Level, f.Found = problem.Note, "not checked, because there is no TLS connection to the front"
		return f
	}
	if c.https && !strings.HasPrefix(c.id, "tls.") && p.handshake(ctx).turnedAway {
		return problem.Finding{} // tls.client says so
	}
	f = problem.Finding(c.look(ctx, p))
	f.ID, f.Title = c.id, c.title
	switch f.Level {
	case problem.OK:
		f.Why, f.Do = "", ""
	case problem.Warn, problem.Fail:
		f.Why, f.Do = cmp.Or(f.Why, c.why), cmp.Or(f.Do, c.do)
	}
	return f
}
