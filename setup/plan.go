package setup

import (
	"iter"
	"slices"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/splice"
)

// Ids of the documented steps, used in plans, --skip, events and the wizard.
const (
	StepContextPath = "context-path"
	StepBaseURL     = "base-url"
	StepConnector   = "connector"
	StepHAProxy     = "haproxy"
	StepSSH         = "ssh"
)

// PlanFormat is the version of the plan's JSON.
const PlanFormat = 1

// Plan is pure data: what will be done, and to what state of the machine it
// belongs. Equal facts and answers give equal bytes. It holds no secret.
type Plan struct {
	Format  int               `json:"format"`
	Kind    string            `json:"kind,omitempty"` // "" for a setup, or KindCertificate
	Answers Answers           `json:"answers"`
	Inputs  map[string]string `json:"inputs"` // path or name -> digest or value; apply refuses when one differs
	Run     RunSettings       `json:"run"`
	Steps   []Step            `json:"steps"`
	Pending []string          `json:"pending,omitempty"` // left for a person, by their own choice or by necessity
	Notes   []problem.Finding `json:"notes,omitempty"`

	Unjudged   []string    `json:"unjudged,omitempty"`   // lines of haproxy.cfg of which a rehearsal alone can tell, see haproxy.Merged
	Deployment *Deployment `json:"deployment,omitempty"` // for the certificate-only runs to come
	Served     *Served     `json:"served,omitempty"`     // what the front must show at the end
}

// RunSettings are what apply, undo and recover need to talk to the services.
type RunSettings struct {
	UpstreamBefore string          `json:"upstream-before"` // "http://127.0.0.1:7990/old"
	UpstreamAfter  string          `json:"upstream-after"`
	PublicStatus   string          `json:"public-status"` // path of /status on the front
	FrontAddress   string          `json:"front-address"` // where the front is asked locally, "127.0.0.1:443"
	AdminUser      string          `json:"admin-user,omitempty"`
	BaseURLMethod  string          `json:"base-url-method"`
	Bitbucket      service.Control `json:"bitbucket"`
	Front          service.Control `json:"front"`
	GivesUp        string          `json:"gives-up,omitempty"` // port of a TLS connector that Bitbucket's restart ends
	HAProxyBin     string          `json:"haproxy-bin,omitempty"`
	HAProxyFiles   []string        `json:"haproxy-files,omitempty"`  // the set in load order
	HAProxySocket  string          `json:"haproxy-socket,omitempty"` // where it is asked which process serves
	RestartTimeout time.Duration   `json:"restart-timeout"`
	OnFailure      string          `json:"on-failure"`
}

// Step is one of the documented steps.
type Step struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"` // StepTitle, for those who read the JSON; never read back
	Changes []Change `json:"changes"`
	Skipped string   `json:"skipped,omitempty"` // why there is nothing to do
}

// Phase orders the changes of all steps in one run (design, "One run").
type Phase int

// Phases of a run.
const (
	PhaseProgram          Phase = iota - 4 // what the other changes have started
	PhaseChallengeFiles                    // what an authority is answered by, where the front runs already
	PhaseChallengeService                  // the front takes that
	PhaseObtain                            // the certificate is ordered
	_
	PhaseUpstreamFiles // inert until the restart
	PhaseBaseURL       // while Bitbucket answers as before
	PhaseRestart
	PhaseFrontFiles
	PhaseFrontService
	PhaseRenewal // the timer that renews the certificate
)

// Change is exactly one of its pointers.
type Change struct {
	Phase       Phase              `json:"phase"`
	What        string             `json:"what"` // Text, for those who read the JSON; never read back
	File        *FileEdit          `json:"file,omitempty"`
	Obtain      *ObtainChange      `json:"obtain,omitempty"`
	Renewal     *RenewalChange     `json:"renewal,omitempty"`
	Certificate *CertificateChange `json:"certificate,omitempty"`
	KeyStore    *KeyStoreChange    `json:"key-store,omitempty"`
	Program     *ProgramChange     `json:"program,omitempty"`
	BaseURL     *BaseURLChange     `json:"base-url,omitempty"`
	Service     *ServiceChange     `json:"service,omitempty"`
}

// FileEdit changes bytes of a file, or creates it (Before == Absent).
type FileEdit struct {
	Path    string          `json:"path"`
	Before  string          `json:"before"` // SHA-256 hex or Absent
	After   string          `json:"after"`
	Secret  bool            `json:"secret,omitempty"` // the splices hold SecretMark; After is in the journal only
	Splices []splice.Splice `json:"splices"`
	Mode    uint32          `json:"mode,omitempty"` // for a created file
	UID     int             `json:"uid,omitempty"`  // of a created file; -1: whoever runs bitgate
	GID     int             `json:"gid,omitempty"`
}

// Absent stands for the digest of a file that does not exist.
const Absent = "absent"

// CertificateChange writes the bundle from its sources; never key bytes.
type CertificateChange struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
	certs.Paths
	Sources map[string]string `json:"sources"`         // path -> SHA-256
	Mode    uint32            `json:"mode,omitempty"`  // of a created file; 0600 where it is 0
	Group   string            `json:"group,omitempty"` // of a created file, whose members read it; "" for none
}

// BaseURLChange is done through Bitbucket itself.
type BaseURLChange struct {
	Old    string `json:"old"` // "" = unknown until the administrator is logged in
	New    string `json:"new"`
	SSHOld string `json:"ssh-old,omitempty"`
	SSHNew string `json:"ssh-new,omitempty"`
	Method string `json:"method"` // auto, confapi, form, manual
}

