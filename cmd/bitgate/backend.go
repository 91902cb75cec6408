package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/certs/store"
	"bitgate/cmd/bitgate/view"
	"bitgate/internal/child"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/wizard"
)

// backend is the machine as the wizard sees it.
func (ses *session) backend(v verifyFlags) wizard.Backend {
	ses.creds.cert.prompt = nil // the wizard asks
	ses.follow(ses.input)       // which has earlier answers by now
	var result setup.Result
	var end view.End
	var doing atomic.Value
	b := wizard.Backend{
		Detect: func(ctx context.Context, said setup.Answers) (setup.Facts, error) {
			ses.creds.cert.follow(said.CertPasswordFile)
			probe := ses.probe
			probe.Input, probe.Unlock = said, ses.creds.cert.ask(ctx)
			f, err := detect.Facts(ctx, probe)
			ses.mu.Lock()
			defer ses.mu.Unlock()
			ses.took(ses.known(f))
			return ses.facts, err
		},
		Renewal: ses.renewal,
		Resolve: setup.Resolve,
		Build:   setup.Build,
		Diffs:   setup.Diffs,
		Check:   ses.check,
		CheckPlan: func(ctx context.Context, f setup.Facts, p setup.Plan) ([]problem.Finding, error) {
			defer doing.Store("")
			if err := ses.signInByFile(ctx, f, p.Answers); err != nil {
				return nil, err
			}
			pr := ses.prover(ctx)
			pr.Progress = func(what string) { doing.Store(what) }
			return pr.Plan(ctx, f, p)
		},
		Checking: func() string {
			what, _ := doing.Load().(string) // nothing yet is none
			return what
		},
		Login:  ses.login,
		Unlock: ses.unlock, FetchChain: ses.fetchChain,
		Apply: func(ctx context.Context, p setup.Plan, ask setup.Ask, notify func(setup.Event)) (setup.Result, error) {
			ses.follow(p.Answers)
			a := ses.applier(ctx, notify)
			a.Ask = ask
			var err error
			result, err = a.Apply(ctx, p)
			ses.p.changing.Store(false)
			if result.State == setup.RunCommitted {
				end = ses.end(result, p)
			}
			return result, err
		},
		Verify: func(ctx context.Context, p setup.Plan, notify func(problem.Finding)) []problem.Finding {
			if len(result.Pending) > 0 {
				f := problem.Finding{
					ID: "pending", Level: problem.Note, Found: "not verified yet: " + strings.Join(result.Pending, "; "),
					Do: ses.again("verify") + ", when that is done",
				}
				notify(f)
				return []problem.Finding{f}
			}
			ses.follow(p.Answers)
			return ses.examine(ctx, p, v, notify)
		},
		SaveDraft:  ses.saveDraft,
		SavePlan:   savePlan,
		SaveScript: saveScript,
		Complete:   completePath,
		Pager:      ses.p.pager,
		After:      func(setup.Result, setup.Answers) (again, back string) { return end.Again, end.Back },
	}
	b.ServeNow = func(ctx context.Context, p setup.Plan) error {
		front, err := startFront(ctx, ses.p.Program, ses.p.Err, p.Answers.ProxyConfig)
		if err != nil {
			return err
		}
		out(ses.p.Out, "Serving %s. Ctrl-C ends it.", p.Answers.URL.BaseURL())
		return front.serve(ctx)
	}
	return b
}

// follow lets the session's passwords be those of the answers of now.
func (ses *session) follow(a setup.Answers) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.creds.follow(a)
}

// signInByFile tries a password that comes from a file before anybody consents: its
// refusal would stop the run. One that was typed has been tried.
func (ses *session) signInByFile(ctx context.Context, f setup.Facts, a setup.Answers) error {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.creds.follow(a)
	if a.AdminPasswordFile == "-" && !ses.p.screen {
		return nil // it stands behind the word that consents
	}
	if !givenPassword(ses.creds) || ses.creds.have || !setup.NeedsLogin(f, a) || f.Instance.State == bitbucket.Unreachable {
		return nil
	}
	_, err := ses.creds.Login(ctx, f.Instance.Base)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return problem.Wrap(err, "nobody could sign in with the password file", "the base URL is changed by an administrator",
		"name another file, or leave --admin-password-file empty, and the password is asked for").WithKind(problem.KindOf(err))
}

