package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
	"bitgate/doctor"
	"bitgate/doctor/local"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/interview"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/journal"
	"bitgate/wizard"
)

// verifyFlags say what else to look at, and from where.
type verifyFlags struct {
	connect   string
	repo      string
	nginxConf string
	apache    string // its main configuration file
	netrc     string
	logins    netrc // read from it

	clientCert, clientKey string
}

func (v *verifyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&v.connect, "connect", "", "verify by connecting to `ADDR` (host:port) instead of the public URL's")
	c.Flags().StringVar(&v.clientCert, "client-cert-file", "", "verify with this client certificate (PEM) where the front asks for one: `FILE`")
	c.Flags().StringVar(&v.clientKey, "client-key-file", "", "its key, where the file of the certificate does not hold it: `FILE`")
	c.Flags().StringVar(&v.repo, "repo", "", "verify also with a real git ls-remote of `URL` or PROJECT/repository")
}

func newVerify(p *process) *cobra.Command {
	var v verifyFlags
	var shared *sharedFlags
	var asJSON, quiet bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Prove from outside that it works",
		Long: `Examines the public URL as clients see it: certificate, redirects, status, base
URL, cookies, clone addresses, git and SSH. It changes nothing. Without --url it
examines what the last run set up.`,
		Example: `  bitgate verify
  bitgate verify --url https://git.example.com/bitbucket --repo PROJ/repo
  bitgate verify --url https://git.example.com --connect 10.0.0.5:443   before DNS is changed`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runVerify(c.Context(), p, shared, v, asJSON, quiet) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print findings as JSON")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only what is not well")
	v.add(c)
	c.Flags().StringVar(&v.nginxConf, "nginx-conf", "", "the nginx.conf of a front made by hand on this machine, where it is not found by itself: `FILE`")
	c.Flags().StringVar(&v.apache, "apache-conf", "", "the same for Apache's main configuration: `FILE`")
	c.Flags().StringVar(&v.netrc, "app-links-netrc", "", "netrc `FILE` with administrators of linked applications (Jira, Bamboo): the link that each has to Bitbucket is read back there; needs --admin-user")
	shared = addShared(c)
	return c
}

func runVerify(ctx context.Context, p *process, shared *sharedFlags, v verifyFlags, asJSON, quiet bool) error {
	ses, err := newSession(p, shared)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	if v.netrc != "" {
		if v.logins, err = readNetrc(v.netrc); err != nil {
			return err
		}
		defer v.logins.wipe()
	}
	plan, err := ses.verifiedPlan()
	if err != nil {
		return err
	}
	if !givenPassword(ses.creds) {
		ses.creds.prompt = nil
	}
	notify := p.text().Finding
	switch {
	case asJSON:
		notify = nil
	case quiet:
		notify = func(f problem.Finding) {
			if f.Level == problem.Warn || f.Level == problem.Fail {
				p.text().Finding(f)
			}
		}
	}
	found := ses.examine(ctx, plan, v, notify)
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "cancelled", "", "").WithKind(problem.Cancelled)
	}
	if asJSON {
		if err := view.Value(p.Out, problem.Spelling(p.asCalled).Findings(found)); err != nil {
			return err
		}
	}
	return verdict(found, "see what to do below each check")
}

// verifiedPlan is the last run's plan with what was said now on top.
func (ses *session) verifiedPlan() (setup.Plan, error) {
	plan, err := journal.Plan(ses.probe.StateDir, "")
	if errors.Is(err, fs.ErrPermission) && ses.input.URL.IsZero() {
		return plan, problem.Wrap(err, "the public URL is not known", "the last run tells it to root alone", "run it as root, or name the site: --url").WithKind(problem.Usage)
	}
	if err != nil && ses.input.URL.IsZero() {
		return plan, usage("missing: --url", "no run is known here, so say which public URL to examine")
	}
	if err != nil || !ses.input.URL.IsZero() && ses.input.URL != plan.Answers.URL {
		plan = setup.Plan{Answers: ses.input}
	} else if err := ses.upon(&plan); err != nil {
		return plan, err
	}
	if ses.input.CAFile != "" {
		plan.Answers.CAFile = ses.input.CAFile
	}
	if ses.input.SSHListen != "" {
		plan.Answers.SSHListen = ses.input.SSHListen
	}
	ses.creds.user = cmp.Or(ses.creds.user, plan.Answers.AdminUser)
	ses.creds.home = cmp.Or(ses.creds.home, plan.Answers.Home)
	return plan, nil
}

// verifyTime ends a look at a server that drips its answers. A login has limits of
// its own; a person may be typing.
const verifyTime = 2 * time.Minute