// ServiceChange restarts, reloads or starts a service.
type ServiceChange struct {
	Target  string          `json:"target"`         // "bitbucket", "haproxy", "proxy", "renewal"
	Node    string          `json:"node,omitempty"` // name of the node that is restarted
	Verb    service.Verb    `json:"verb"`
	Control service.Control `json:"control"`
	Swap    string          `json:"swap,omitempty"` // a certificate file, handed over while HAProxy runs; the verb where that fails
	// SwapSocket takes it; "" for RunSettings.HAProxySocket.
	SwapSocket string `json:"swap-socket,omitempty"`
	// Moves: the built-in proxy goes over to an address that overlaps one that it has.
	Moves  bool   `json:"moves,omitempty"`
	Effect string `json:"effect"` // Notice, for those who read the JSON; never read back
}

// Reloads reports whether the service goes on serving meanwhile.
func (s ServiceChange) Reloads() bool { return s.Verb == service.Reload }

// Ref names a change by its place in the plan.
type Ref struct{ Step, Change int }

// Spelt is the plan for those who read its JSON: the commands in its texts can be typed.
// What is carried out, or read back, stays as it is.
func (p Plan) Spelt(s problem.Spelling) Plan {
	p.Pending, p.Notes, p.Steps = s.Texts(p.Pending), s.Findings(p.Notes), slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Skipped = s.Text(p.Steps[i].Skipped)
	}
	return p
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return len(s.Changes) > 0 })
}

// Ordered lists the changes in the order in which apply does them.
func (p Plan) Ordered() []Ref {
	var refs []Ref
	for phase := PhaseProgram; phase <= PhaseRenewal; phase++ {
		for _, store := range []bool{true, false} { // a key store comes before the file that names it: the machine may be started in between
			for si, s := range p.Steps {
				for ci, c := range s.Changes {
					if c.Phase == phase && (c.KeyStore != nil) == store {
						refs = append(refs, Ref{si, ci})
					}
				}
			}
		}
	}
	return refs
}

// At returns the change r names.
func (p Plan) At(r Ref) Change { return p.Steps[r.Step].Changes[r.Change] }

// Changes are they themselves, in the same order.
func (p Plan) Changes() []Change {
	var out []Change
	for _, r := range p.Ordered() {
		out = append(out, p.At(r))
	}
	return out
}

// OfFront reports whether the service is the front's.
func (s *ServiceChange) OfFront() bool { return s.Target == "haproxy" || s.Target == "proxy" }

// OfFrontFile reports whether c writes a file of the front's, for an authority or for good.
func (c Change) OfFrontFile() bool {
	return c.Phase == PhaseFrontFiles || c.Phase == PhaseChallengeFiles
}

// Reorders reports whether c changes how renewals are ordered, and nothing else.
func (c Change) Reorders() bool { return c.Renewal != nil }

func (c Change) RestartsBitbucket() bool { return c.Service != nil && c.Service.Target == "bitbucket" }

// Writes names the file that a change writes, with its digests before and after.
func (c Change) Writes() (path, before, after string) {
	switch {
	case c.File != nil:
		return c.File.Path, c.File.Before, c.File.After
	case c.Certificate != nil:
		return c.Certificate.Path, c.Certificate.Before, c.Certificate.After
	case c.KeyStore != nil:
		return c.KeyStore.Path, c.KeyStore.Before, c.KeyStore.After
	case c.Program != nil:
		return c.Program.Path, c.Program.Before, c.Program.After
	}
	return "", "", ""
}

// ServesFront reports whether the run reloads or starts the front.
func (p Plan) ServesFront() bool {
	return slices.ContainsFunc(p.Changes(), func(c Change) bool { return c.Phase == PhaseFrontService })
}

func (p Plan) TouchesFront() bool {
	return slices.ContainsFunc(p.Changes(), func(c Change) bool { return c.Phase == PhaseFrontFiles || c.Phase == PhaseFrontService })
}

// TouchedPaths lists every file the plan writes, bundles and the program included.
func (p Plan) TouchedPaths() []string {
	out := p.EditedPaths()
	for _, c := range p.Changes() {
		if path, _, _ := c.Writes(); path != "" && c.File == nil {
			out = append(out, path)
		}
	}
	return out
}

// MakesFolderOf reports whether the run makes the folder of a file that it writes, where
// there is none. Those of Bitbucket's files it does not: one that is missing there is a
// mistyped home, a file system that is not mounted, or a Bitbucket that was never started,
// which makes it as its own user.
func (p Plan) MakesFolderOf(path string) bool {
	return !slices.ContainsFunc(p.Changes(), func(c Change) bool {
		written, _, _ := c.Writes()
		return written == path && c.Phase == PhaseUpstreamFiles
	})
}

// EditedPaths lists the edited files in the order of their first change.
func (p Plan) EditedPaths() []string {
	var out []string
	for _, c := range p.Changes() {
		if c.File != nil && !slices.Contains(out, c.File.Path) {
			out = append(out, c.File.Path)
		}
	}
	return out
}

// editsOf are the edits of a file, in their order.
func (p Plan) editsOf(path string) iter.Seq[*FileEdit] {
	return func(yield func(*FileEdit) bool) {
		for _, c := range p.Changes() {
			if c.File != nil && c.File.Path == path && !yield(c.File) {
				return
			}
		}
	}
}

// Applied returns a file's bytes after all its edits in the plan.
func (p Plan) Applied(path string, data []byte) ([]byte, error) {
	for e := range p.editsOf(path) {
		after, err := splice.Apply(data, e.Splices)
		if err != nil {
			return nil, problem.Wrap(err, path+" is not the file this plan was made for", "", "make a new plan")
		}
		data = after
	}
	return data, nil
}

// Whom names the instance that is restarted.
func (s *ServiceChange) Whom() string {
	if s.Node == "" {
		return "Bitbucket"
	}
	return "node " + s.Node
}
