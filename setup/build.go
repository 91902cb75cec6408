package setup

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/splice"
	"bitgate/setup/redact"
)

// Build makes the plan from facts and resolved answers. It is pure: the same
// input gives the same bytes out. What is missing is named all at once.
func Build(f Facts, a Answers) (Plan, error) {
	if err := validate(a); err != nil {
		return Plan{}, err
	}
	b := builder{f: f, a: a, plan: Plan{Format: PlanFormat, Answers: a, Inputs: map[string]string{}}}
	if err := b.container(); err != nil {
		return Plan{}, err
	}
	if missing := missingForPlan(f, a); len(missing) > 0 {
		return Plan{}, problem.New("missing: --"+strings.Join(missing, " --"), "these could not be detected",
			"give them as flags or in the answers file").WithKind(problem.Usage)
	}
	if err := f.stale(a); err != nil {
		return Plan{}, err
	}
	for _, refuse := range []func() error{b.stashConfig, b.ownTLS, b.ownPort, b.closedPort} {
		if err := refuse(); err != nil {
			return Plan{}, err
		}
	}
	b.settings()
	for _, s := range []struct {
		id    string
		build func(Step) (Step, error)
	}{{StepContextPath, b.contextPath}, {StepBaseURL, b.baseURL}, {StepConnector, b.connector}, {StepHAProxy, b.frontStep}, {StepSSH, b.ssh}} {
		step, err := b.step(s.id, s.build)
		if err != nil {
			return Plan{}, err
		}
		b.plan.Steps = append(b.plan.Steps, step)
	}
	if err := b.tooLarge(); err != nil {
		return Plan{}, err
	}
	b.restart()
	b.inputs()
	b.considerations()
	b.plan.write()
	return b.plan, nil
}

// step builds one, unless it is left out.
func (b *builder) step(id string, build func(Step) (Step, error)) (Step, error) {
	s := Step{ID: id, Changes: []Change{}}
	if b.a.Skips(id) && id != StepBaseURL { // which is a person's then
		s.Skipped = "left out on request"
		return s, nil
	}
	return build(s)
}

type builder struct {
	f    Facts
	a    Answers
	plan Plan
	// current bytes of each file, as the changes so far leave them
	edited map[string][]byte
}

// settings fills what apply, undo and recover need to talk to the services.
func (b *builder) settings() {
	a := b.a
	before := a.Upstream + b.f.ContextPath.Value
	if b.f.Instance.State != bitbucket.Unreachable && b.f.Instance.Base != "" {
		before = b.f.Instance.Base
	}
	after := a.Upstream + a.URL.TomcatPath()
	if a.Front == FrontTomcat {
		after = loopbackUpstream(a.Upstream) + a.URL.TomcatPath()
	}
	if a.Skips(StepContextPath) {
		after = before
	}
	b.plan.Run = RunSettings{
		UpstreamBefore: before, UpstreamAfter: after,
		PublicStatus: a.URL.StatusPath(), FrontAddress: frontAddress(a.Listen),
		AdminUser: a.AdminUser, BaseURLMethod: a.BaseURLMethod,
		Bitbucket: control(a.Restart, b.f.BitbucketCtl), Front: b.frontControl(),
		RestartTimeout: a.RestartTimeout, OnFailure: a.OnFailure,
	}
	if a.Front == FrontHAProxy && b.f.HAProxy.Bin != "" {
		b.haproxySettings()
	}
}

// haproxySettings are what apply needs to check HAProxy's files and to reload it.
func (b *builder) haproxySettings() {
	b.plan.Run.HAProxyBin = b.f.HAProxy.Bin
	for _, file := range b.f.HAProxyFiles {
		b.plan.Run.HAProxyFiles = append(b.plan.Run.HAProxyFiles, file.Path)
	}
	b.plan.Run.HAProxySocket, _ = b.f.HAProxyConfig.RuntimeSocket()
	if b.plan.Run.HAProxySocket == "" {
		b.plan.Run.HAProxySocket = b.f.HAProxy.Master
	}
}

// frontAddress is where this machine asks the front: a wildcard becomes loopback.
func frontAddress(listen []string) string {
	if len(listen) == 0 {
		return ""
	}
	a, _ := hostport.Parse(listen[0]) // judged by validate
	return a.Local().String()
}

// control turns the --restart or --reload answer into how it is done.
func control(answer string, found service.Control) service.Control {
	switch answer {
	case Auto:
		return found
	case Manual:
		return service.Control{How: service.Manual}
	case Never:
		return service.Control{How: service.Never}
	}
	return service.Control{How: service.Command, Command: answer}
}

func (b *builder) frontControl() service.Control {
	if b.a.Front == FrontHAProxy {
		return control(b.a.Reload, b.f.HAProxyCtl)
	}
	switch {
	case b.a.Front == FrontTomcat:
		return service.Control{How: service.Never} // there is none
	case b.a.Reload == Never:
		return service.Control{How: service.Never}
	case b.a.Reload != Auto:
		return service.Control{How: service.Command, Command: b.a.Reload}
	case b.f.Systemd:
		return service.Control{How: service.Systemd, Name: "bitgate-proxy.service"}
	}
	return service.Control{How: service.Manual}
}

// edit adds to a step the change of one file from the bytes as earlier changes
// leave them to after; nil when they are equal.
func (b *builder) edit(s *Step, phase Phase, file atomicfile.File, after []byte, splices []splice.Splice) *FileEdit {
	if len(splices) == 0 {
		return nil
	}
	before, now := file.DigestOrAbsent(), b.current(file)
	if _, ok := b.edited[file.Path]; ok {
		before = atomicfile.Digest(now)
	}
	splices = b.untold(file.Path, now, splices)
	if b.edited == nil {
		b.edited = map[string][]byte{}
	}
	b.edited[file.Path] = after
	edit := &FileEdit{Path: file.Path, Before: before, After: atomicfile.Digest(after), Splices: splices}
	if before == Absent {
		edit.Mode, edit.UID, edit.GID = 0o644, -1, -1
	}
	s.Changes = append(s.Changes, Change{Phase: phase, File: edit})
	return edit
}

// tooLarge refuses a file that grows larger than is read: nobody could take it back.
func (b *builder) tooLarge() error {
	for path, data := range b.edited {
		if len(data) > atomicfile.MaxSize {
			return problem.New(fmt.Sprintf("%s would have %d bytes, and at most %d MiB of a configuration file are read", path, len(data), atomicfile.MaxSize>>20),
				"the change could not be taken back", "take out of the file what is not needed")
		}
	}
	return nil
}

// untold takes out of splices what others may not see of the file as it is.
func (b *builder) untold(path string, now []byte, splices []splice.Splice) []splice.Splice {
	kind := b.f.kindOf(path)
	if kind == redact.XML { // attributes that bitgate manages, and no others
		return splices
	}
	out := slices.Clone(splices)
	for i, s := range out {
		first := bytes.LastIndexByte(now[:s.Offset], '\n') + 1
		whole := string(now[first : s.Offset+len(s.Old)])
		if s.Old != "" && strings.Join(redact.Lines(kind, whole), "\n") != whole {
			out[i] = s.Untold()
		}
	}
	return out
}

// current returns the bytes of a file as the changes so far leave them.
func (b *builder) current(file atomicfile.File) []byte {
	if data, ok := b.edited[file.Path]; ok {
		return data
	}
	return file.Data
}