// login tries the password that was typed, once, and keeps it for the run.
func (ses *session) login(ctx context.Context, a setup.Answers, password []byte) error {
	ses.mu.Lock()
	ses.creds.follow(a)
	base, method := ses.facts.Instance.Base, ses.creds.method
	client, err := ses.creds.client(base)
	ses.mu.Unlock()
	if err != nil {
		return err
	}
	secret := bitbucket.NewSecret(bytes.Clone(password))
	s, err := client.Login(ctx, a.AdminUser, secret, method)
	if err != nil {
		secret.Wipe()
		return err
	}
	settings, err := s.Settings(ctx)
	if err != nil {
		secret.Wipe()
		return err
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.settings = &settings
	ses.creds.keep(a.AdminUser, secret, base, s)
	return nil
}

// unlock tries the password that was typed, beside those before it: a key may have
// one of its own.
func (ses *session) unlock(ctx context.Context, a setup.Answers, password []byte) error {
	ses.creds.cert.follow(a.CertPasswordFile)
	ses.creds.cert.keep(bytes.Clone(password))
	u := certs.Unlock{Ask: ses.creds.cert.ask(ctx)}
	if !a.URL.IsZero() {
		u.Host = a.URL.Host()
	}
	if _, err := certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), u); certs.IsLocked(err) {
		return err
	}
	return nil // what else is wrong, the look at the machine says
}

// fetchChain fetches what the certificate lacks, and keeps it where a renewal finds it.
func (ses *session) fetchChain(ctx context.Context, a setup.Answers, private bool) (chain, said string, err error) {
	m, err := certs.LoadWith(certs.OpenTrusted, setup.CertPaths(a), certs.Unlock{Ask: ses.creds.cert.ask(ctx), Host: a.URL.Host()})
	if err != nil {
		return "", "", err
	}
	added, err := m.FetchChain(ctx, private)
	if err != nil || len(added) == 0 {
		return "", "none was missing: a root that signs the certificate itself lies there", err
	}
	var names []string
	for _, c := range added {
		names = append(names, c.Subject.String())
	}
	chain, err = store.Store{StateDir: ses.probe.StateDir}.KeepChain(a.URL.Host(), certs.PEM(added))
	return chain, "fetched " + strings.Join(names, "; ") + " into " + chain, err
}

// savePlan writes the plan into the current directory under a name of its own.
func savePlan(p setup.Plan) (string, error) {
	name := freeName("bitgate-plan-%d.json")
	return name, writePlan(name, p)
}

// saveScript writes a script next to it that only its owner can read and run.
func saveScript(text string) (string, error) {
	name := freeName("bitgate-setup-%d.sh")
	if err := writePrivate(name, []byte(text)); err != nil {
		return name, err
	}
	return name, os.Chmod(name, 0o700)
}

// freeName numbers a file's name, so that nothing is overwritten.
func freeName(pattern string) string {
	for n := 1; ; n++ {
		if name := fmt.Sprintf(pattern, n); !exists(name) {
			return name
		}
	}
}

// pager shows text in $PAGER, else less.
func (p *process) pager(text string, in io.Reader, out io.Writer) error {
	pager := cmp.Or(p.env("PAGER"), "less -R")
	// Nothing secret is in the diffs, and less must not open a shell for root by accident.
	env := []string{"LESSSECURE=1"}
	for _, name := range []string{"TERM", "COLORTERM", "COLUMNS", "LINES", "LESS", "LESSCHARSET", "MORE", "LV", "LC_CTYPE"} {
		if v, set := p.Env(name); set {
			env = append(env, name+"="+v)
		}
	}
	return child.Command{
		Name: "/bin/sh", Args: []string{"-c", pager}, Env: env, Terminal: true,
		Stdin: strings.NewReader(text), Stdout: out, Stderr: p.Err,
	}.Run(context.Background())
}
