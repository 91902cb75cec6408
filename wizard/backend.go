package wizard

import (
	"context"
	"io"
	"strings"
	"time"

	// Before any Charm package: see there.
	_ "bitgate/internal/quietterm"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// Backend is everything the wizard can ask the machine for. Detect, Resolve,
// Build, Diffs, Apply and Verify are needed; the others may be nil, and what
// they offer is then not shown. The full screen may call Check, Login, SavePlan
// and SaveDraft while Detect is running; Detect and SaveDraft never run twice at
// a time.
type Backend struct {
	// Detect looks at the machine; it is called again whenever an answer says where to look.
	Detect func(ctx context.Context, input setup.Answers) (setup.Facts, error)
	// Renewal says how the certificate stands that the last run set up, and what is
	// wrong with its renewal; "" where that is not known. It may take seconds.
	Renewal func(ctx context.Context) (stands string, wrong []problem.Finding)
	// Resolve fills what was not said (setup.Resolve).
	Resolve func(f setup.Facts, input setup.Answers, src setup.Sources) (setup.Answers, setup.Sources)
	// Build makes the plan. Pure and fast: every preview comes from it.
	Build func(f setup.Facts, a setup.Answers) (setup.Plan, error)
	// Diffs makes the diffs of a plan. Pure and fast.
	Diffs func(f setup.Facts, p setup.Plan) []setup.FileDiff
	// Check runs the slow checks of one question (DNS, port, certificate) for the answers so far.
	Check func(ctx context.Context, question string, f setup.Facts, a setup.Answers) []problem.Finding
	// CheckPlan proves a plan; a Fail finding forbids apply.
	CheckPlan func(ctx context.Context, f setup.Facts, p setup.Plan) ([]problem.Finding, error)
	// Checking says what CheckPlan is about at the moment, "" for nothing worth telling.
	Checking func() string
	// Login tries the password of the administrator in a once. A refusal is a *problem.Error of kind
	// Credentials. The session stays on the backend's side; the wizard
	// overwrites password when Login returns.
	Login func(ctx context.Context, a setup.Answers, password []byte) error
	// Unlock tries a password of the certificate's files once. A refusal is an
	// error; the backend keeps what fits until the run has ended, and the wizard
	// overwrites password when Unlock returns.
	Unlock func(ctx context.Context, a setup.Answers, password []byte) error
	// FetchChain fetches the missing intermediate certificates from where the
	// certificate says they are, also from addresses of private networks where
	// private allows it. It returns the file that has them now, "" where none was
	// missing after all, and says what they are.
	FetchChain func(ctx context.Context, a setup.Answers, private bool) (chain, said string, err error)
	// Apply carries the plan out. When ctx ends it takes back what was done.
	Apply func(ctx context.Context, p setup.Plan, ask setup.Ask, notify func(setup.Event)) (setup.Result, error)
	// Verify checks from outside, after apply.
	Verify func(ctx context.Context, p setup.Plan, notify func(problem.Finding)) []problem.Finding
	// SaveDraft keeps the answers given so far for an interrupted session, and
	// the ids of the questions that were answered.
	SaveDraft func(a setup.Answers, answered []string) error
	// SavePlan writes the plan to a file and names it.
	SavePlan func(p setup.Plan) (path string, err error)
	// SaveScript writes the command of the same run to a file and names it.
	SaveScript func(text string) (path string, err error)
	// Complete completes the beginning of a file's path as far as it is
	// unique, and lists what it may become. Fast.
	Complete func(text string) (longer string, choices []string)
	// Pager shows text in the person's pager.
	Pager func(text string, in io.Reader, out io.Writer) error
	// ServeNow runs the built-in proxy in the foreground until ctx ends; nil
	// where a service does it.
	ServeNow func(ctx context.Context, p setup.Plan) error
	// After names the commands that repeat and that undo the run.
	After func(r setup.Result, a setup.Answers) (again, back string)
}

// Options of both doors.
type Options struct {
	Width   int  // columns of the line prompter, 0 = 80
	NoColor bool // NO_COLOR, --no-color
	Light   bool // the terminal's background is light (COLORFGBG)
	// Dir is where relative paths start.
	Dir string
	// Notes are words of the caller's, by question.
	Notes map[string]string
	// Resumed is the session that was left, if the input has its answers.
	Resumed Resumed
	// Last is the last run on this machine, nil where there is none.
	Last *LastRun
	// ReadPassword reads a line without echo; used by Plain. Without it the
	// password is a line of in.
	ReadPassword func(prompt string) ([]byte, error)
	// View prints plans, events and findings; needed by Plain.
	View  View
	Spell problem.Spelling
	// Now is the clock of the apply screen, time.Now if nil.
	Now func() time.Time
}

// View is how the line prompter shows what every door shows.
type View interface {
	Plan(p setup.Plan, diffs []setup.FileDiff)
	Event(e setup.Event)
	Finding(f problem.Finding)
}

// LastRun is how this machine was set up, or was not.
type LastRun struct {
	ID, When, URL string
	State         setup.RunState
}

// finding says how the machine stands after the run; renewal is Backend.Renewal's word.
func (r *LastRun) finding(f setup.Facts, renewal string) problem.Finding {
	run := "run " + r.ID + " (" + r.When + ")"
	switch r.State {
	case setup.RunCommitted:
		text := "set up by " + run + " for " + r.URL
		if until, _, _ := strings.Cut(f.Certificate.NotAfter, "T"); renewal != "" {
			text += "; " + renewal
		} else if until != "" {
			text += "; certificate until " + until
		}
		return problem.Finding{Level: problem.OK, Found: text}
	case setup.RunTakenBack:
		return problem.Finding{Level: problem.Warn, Found: "the last " + run + " failed or was stopped, and was taken back: everything is as before it", Do: "bitgate history"}
	case setup.RunUndone:
		return problem.Finding{Level: problem.Note, Found: "the last " + run + " was undone"}
	}
	return problem.Finding{Level: problem.Warn, Found: "the last " + run + " is " + string(r.State), Do: "bitgate recover"}
}

// SetUp reports whether what a run set up stands.
func (r *LastRun) SetUp() bool { return r != nil && r.State == setup.RunCommitted }

// Resumed is a session that was left.
type Resumed struct {
	When     string   // in words, "" for none
	Answered []string // questions that need not be asked again

	// Recalled are the answers to those, before new ones came: of a session that was
	// left, or those that a set-up machine stands by, where every question is among them.
	Recalled *setup.Answers
}

// Outcome is how a session ended.
type Outcome struct {
	Answers   setup.Answers // resolved
	Plan      setup.Plan
	Result    setup.Result
	Findings  []problem.Finding // of verify
	Applied   bool              // apply was started
	Stopped   bool              // the person, or the end of ctx, asked apply to take back
	Cancelled bool              // left before consent: nothing was changed
	Undo      string            // the run that the person wants taken back, instead of a setup
	Err       error             // what apply returned
}

// interviewWith is the interview of one session at b.
func interviewWith(b Backend, input setup.Answers, src setup.Sources, o Options) *interview.Interview {
	iv := interview.New(interview.Machine{Resolve: b.Resolve, Build: b.Build, Diffs: b.Diffs, SignsIn: b.Login != nil, Unlocks: b.Unlock != nil, Fetches: b.FetchChain != nil, Dir: o.Dir}, input, src, o.Resumed.Answered)
	if o.Resumed.Recalled != nil {
		iv.Recall(*o.Resumed.Recalled)
	}
	return iv
}
