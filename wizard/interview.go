package wizard

import (
	"errors"
	"path"
	"strings"

	"bitgate/setup"
)

// Words of the interview that are no questions' keys.
const (
	PasswordID = "admin-password"
	StepReview = "review"
)

// maxRefusals passwords are tried in a session; Bitbucket shows a CAPTCHA
// after five failures and then refuses the right password too.
const maxRefusals = 3

// interview is what both doors share: what was found, what was said, and which
// question comes next. It does nothing slow.
type interview struct {
	b       Backend
	o       Options
	facts   setup.Facts
	said    setup.Answers // given by flag, file, environment or asked here
	given   setup.Sources // of said
	answers setup.Answers // resolved
	sources setup.Sources

	known    bool            // the machine has been looked at
	done     map[string]bool // answered in this session
	signedIn string          // the administrator Bitbucket let in
	refusals int
}

func newInterview(b Backend, said setup.Answers, src setup.Sources, o Options) *interview {
	iv := &interview{b: b, o: o, said: said, given: setup.Sources{}, answers: said, sources: src, done: map[string]bool{}}
	for _, id := range o.Resumed.Answered {
		iv.done[id] = id != PasswordID
	}
	for k, v := range src {
		iv.given[k] = v
	}
	return iv
}

// found takes new facts.
func (iv *interview) found(f setup.Facts) {
	iv.facts, iv.known = f, true
	iv.resolve()
}

func (iv *interview) resolve() {
	iv.answers, iv.sources = iv.b.Resolve(iv.facts, iv.said, iv.given)
}

// outside reports whether a flag, the environment or a file has answered q.
func (iv *interview) outside(q Question) bool {
	for _, key := range q.writes() {
		switch iv.given[key].From {
		case setup.FromFlag, setup.FromEnv, setup.FromFile:
			return true
		}
	}
	return false
}

// open reports whether q is to be asked at this point.
func (iv *interview) open(q Question) bool {
	if q.when == nil || iv.outside(q) && iv.objection(q) == nil {
		return false
	}
	if iv.answers.Skips(q.Step) {
		return false
	}
	return q.when(iv)
}

// objection is what the facts have against the answer that stands.
func (iv *interview) objection(q Question) error {
	if q.refuse == nil {
		return nil
	}
	return q.refuse(iv, q.Get(iv.answers))
}

func index(id string) int {
	for i, q := range questions {
		if q.ID == id {
			return i
		}
	}
	return -1
}

// next is the question after id ("" = the first). At the end come the ones
// that an answer opened further up.
func (iv *interview) next(id string) (Question, bool) {
	for _, q := range questions[index(id)+1:] {
		if iv.open(q) {
			return q, true
		}
	}
	for _, q := range questions {
		if iv.open(q) && !iv.done[q.ID] {
			return q, true
		}
	}
	return Question{}, false
}

// after is the question after q: the next one on a second visit, else the next
// that was not answered yet.
func (iv *interview) after(q Question, visited bool) (Question, bool) {
	if visited {
		return iv.next(q.ID)
	}
	for _, later := range questions[index(q.ID)+1:] {
		if iv.open(later) && !iv.done[later.ID] {
			return later, true
		}
	}
	return iv.resume()
}

// answered lists the questions that were answered, in their order.
func (iv *interview) answered() []string {
	var out []string
	for _, q := range questions {
		if iv.done[q.ID] && q.ID != PasswordID {
			out = append(out, q.ID)
		}
	}
	return out
}

// resume is the first open question that was not answered yet.
func (iv *interview) resume() (Question, bool) {
	for _, q := range questions {
		if iv.open(q) && !iv.done[q.ID] {
			return q, true
		}
	}
	return Question{}, false
}

// previous is the question before id ("" = the last).
func (iv *interview) previous(id string) (Question, bool) {
	at := index(id)
	if id == "" {
		at = len(questions)
	}
	for i := at - 1; i >= 0; i-- {
		if iv.open(questions[i]) {
			return questions[i], true
		}
	}
	return Question{}, false
}

// candidate is the resolved answers as they would be with text for q.
func (iv *interview) candidate(q Question, text string) (setup.Answers, error) {
	a := iv.answers
	text = iv.absolute(q, text)
	if q.required && strings.TrimSpace(text) == "" {
		return a, errors.New("an answer is needed here")
	}
	enter := q.enter
	if enter == nil {
		enter = func(_ setup.Facts, a *setup.Answers, text string) error { return q.Set(a, text) }
	}
	if err := enter(iv.facts, &a, text); err != nil {
		return iv.answers, err
	}
	if q.refuse != nil {
		if err := q.refuse(iv, text); err != nil {
			return iv.answers, err
		}
	}
	return a, nil
}

// absolute makes a path independent of the folder bitgate runs in.
func (iv *interview) absolute(q Question, text string) string {
	file := strings.TrimSpace(text)
	if q.Kind != Path || iv.o.Dir == "" || file == "" || file == "-" || path.IsAbs(file) {
		return text
	}
	return path.Join(iv.o.Dir, file)
}

// preview is candidate with everything that follows from it.
func (iv *interview) preview(q Question, text string) (setup.Answers, error) {
	a, err := iv.candidate(q, text)
	if err != nil {
		return a, err
	}
	said, given := iv.merge(q, a)
	resolved, _ := iv.b.Resolve(iv.facts, said, given)
	return resolved, nil
}

// merge says what q changed; a value that was only confirmed stays unsaid, so
// that it keeps following what it was derived from.
func (iv *interview) merge(q Question, a setup.Answers) (setup.Answers, setup.Sources) {
	said, given := iv.said, setup.Sources{}
	for k, v := range iv.given {
		given[k] = v
	}
	for _, key := range q.writes() {
		field, _ := Find(key)
		if text := field.Get(a); text != field.Get(iv.answers) {
			if field.Set(&said, text) == nil {
				given[key] = setup.Source{From: setup.Asked}
			}
		}
	}
	return said, given
}

// answer takes text as the answer of q.
func (iv *interview) answer(q Question, text string) error {
	a, err := iv.candidate(q, text)
	if err != nil {
		return err
	}
	user := iv.answers.AdminUser
	iv.said, iv.given = iv.merge(q, a)
	iv.done[q.ID] = true
	iv.resolve()
	if iv.answers.AdminUser != user {
		iv.signedIn = ""
		delete(iv.done, PasswordID)
	}
	return nil
}
