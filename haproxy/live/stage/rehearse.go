package stage

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/rehearsal"
	"bitgate/proxy/config"
)

// Rehearsal is what is rehearsed.
type Rehearsal struct {
	Program   string // this binary
	Bin       string // HAProxy
	Args      []string
	Env       []string
	Dir       string
	User      *User
	Local     []string         // addresses of this machine
	Before    []haproxy.Source // the present set; empty: there is nothing to compare with
	After     []haproxy.Source // the candidate
	New       []File           // what the candidate brings besides, the bundle
	Merged    bool             // the candidate is bitgate's own, and in no file that a person could open
	Unjudged  []string         // lines of the candidate of which the rehearsal alone can tell, see haproxy.Merged
	Proxy     *Proxy           // the built-in one is rehearsed, in the place of HAProxy
	Present   *Proxy           // as it is now; nil: there is none
	Bitbucket rehearsal.Bitbucket
	Progress  func(string) // may be nil
}

// Proxy is the configuration that the built-in proxy would have, and its file.
type Proxy struct {
	Path   string
	Config config.Config
}

// Plain are the addresses that send plain HTTP on to the public URL.
func (p Proxy) Plain() []string {
	if p.Config.ChallengesOnly {
		return nil
	}
	return p.Config.RedirectListen
}

// causeTime is spent on the search for the lines that are to blame, or as much as all
// before it took on a machine that is slow.
const causeTime = 8 * time.Second

// side is one of the two configurations.
type side struct {
	*Rehearsal
	set   []haproxy.Source
	files []File
	stage *rehearsal.Stage
	live  *Stage
	drop  []rehearsal.Cut // what cannot be loaded on the stage
	words []string        // of HAProxy, for each of these
	said  []string
	read  rehearsal.Lists
	notes []string // what is rehearsed in part
	idle  bool     // it listens on no address, so that there is nobody to ask
}

// Run rehearses. A report that is not Rehearsed says why.
func (r Rehearsal) Run(ctx context.Context) rehearsal.Report {
	began := time.Now()
	report, err := r.run(ctx)
	if err != nil {
		report = rehearsal.Report{Why: err.Error()}
		report.Untried(r.Unjudged)
	}
	report.Front = r.front()
	report.Took = time.Since(began)
	return report
}

func (r Rehearsal) run(ctx context.Context) (rehearsal.Report, error) {
	if os.Geteuid() != 0 {
		return rehearsal.Report{}, errNotRoot
	}
	if r.Progress != nil {
		r.Progress("starting " + r.front())
	}
	before, after := r.side(r.Before, nil), r.side(r.After, r.New)
	if r.Proxy != nil {
		var err error
		if after.stage, err = rehearsal.OfProxy(r.Proxy.Path, r.Proxy.Config); err != nil {
			return rehearsal.Report{}, err
		}
	}
	defer before.close()
	defer after.close()
	opened := make(chan error, 1)
	go func() { opened <- before.open(ctx) }()
	err := after.open(ctx)
	if other := <-opened; err == nil { // the same mostly
		err = other
	}
	if err != nil {
		return rehearsal.Report{}, err
	}
	report := rehearsal.Report{Rehearsed: true}
	if stops, err := r.starts(ctx, before, after); err != nil {
		return report, err
	} else if stops != nil {
		report.Bitbucket, report.Findings = 1, []rehearsal.Finding{*stops}
		return report, nil
	}
	report.Skipped = slices.Compact(slices.Concat(after.stage.Said, after.said, after.notes))
	if before.live == nil && !before.idle {
		report.Skipped = append(report.Skipped, "what others are answered is not compared: "+r.front()+" does not start with the present configuration: "+before.refusals())
	}
	p := production{Rehearsal: &r, before: before, after: after, report: &report}
	if err := p.rehearse(); err != nil {
		return rehearsal.Report{}, err
	}
	report.Untried(p.untried())
	for _, s := range []*side{before, after} {
		if s.live == nil {
			continue
		}
		if err := s.live.End(); err != nil {
			return rehearsal.Report{}, err
		}
		report.Memory = max(report.Memory, s.live.Memory)
	}
	return report, nil
}

func (r *Rehearsal) front() string {
	if r.Proxy != nil {
		return rehearsal.Builtin
	}
	return rehearsal.HAProxy
}

func (r *Rehearsal) side(set []haproxy.Source, files []File) *side {
	s := &side{Rehearsal: r, set: set, files: files}
	s.rewrite(s.set, nil)
	return s
}

func (s *side) rewrite(set []haproxy.Source, cuts []rehearsal.Cut) {
	env := map[string]string{}
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	s.stage = rehearsal.NewStage(set, rehearsal.Surroundings{Env: env, Local: s.Local, Drop: slices.Concat(s.drop, cuts), ClientCA: s.Bitbucket.ClientCA})
}

func (s *side) close() {
	if s.live != nil {
		s.live.Close()
	}
}

// open starts the stage and HAProxy on it. live is nil where HAProxy does not
// start; said tells why.
func (s *side) open(ctx context.Context) error {
	if s.idle = len(s.stage.Doors) == 0; s.idle {
		return nil
	}
	live, err := Open(ctx, s.Program, s.scenery())
	if err != nil {
		return err
	}
	s.live = live
	for range mostRefusals {
		loaded, err := s.load()
		if err != nil || loaded.Running {
			return err
		}
		if !s.dropRefused(loaded.Output) {
			s.said = append(s.said, cmp.Or(firstAlert(loaded.Output), "it says nothing, and listens on none of its addresses"))
			break
		}
		s.rewrite(s.set, nil)
	}
	s.close()
	s.live = nil
	return nil
}

