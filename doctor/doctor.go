// Package doctor proves from outside that Bitbucket works under its public
// URL. Each family of checks has a file of its own; a check is data (what it
// is, why it matters, what to do) plus one function that looks.
package doctor

import (
	"context"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// Target is what is examined. Only URL is required.
type Target struct {
	URL     publicurl.URL
	Connect string // host:port dialled instead of the URL's; TLS still checks the URL's name
	CAFile  string // PEM with roots besides the system's
	Front   string // "haproxy", "builtin" or "" when unknown; only words the advice

	RedirectPort     int      // plain HTTP port that must redirect to https, 0 for none
	RedirectOptional bool     // the redirect was set up only if the port was free
	SSHAddr          string   // host:port where SSH is forwarded, "" for none
	Nodes            []string // names of a cluster's nodes, as the front's cookie has them
	OldPath          string   // former context path, "/" for the root, "" when it did not change

	Repo        string // "PROJ/repo" or a clone URL under URL, "" for no git check
	GitUser     string
	GitPassword bitbucket.Secret

	Session *bitbucket.Session // administrator's session where there is one, to read the base URL
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

// verdict is what a check's function saw. Why and do replace the check's own.
type verdict struct {
	level setup.Level
	seen  string
	why   string
	do    string
}

func ok(seen string) verdict   { return verdict{level: setup.OK, seen: seen} }
func note(seen string) verdict { return verdict{level: setup.Note, seen: seen} }
func warn(seen string) verdict { return verdict{level: setup.Warn, seen: seen} }
func fail(seen string) verdict { return verdict{level: setup.Fail, seen: seen} }

func (v verdict) because(why string) verdict { v.why = why; return v }
func (v verdict) doing(do string) verdict    { v.do = do; return v }

// limit of one check, git included; a front that hangs must not hang the doctor.
const limit = 30 * time.Second

func checks() []check {
	var all []check
	for _, family := range [][]check{
		tlsChecks, redirectChecks, statusChecks, nodeChecks, baseURLChecks, cookieChecks,
		cloneChecks, gitChecks, sshChecks, oldPathChecks,
	} {
		all = append(all, family...)
	}
	return all
}

// Run makes every check that applies to t, in a fixed order, and tells notify
// (may be nil) of each finding as it is made. It changes nothing anywhere.
func Run(ctx context.Context, t Target, notify func(setup.Finding)) []setup.Finding {
	p := newProbe(t)
	defer p.close()
	var findings []setup.Finding
	for _, c := range checks() {
		if c.when != nil && !c.when(t) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		f := c.run(ctx, p)
		findings = append(findings, f)
		if notify != nil {
			notify(f)
		}
	}
	return findings
}

func (c check) run(ctx context.Context, p *probe) setup.Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f := setup.Finding{ID: c.id, Title: c.title}
	if c.https && p.handshake(ctx).err != nil {
		f.Level, f.Seen = setup.Note, "not checked, because there is no TLS connection to the front"
		return f
	}
	v := c.look(ctx, p)
	f.Level, f.Seen = v.level, v.seen
	if v.level == setup.OK {
		return f
	}
	f.Why, f.Do = v.why, v.do
	if f.Why == "" && v.level != setup.Note {
		f.Why = c.why
	}
	if f.Do == "" && v.level != setup.Note {
		f.Do = c.do
	}
	return f
}

// Worst is the worst level among findings; OK for none.
func Worst(findings []setup.Finding) setup.Level {
	rank := map[setup.Level]int{setup.OK: 0, setup.Note: 1, setup.Warn: 2, setup.Fail: 3}
	worst := setup.OK
	for _, f := range findings {
		if rank[f.Level] > rank[worst] {
			worst = f.Level
		}
	}
	return worst
}