// examine runs the doctor on what plan set up.
func (ses *session) examine(ctx context.Context, plan setup.Plan, v verifyFlags, notify func(problem.Finding)) []problem.Finding {
	t := target(plan, v)
	if plan.Run.UpstreamAfter != "" {
		t.Again = ses.again("apply", "--answers", filepath.Join(ses.probe.StateDir, "answers.yaml"))
	}
	var host []problem.Finding
	stopped := func() bool { return errors.Is(ctx.Err(), context.Canceled) }
	tell := func(found []problem.Finding) {
		if stopped() {
			return // what was looked at in vain is no finding
		}
		for _, f := range found {
			host = append(host, f)
			if notify != nil {
				notify(f)
			}
		}
	}
	here := ses.onThisMachine(ctx, plan, v)
	if here {
		m := local.Look(ctx, ses.where(plan, v))
		host = doctor.Causes(ctx, t, m, notify)
		tell(m.Site.Told)
		if len(m.Instance.Home) > 0 { // elsewhere the address may be reached by the front alone
			t.Direct = m.Upstream
		}
	}
	tell(ses.nameElsewhere(ctx, plan, v))
	t.Causes = host
	tell(ses.administrator(ctx, plan, v, &t))
	if here {
		tell(ses.renewalFindings(ctx, plan.Answers.URL.Host()))
	}
	tell(check.Host(ctx, ses.probe.Root, plan.Answers))
	patience := cmp.Or(ses.patience, verifyTime)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlow)
	defer cancel()
	found := append(host, doctor.Run(ctx, t, notify)...)
	var f problem.Finding
	switch {
	case errors.Is(context.Cause(ctx), errSlow):
		f = problem.Finding{
			ID: "time", Level: problem.Fail, Title: "Time", Found: fmt.Sprintf("stopped after %s; what is not listed was not looked at", patience),
			Why: "answers that come so slowly look like none to people", Do: "find out what answers so slowly: see the checks above and the log of the front",
		}
	case stopped():
		f = problem.Finding{ID: wizard.Stopped, Level: problem.Note, Title: "Stopped", Found: "the checks were stopped; what is not listed was not looked at", Do: ses.again("verify")}
	default:
		return found
	}
	if notify != nil {
		notify(f)
	}
	return append(found, f)
}

// administrator gives t the administrator's session, where a password was given. A refusal is
// a finding with its cure. Without a session the base URL is read anonymously.
func (ses *session) administrator(ctx context.Context, plan setup.Plan, v verifyFlags, t *doctor.Target) []problem.Finding {
	if !ses.creds.have && !givenPassword(ses.creds) {
		return nil
	}
	s, err := ses.creds.Login(ctx, cmp.Or(plan.Run.UpstreamAfter, plan.Answers.URL.BaseURL()))
	if err == nil {
		t.Session, t.GitUser, t.GitPassword = s, ses.creds.user, ses.creds.secret
		if v.logins != nil {
			t.LinkLogin = v.logins.login
		}
		return nil
	}
	told := problem.Explain(err)
	f := problem.Finding{ID: "login", Level: problem.Note, Title: "Administrator", Found: "not signed in: " + strings.Join(told.Found, ": ")}
	if problem.KindOf(err) == problem.Credentials {
		f.Level, f.Found, f.Why, f.Do = problem.Warn, told.Found[0], strings.Join(told.Why, "; "), strings.Join(told.Do, "; ")
	}
	return []problem.Finding{f}
}

// nameElsewhere is for a public name that clients here do not find, or, on a
// machine with a front for it, find at another one.
func (*session) nameElsewhere(ctx context.Context, plan setup.Plan, v verifyFlags) []problem.Finding {
	a := plan.Answers
	if v.connect != "" || net.ParseIP(strings.Trim(a.URL.Host(), "[]")) != nil {
		return nil
	}
	f := checkName(ctx, a)
	f.ID, f.Title = "cause.name", "The public name"
	switch {
	case f.Level == problem.Warn:
		f.Level, f.Do = problem.Fail, "add the name to DNS, or for this machine alone to /etc/hosts"
	case f.Level != problem.Note || f.Why == "" || len(a.Listen) == 0 || a.Skips(setup.StepHAProxy):
		return nil
	}
	return []problem.Finding{f}
}

// errSlow is why a look ends at verifyTime.
var errSlow = errors.New("it takes too long")

// target says what the doctor must look at after plan.
func target(plan setup.Plan, v verifyFlags) doctor.Target {
	a := plan.Answers
	t := doctor.Target{URL: a.URL, Connect: v.connect, CAFile: a.CAFile, ClientCert: v.clientCert, ClientKey: v.clientKey, Repo: v.repo, OldPath: oldPath(plan), Nodes: a.NodeNames()}
	if a.URL.Port() == 443 && a.HTTPRedirect != setup.Never && a.HTTPRedirect != "" {
		t.RedirectPort, t.RedirectOptional = 80, a.HTTPRedirect != setup.Always
	}
	if a.SSHListen != "" && !a.Skips(setup.StepSSH) {
		at := hostport.Addr{Host: a.URL.Host()}
		if to, err := hostport.Parse(v.connect); err == nil {
			at.Host = to.Host
		}
		if listen, err := hostport.Parse(a.SSHListen); err == nil {
			at.Port = listen.Port
			t.SSHAddr = at.String()
		}
	}
	return t
}

// oldPath is the context path that plan replaced, "/" for the root, "" for none.
func oldPath(plan setup.Plan) string {
	old := plan.Answers.RedirectOldPath
	before, err1 := url.Parse(plan.Run.UpstreamBefore)
	after, err2 := url.Parse(plan.Run.UpstreamAfter)
	if old == "" && err1 == nil && err2 == nil && before.Path != after.Path {
		if old = before.Path; old == "" {
			old = "/"
		}
	}
	if p, err := publicurl.ParsePath(old); err != nil || old == "" || p == plan.Answers.URL.TomcatPath() {
		return ""
	}
	return old
}

// checksLine sums findings up for people.
func checksLine(url string, found []problem.Finding) string {
	count := func(l problem.Level) int { return len(problem.OfLevel(found, l)) }
	return fmt.Sprintf("%s: %s passed, %s, %s, %d failed", url,
		interview.Count(count(problem.OK), "check"), interview.Count(count(problem.Note), "note"), interview.Count(count(problem.Warn), "warning"), count(problem.Fail))
}