// mostRefusals is how often lines that HAProxy refuses on the stage are left out.
const mostRefusals = 8

const notRehearsed = " is not rehearsed: "

// dropRefused leaves out the lines that HAProxy refuses, which use what is not on
// the stage, and reports whether there are any.
func (s *side) dropRefused(output string) bool {
	n := len(s.drop)
	for _, a := range alerts(output) {
		cut := rehearsal.Cut{Place: rehearsal.Place{File: a.File, Line: a.Line}}
		known := slices.ContainsFunc(s.set, func(src haproxy.Source) bool { return src.Path == a.File })
		if known && !slices.Contains(s.drop, cut) && a.Line > 0 {
			s.drop, s.words = append(s.drop, cut), append(s.words, a.Text)
			s.said = append(s.said, fmt.Sprintf("%s, line %d", a.File, a.Line)+notRehearsed+a.Text)
		}
	}
	return len(s.drop) > n
}

func (s *side) load() (Loaded, error) {
	l := Load{Files: slices.Clone(s.files), Hosts: s.stage.Names, Asked: s.stage.Asked}
	if s.Proxy == nil {
		l.Files = append(l.Files, File{limits, []byte(s.stage.Limits)})
		l.Config = append(l.Config, "-f", limits)
	}
	for _, f := range s.stage.Files {
		l.Files = append(l.Files, File{f.Path, f.Data})
		if s.Proxy == nil {
			l.Config = append(l.Config, "-f", f.Path)
		} else {
			l.Config = append(l.Config, "proxy", "--config", f.Path)
			l.Ready = " listens on " // its ports are open before it has read its keys
		}
	}
	for _, sv := range s.stage.Servers {
		l.Recorders = append(l.Recorders, sv.Recorder)
	}
	for _, d := range s.stage.Doors {
		l.Doors = append(l.Doors, d.Address)
	}
	return s.live.Load(l)
}

// limits is a file of HAProxy's that is loaded before all others.
const limits = "/run/bitgate-rehearsal.cfg"

// scenery says what the stage has to have for the files.
func (s *side) scenery() Setup {
	up := Setup{Bin: s.Bin, Args: append([]string{"-db"}, s.Args...), Env: s.Env, Dir: s.Dir, User: s.User}
	if s.Proxy != nil {
		up = Setup{Bin: s.Program, Arg0: "bitgate", Proc: true} // as root, which it gives up itself
	}
	up.Bound, up.Dir = []string{filepath.Dir(up.Bin)}, cmp.Or(up.Dir, "/")
	for _, f := range s.stage.Files {
		up.Memory = append(up.Memory, filepath.Dir(f.Path))
	}
	for _, f := range s.files {
		up.Memory = append(up.Memory, filepath.Dir(f.Path))
	}
	slices.Sort(up.Memory)
	up.Memory = slices.Compact(up.Memory)
	for _, path := range slices.Concat(s.stage.Paths, s.inLists()) {
		if shown(path) {
			up.Bound = append(up.Bound, path)
		}
	}
	if up.Dir != "/" {
		up.Bound = append(up.Bound, up.Dir)
	}
	return up
}

// shown reports whether what a configuration mentions is shown to it: a file, or
// a directory that is not one of the system's with the sockets of the machine.
func shown(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if info.Mode().IsRegular() {
		return true
	}
	return info.IsDir() && strings.Count(filepath.Clean(path), "/") > 1 && !below(filepath.Clean(path), []string{"/run", "/var/run", "/dev", "/proc", "/sys", "/var/lib"})
}

// maxLists is how much of lists is read, in bytes.
const maxLists = 8 << 20

// lists reads the files that conditions and maps use, once, and notes of which not
// every value is asked for.
func (s *side) lists() rehearsal.Lists {
	if s.read != nil {
		return s.read
	}
	lists := rehearsal.Lists{}
	room := int64(maxLists)
	for _, name := range s.stage.ListFiles() {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join("/", s.Dir, path)
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if room -= info.Size(); room < 0 {
			s.notes = append(s.notes, fmt.Sprintf("%s is not read for values to ask for: more than %d MB of lists are too many", path, maxLists>>20))
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			continue // HAProxy says so
		}
		if n := rehearsal.Values(data); n > rehearsal.Listed {
			s.notes = append(s.notes, fmt.Sprintf("%s has %d lines: the values of about %d are asked for", path, n, rehearsal.Listed))
		}
		lists[name] = data
	}
	s.read = lists
	return lists
}

// inLists are the absolute paths in lists of certificates.
func (s *side) inLists() []string {
	var out []string
	for _, data := range s.lists() {
		for l := range strings.Lines(string(data)) {
			if f := strings.Fields(l); len(f) > 0 && filepath.IsAbs(f[0]) {
				out = append(out, f[0])
			}
		}
	}
	return out
}

// merged are the lists of both sides.
func merged(a, b rehearsal.Lists) rehearsal.Lists {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
