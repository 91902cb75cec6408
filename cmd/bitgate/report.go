package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/internal/atomicfile"
	"bitgate/internal/child"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/setup/journal"
	"bitgate/setup/redact"
)

// quoted is what stands between back quotes.
var quoted = pattern.Lazy("`[^`]*`")

// reporter writes a report. A part that cannot be had is left out and said so: it is
// asked for where things are broken.
type reporter struct {
	ses     *session
	now     time.Time
	text    bytes.Buffer
	page    *process // writes into text
	plan    setup.Plan
	facts   setup.Facts
	leftOut []string
}

const (
	reportedRuns  = 3
	reportedLines = 20               // of a service's log
	reportedFile  = 5000             // lines of a file
	reportStep    = 10 * time.Second // for what a program is asked
)

func newReporter(ses *session, now time.Time) *reporter {
	r := &reporter{ses: ses, now: now}
	page := *ses.p
	page.Out, page.OutTTY = &r.text, false
	r.page = &page
	return r
}

func (r *reporter) write(ctx context.Context) []byte {
	r.line("bitgate report of %s", r.now.UTC().Format(time.RFC3339))
	r.line("%s stands for what is not shown; what was left out stands at the end.", redact.Hidden)
	r.look(ctx)
	r.versions(ctx)
	r.found()
	r.services(ctx) // before verify fills their logs
	r.verify(ctx)
	r.configuration()
	r.runs()
	r.certificate(ctx)
	r.head("Left out")
	r.line("  private keys, certificates, key stores, passwords, cookies and tokens: a report holds none")
	r.line("  values of settings that bitgate does not manage, comments, and what in logs looks like a credential: anything there may be one")
	for _, text := range r.leftOut {
		r.line("  %s", text)
	}
	return r.text.Bytes()
}

func (r *reporter) line(format string, args ...any) { out(&r.text, format, args...) }

func (r *reporter) head(title string) { r.line("\n== %s", title) }

// row is a fact, where it is known.
func (r *reporter) row(name, value string) {
	if value != "" {
		r.line("  %-11s %s", name, problem.Mask(value))
	}
}

// without says what is missing and why.
func (r *reporter) without(what string, err error) {
	reason := strings.Join(problem.Explain(err).Found, ": ")
	if r.ses.p.NotRoot {
		reason += " (not run as root)"
	}
	r.leftOut = append(r.leftOut, what+": "+strings.ReplaceAll(reason, "\n", " "))
}

// look finds what the other parts tell of. A run's answers say where to look.
func (r *reporter) look(ctx context.Context) {
	var err error
	if r.plan, err = r.ses.verifiedPlan(); err != nil {
		r.without("checks through the public URL", err)
		r.plan = setup.Plan{Answers: r.ses.input}
	}
	probe := r.ses.probe
	probe.Input = r.plan.Answers
	if home := r.ses.input.Home; home != "" {
		probe.Input.Home = home
	}
	if r.facts, err = detect.Facts(ctx, probe); err != nil {
		r.without("what is found on this machine", err)
	}
}

func (r *reporter) versions(ctx context.Context) {
	r.head("Versions")
	r.row("bitgate", strings.TrimPrefix(thisBuild().String(), "bitgate "))
	if v := r.facts.HAProxy; v.Bin != "" {
		r.row("HAProxy", v.Version.Text+" ("+v.Bin+")")
	}
	if version := cmp.Or(r.facts.Bitbucket.Version, r.facts.Instance.Version); version != "" {
		r.row("Bitbucket", strings.TrimPrefix(r.facts.Bitbucket.Product+" "+version, "Bitbucket "))
	} else {
		r.leftOut = append(r.leftOut, "Bitbucket's version: it was not found")
	}
	r.row("Java", r.java())
	r.row("System", valueIn(filepath.Join(r.ses.probe.Root, "/etc/os-release"), "PRETTY_NAME"))
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		r.row("Kernel", unix.ByteSliceToString(name.Release[:])+" "+unix.ByteSliceToString(name.Machine[:]))
	}
	if service.HasSystemd(r.ses.probe.Root) {
		ctx, cancel := context.WithTimeout(ctx, reportStep)
		defer cancel()
		r.row("systemd", strconv.Itoa(service.SystemdVersion(ctx)))
	}
}

// valueIn is a value of a file of NAME="value" lines, "" where there is none.
func valueIn(path, key string) string {
	file, err := atomicfile.Read(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(file.Data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return redact.Log(strings.Trim(value, `"'`))
		}
	}
	return ""
}

// java is the version of the one that runs Bitbucket, by the file beside it.
func (r *reporter) java() string {
	pid := r.facts.Bitbucket.PID
	if pid == 0 {
		return ""
	}
	program, err := filepath.EvalSymlinks(filepath.Join(cmp.Or(r.ses.probe.Proc, "/proc"), strconv.Itoa(pid), "exe"))
	if err != nil {
		r.without("Java's version", err)
		return ""
	}
	if version := valueIn(filepath.Join(filepath.Dir(program), "..", "release"), "JAVA_VERSION"); version != "" {
		return version + " (" + program + ")"
	}
	return program
}

