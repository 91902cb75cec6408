package interview

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"bitgate/setup"
)

// Words of the interview that are no questions' keys.
const (
	PasswordID     = "admin-password"
	CertPasswordID = "cert-password"
	FetchChainID   = "chain-consent" // not the flag of cert import
	StepReview     = "review"
)

// MaxRefusals passwords are tried in a session; Bitbucket shows a CAPTCHA
// after five failures and then refuses the right password too.
const MaxRefusals = 3

// Interview is what both doors share: what was found, what was said, and which
// question comes next. It does nothing slow.
type Interview struct {
	machine      Machine
	Facts        setup.Facts
	Input        setup.Answers // given by flag, file, environment or asked here
	inputSources setup.Sources
	Answers      setup.Answers // resolved
	Sources      setup.Sources

	Known    bool            // the machine has been looked at
	done     map[string]bool // answered in this session
	unlooked bool            // answered since the last look at the machine
	recalled *setup.Answers  // those that stood when all was asked, until that is judged by facts
	SignedIn string          // the administrator Bitbucket let in
	Refusals int
}

// Machine is what questions need of the program; the functions are pure and fast.
type Machine struct {
	// Resolve fills what was not said (setup.Resolve).
	Resolve func(f setup.Facts, input setup.Answers, src setup.Sources) (setup.Answers, setup.Sources)
	// Build makes the plan; every preview comes from it (setup.Build).
	Build func(f setup.Facts, a setup.Answers) (setup.Plan, error)
	// Diffs makes the diffs of a plan (setup.Diffs).
	Diffs func(f setup.Facts, p setup.Plan) []setup.FileDiff
	// SignsIn: a password can be tried.
	SignsIn bool
	// Unlocks: a password of the certificate's files can be tried.
	Unlocks bool
	// Fetches: intermediate certificates can be fetched.
	Fetches bool
	// Dir is where relative paths start, "" to leave them as they are.
	Dir string
}

// New starts with what was given by flag, file, environment or an
// earlier session, and the ids of the questions that session answered.
func New(m Machine, input setup.Answers, src setup.Sources, answered []string) *Interview {
	iv := &Interview{machine: m, Input: input, inputSources: setup.Sources{}, Answers: input, Sources: src, done: map[string]bool{}}
	for _, id := range answered {
		iv.done[id] = !secret(id)
	}
	maps.Copy(iv.inputSources, src)
	return iv
}

// Recall tells of the answers to what was answered in earlier sessions: what is asked
// because of others than these is not among that.
func (iv *Interview) Recall(a setup.Answers) { iv.recalled = &a }

// Found takes new facts.
func (iv *Interview) Found(f setup.Facts) {
	before, answered := iv.standing(), iv.unlooked
	iv.Facts, iv.Known, iv.unlooked = f, true, false
	iv.resolve()
	if iv.recalled != nil {
		a, _ := iv.machine.Resolve(f, *iv.recalled, nil)
		then := &Interview{machine: iv.machine, Facts: f, Known: true, Answers: a, SignedIn: iv.SignedIn}
		before, answered, iv.recalled = then.standing(), true, nil
	}
	if answered {
		iv.askAnew(before)
	}
}

// standing is what is to be asked at a time, answered or not, and of which certificate.
type standing struct {
	open        map[string]bool
	certificate string
}

func (iv *Interview) standing() standing {
	s := standing{map[string]bool{}, iv.Answers.Cert + iv.Answers.PEM}
	for _, q := range questions {
		s.open[q.ID] = iv.Open(q)
	}
	return s
}

// askAnew asks what an answer has opened since before, and what was said of another
// certificate, also where it was answered once.
func (iv *Interview) askAnew(before standing) {
	now := iv.standing()
	for id, open := range now.open {
		if open && !before.open[id] {
			delete(iv.done, id)
		}
	}
	if now.certificate != before.certificate {
		for _, id := range []string{"key", "cert-alias", FetchChainID, "chain"} {
			delete(iv.done, id)
		}
	}
}

func (iv *Interview) resolve() {
	iv.Answers, iv.Sources = iv.machine.Resolve(iv.Facts, iv.Input, iv.inputSources)
}

// outside reports whether a flag, the environment or a file has answered q.
func (iv *Interview) outside(q Question) bool {
	return slices.ContainsFunc(q.answers(), iv.given)
}

// given reports whether a flag, the environment or a file has key.
func (iv *Interview) given(key string) bool {
	switch iv.inputSources[key].From {
	case setup.FromFlag, setup.FromEnv, setup.FromFile:
		return true
	}
	return false
}

// Open reports whether q is to be asked at this point.
func (iv *Interview) Open(q Question) bool {
	return iv.applies(q) && (!iv.outside(q) || iv.objection(q) != nil)
}

// applies reports whether something is to be said to q at this point, by whatever way.
func (iv *Interview) applies(q Question) bool {
	return q.when != nil && !iv.Answers.Skips(q.Step) && q.when(iv)
}

// objection is what the facts have against the answer that stands.
func (iv *Interview) objection(q Question) error {
	if q.refuse == nil {
		return nil
	}
	return q.refuse(iv, q.Get(iv.Answers))
}

func index(id string) int {
	return slices.IndexFunc(questions, func(q Question) bool { return q.ID == id })
}

// next is the question after id ("" = the first). At the end come the ones
// that an answer opened further up.
func (iv *Interview) next(id string) (Question, bool) {
	for _, q := range questions[index(id)+1:] {
		if iv.Open(q) {
			return q, true
		}
	}
	return iv.Resume()
}