func (r *reporter) found() {
	f := r.facts
	r.head("Found")
	if !r.plan.Answers.URL.IsZero() {
		r.row("Public URL", r.plan.Answers.URL.BaseURL())
	}
	r.row("Front", r.plan.Answers.Front)
	r.row("Home", f.Bitbucket.Home)
	r.row("Installed", f.Bitbucket.Dir)
	r.row("Layout", f.Layout.Generation)
	if f.Instance.Upstream != "" {
		r.row("Instance", fmt.Sprintf("%s: %s %s", f.Instance.Base, f.Instance.State, f.Instance.Detail))
	}
	r.row("Base URL", f.Instance.BaseURL.Value)
	r.row("Connector", strings.TrimSpace(f.Port.Value+" "+f.ContextPath.Value))
	r.row("Proxy name", f.ProxyName.Value)
	r.row("Cluster", f.Cluster.Why)
	r.row("Open run", f.OpenRun)
	for _, l := range f.Listeners {
		r.row("Listens", strings.TrimSpace(fmt.Sprintf("%s %s %d", l.Address, l.Process, l.PID)))
	}
	for _, text := range slices.Concat(f.Bitbucket.Notes, f.HAProxy.Notes) {
		r.row("Note", redact.Log(text))
	}
	for _, o := range f.Bitbucket.Overrides {
		r.row("Override", o.Key+" in "+o.Where)
	}
	r.page.text().Findings(f.Findings)
}

func (r *reporter) verify(ctx context.Context) {
	if r.plan.Answers.URL.IsZero() {
		return
	}
	r.head("verify")
	all := r.ses.examine(ctx, r.plan, verifyFlags{}, nil)
	for i, f := range all {
		if f.File != "" || strings.HasPrefix(f.ID, "cause.") { // it quotes lines of files
			all[i].Found = quoted().ReplaceAllString(f.Found, "`"+redact.Hidden+"`")
		}
	}
	r.page.text().Findings(all)
	r.line("  %s", checksLine(r.plan.Answers.URL.BaseURL(), all))
}

func (r *reporter) configuration() {
	files := r.facts.Masked()
	if len(files) == 0 {
		r.leftOut = append(r.leftOut, "configuration: no file was found")
	}
	for _, f := range files {
		r.file(f.Path, f.Lines)
	}
	w := r.ses.where(r.plan, verifyFlags{})
	for _, path := range []string{w.NginxConf, w.Apache} {
		if path != "" {
			r.leftOut = append(r.leftOut, path+": which of its values are secrets is not known to bitgate")
		}
	}
}

func (r *reporter) file(path string, lines []string) {
	r.head(path)
	for i, line := range lines {
		if i == reportedFile {
			r.line("  (%d more lines)", len(lines)-i)
			return
		}
		r.line("%5d  %s", i+1, strings.TrimRight(line, "\r"))
	}
}

func (r *reporter) runs() {
	dir := r.ses.probe.StateDir
	all, err := journal.History(dir)
	switch {
	case err != nil:
		r.without("runs of bitgate", err)
		return
	case len(all) == 0:
		r.leftOut = append(r.leftOut, "runs of bitgate: there are none in "+dir)
		return
	}
	r.head(fmt.Sprintf("Runs (%d of %d)", min(len(all), reportedRuns), len(all)))
	for _, info := range all[:min(len(all), reportedRuns)] {
		run, err := journal.Look(dir, info.ID)
		if err != nil {
			r.without("run "+info.ID, err)
			continue
		}
		story := run.Story()
		story.Reason = redact.Log(story.Reason)
		for i := range story.Steps {
			story.Steps[i].What = redact.Log(story.Steps[i].What)
		}
		r.page.text().Story(story, "")
	}
}

func (r *reporter) certificate(ctx context.Context) {
	s, found, err := newRenewer(r.ses.p, r.ses.probe.StateDir, nil, nil).Status(ctx, r.ses.probe.Root)
	switch {
	case err != nil:
		r.without("the certificate", err)
	case !found:
		r.leftOut = append(r.leftOut, "the certificate: no run here has set up a front")
	default:
		r.head("Certificate")
		printCertStatus(r.page, s, r.now)
	}
}

// unitProperties hold no text of anybody's (org.freedesktop.systemd1(5)).
const unitProperties = "LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NRestarts,ActiveEnterTimestamp,FragmentPath,DropInPaths"

// services asks systemd. Other machines' logs lie where nobody knows.
func (r *reporter) services(ctx context.Context) {
	if !service.HasSystemd(r.ses.probe.Root) {
		r.leftOut = append(r.leftOut, "services and their logs: systemd does not run here")
		return
	}
	units := map[string]bool{"bitgate-proxy.service": true, setup.RenewTimer: true, "bitgate-renew.service": true}
	for _, c := range []service.Control{r.facts.BitbucketCtl, r.facts.HAProxyCtl, r.plan.Run.Bitbucket, r.plan.Run.Front} {
		if c.How == service.Systemd && c.Name != "" {
			units[c.Name] = true
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(units)) {
		r.unit(ctx, unit)
	}
}

func (r *reporter) unit(ctx context.Context, unit string) {
	ctx, cancel := context.WithTimeout(ctx, reportStep)
	defer cancel()
	said, err := child.Output(ctx, "systemctl", "show", "--no-pager", "--property="+unitProperties, "--", unit)
	if err != nil {
		r.without(unit, err)
		return
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(said)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[key] = value
	}
	if properties["LoadState"] == "not-found" {
		return
	}
	r.head(unit)
	for _, key := range strings.Split(unitProperties, ",") {
		if value := properties[key]; value != "" {
			r.line("  %s=%s", key, value)
		}
	}
	log, err := child.Output(ctx, "journalctl", "--unit", unit, "--lines", strconv.Itoa(reportedLines), "--output", "short-iso", "--no-pager", "--quiet")
	if err != nil {
		r.without("the log of "+unit, err)
	}
	for line := range strings.Lines(string(log)) {
		r.line("  | %s", redact.Log(line))
	}
	files := append(strings.Fields(properties["DropInPaths"]), properties["FragmentPath"])
	for _, path := range files {
		if path == "" || path == r.facts.ProxyUnit.Path {
			continue
		}
		file, err := atomicfile.Read(path)
		if err != nil {
			r.without(path, err)
			continue
		}
		r.file(path, redact.Lines(redact.Unit, string(file.Data)))
	}
}