// After is the question after q: the next one on a second visit, else the next
// that was not answered yet.
func (iv *Interview) After(q Question, visited bool) (Question, bool) {
	if visited {
		return iv.next(q.ID)
	}
	for _, later := range questions[index(q.ID)+1:] {
		if iv.Open(later) && !iv.done[later.ID] {
			return later, true
		}
	}
	return iv.Resume()
}

// Answered lists the questions that were answered, in their order.
func (iv *Interview) Answered() []string {
	var out []string
	for _, q := range questions {
		if iv.done[q.ID] && !secret(q.ID) {
			out = append(out, q.ID)
		}
	}
	return out
}

// Resume is the first open question that was not answered yet.
func (iv *Interview) Resume() (Question, bool) {
	for _, q := range questions {
		if iv.Open(q) && !iv.done[q.ID] {
			return q, true
		}
	}
	return Question{}, false
}

// Previous is the question before id ("" = the last).
func (iv *Interview) Previous(id string) (Question, bool) {
	at := index(id)
	if id == "" {
		at = len(questions)
	}
	for i := at - 1; i >= 0; i-- {
		if iv.Open(questions[i]) {
			return questions[i], true
		}
	}
	return Question{}, false
}

// candidate is the resolved answers as they would be with text for q.
func (iv *Interview) candidate(q Question, text string) (setup.Answers, error) {
	a := iv.Answers
	text = iv.absolute(q, text)
	if q.required && strings.TrimSpace(text) == "" && iv.applies(q) {
		return a, errors.New("an answer is needed here")
	}
	enter := q.enter
	if enter == nil {
		enter = func(_ setup.Facts, a *setup.Answers, text string) error { return q.Set(a, text) }
	}
	if q.refuse != nil { // first, for the facts say more than the grammar
		if err := q.refuse(iv, text); err != nil {
			return iv.Answers, err
		}
	}
	if err := enter(iv.Facts, &a, text); err != nil {
		return iv.Answers, err
	}
	for _, key := range q.Writes() {
		field, _ := Find(key)
		if text := field.Get(a); text != field.Get(iv.Answers) && field.Validate(text) != nil {
			return iv.Answers, field.Validate(text)
		}
	}
	return a, nil
}

// absolute makes a path independent of the folder bitgate runs in.
func (iv *Interview) absolute(q Question, text string) string {
	file := strings.TrimSpace(text)
	if q.Kind != Path || iv.machine.Dir == "" || file == "" || file == "-" || path.IsAbs(file) {
		return text
	}
	return path.Join(iv.machine.Dir, file)
}

// Preview is candidate with everything that follows from it.
func (iv *Interview) Preview(q Question, text string) (setup.Answers, error) {
	a, err := iv.candidate(q, text)
	if err != nil {
		return a, err
	}
	input, sources := iv.merge(q, a)
	resolved, _ := iv.machine.Resolve(iv.Facts, input, sources)
	return resolved, nil
}

// merge says what q changed; a value that was only confirmed stays unsaid, so
// that it keeps following what it was derived from.
func (iv *Interview) merge(q Question, a setup.Answers) (setup.Answers, setup.Sources) {
	input, sources := iv.Input, setup.Sources{}
	maps.Copy(sources, iv.inputSources)
	for _, key := range q.Writes() {
		field, _ := Find(key)
		if text := field.Get(a); text != field.Get(iv.Answers) {
			if field.Set(&input, text) == nil {
				sources[key] = setup.Source{From: setup.Asked}
			}
		}
	}
	iv.makeRoom(q, a, &input, sources)
	return input, sources
}

// Answer takes text as the answer of q.
func (iv *Interview) Answer(q Question, text string) error {
	a, err := iv.candidate(q, text)
	if err != nil {
		return err
	}
	was, before, said := iv.Answers, iv.standing(), iv.Input
	iv.Input, iv.inputSources = iv.merge(q, a)
	iv.resolve()
	iv.unsaid(q, said)
	iv.askAnew(before)
	iv.done[q.ID], iv.unlooked = true, true
	if iv.Answers.AdminUser != was.AdminUser || iv.Answers.AdminPasswordFile != was.AdminPasswordFile {
		iv.SignedIn = ""
		delete(iv.done, PasswordID)
	}
	return nil
}

// OutsideAnswers counts what a flag, a file or the environment has answered.
func (iv *Interview) OutsideAnswers() int {
	n := 0
	for _, src := range iv.inputSources {
		switch src.From {
		case setup.FromFlag, setup.FromEnv, setup.FromFile:
			n++
		}
	}
	return n
}

// Done reports whether the question was answered, in this session or in the
// one that it resumes.
func (iv *Interview) Done(id string) bool { return iv.done[id] }

// secret questions are asked in each session anew.
func secret(id string) bool { return id == PasswordID || id == CertPasswordID }

// Unlocked takes note that the certificate's files were opened.
func (iv *Interview) Unlocked() { iv.done[CertPasswordID] = true }

// Fetched takes the file with the intermediate certificates that were fetched, "" where
// none was missing.
func (iv *Interview) Fetched(chain string) {
	iv.done[FetchChainID] = true
	if chain == "" {
		return
	}
	if iv.Input.PEM != "" { // which goes without a chain beside it
		iv.Input.Cert, iv.Input.PEM, iv.inputSources["cert"] = iv.Input.PEM, "", iv.inputSources["pem"]
		delete(iv.inputSources, "pem")
	}
	iv.Input.Chain, iv.inputSources["chain"] = chain, setup.Source{From: setup.Asked}
	iv.resolve()
}

// SignIn takes note of the administrator whom Bitbucket let in.
func (iv *Interview) SignIn(user string) { iv.SignedIn, iv.done[PasswordID] = user, true }

// Reopen makes a question that was answered an open one again: its answer turned
// out to be unfit.
func (iv *Interview) Reopen(id string) { delete(iv.done, id) }
