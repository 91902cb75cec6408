package interview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bitgate/setup"
)

// Kind is the kind of an answer.
type Kind string

// Kinds.
const (
	Text     Kind = "text"
	Path     Kind = "path"
	Number   Kind = "number"
	Duration Kind = "duration"
	List     Kind = "list" // values separated by commas or blanks
	Choice   Kind = "choice"
	Confirm  Kind = "confirm" // "yes" or "no"
	Password Kind = "password"
)

// Option is a word a choice may have.
type Option struct {
	Value string
	Label string // what it means, for people
}

// Question is one thing the administrator may be asked. The same list makes
// the wizard, the line prompter, the flags and their help, and docs/answers.md.
type Question struct {
	ID      string // YAML key and flag name; a word of its own where Virtual
	Virtual bool   // only asked: it sets other questions' keys, and has no flag
	Step    string // step id, or StepBitbucket
	Title   string
	Why     string // one sentence, in the documented page's terms
	Arg     string // placeholder of the flag's value: URL, FILE
	Help    string // the flag's help
	Default string // the default in words, "" for none
	Example string // shown in an empty field
	Kind    Kind
	Options []Option // of a Choice
	Dash    bool     // - is an answer of its own, and does not empty the field
	Free    bool     // a Choice that also takes any other text (a command)
	Asked   string   // when it is asked, in words; "" = only changed on demand

	// Get and Set turn the answer into text and back. Set("") unsays it.
	Get func(setup.Answers) string
	Set func(*setup.Answers, string) error

	prompt   Kind     // kind of the question on the screen, where it differs
	rare     []string // words of a Choice for flags and files only; shown where one is the answer
	keys     []string // keys it may set, where these are not just ID
	given    []string // keys that answer it, where these are not just ID, or all that a Virtual one sets
	sep      string   // what separates the values of a List; commas and blanks where empty
	Slow     bool     // Backend.Check has something to say about it
	Looks    bool     // the answer says where to look: detect again
	required bool     // an empty answer is refused
	when     func(*Interview) bool
	show     func(setup.Facts, setup.Answers) string         // prefilled text; nil = Get
	Because  func(setup.Facts, setup.Answers) string         // source of a suggested text
	enter    func(setup.Facts, *setup.Answers, string) error // what typing means; nil = Set
	refuse   func(*Interview, string) error                  // objections that need the facts; pure and fast
}

// StepBitbucket is the rail's first stop: the installation itself.
const StepBitbucket = "bitbucket"

// Validate reports whether text is an answer. Pure and fast.
func (q Question) Validate(text string) error {
	var a setup.Answers
	return q.Set(&a, text)
}

// Choices lists the words of a Choice.
func (q Question) Choices() []string {
	var out []string
	for _, o := range q.Options {
		out = append(out, o.Value)
	}
	return out
}

// Join makes the text of a List's values.
func (q Question) Join(values []string) string { return strings.Join(values, cmp.Or(q.sep, ", ")) }

// Split is what Join joined, as people may type it.
func (q Question) Split(text string) []string {
	if q.sep == "" {
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	}
	var out []string
	for one := range strings.SplitSeq(text, q.sep) {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// ScreenKind is the kind of field shown.
func (q Question) ScreenKind() Kind { return cmp.Or(q.prompt, q.Kind) }

// Judged reports whether an answer that the slow checks find unfit is asked for again:
// files, and what is in them.
func (q Question) Judged() bool { return q.ScreenKind() == Path || q.ID == "cert-alias" }

// Writes lists the keys an answer may change.
func (q Question) Writes() []string {
	if len(q.keys) > 0 {
		return q.keys
	}
	return []string{q.ID}
}

// answers lists the keys of which one is enough of an answer to it. An answer may change
// others beside its own, which say nothing of what is asked.
func (q Question) answers() []string {
	switch {
	case len(q.given) > 0:
		return q.given
	case q.Virtual:
		return q.Writes()
	}
	return []string{q.ID}
}

// Literal reports whether "?" may be part of the answer, so that it cannot ask for help.
func (q Question) Literal() bool { return q.ScreenKind() == Password || q.Free }

// Hint is what an empty field shows.
func (q Question) Hint() string {
	if q.Example == "" || strings.HasPrefix(q.Example, "empty ") {
		return q.Example
	}
	return "for example " + q.Example
}

// Offered are the options that are shown while answer stands.
func (q Question) Offered(answer string) []Option {
	return slices.DeleteFunc(slices.Clone(q.Selectable()), func(o Option) bool {
		return o.Value != answer && slices.Contains(q.rare, o.Value)
	})
}

// Selectable are all the choices, yes and no for a confirmation.
func (q Question) Selectable() []Option {
	if q.ScreenKind() != Confirm {
		return q.Options
	}
	if len(q.Options) > 0 {
		return q.Options
	}
	return []Option{{"no", "No"}, {"yes", "Yes"}}
}

// Find returns the question with the id.
func Find(id string) (Question, bool) {
	if i := index(id); i >= 0 {
		return questions[i], true
	}
	return Question{}, false
}

// Questions lists every question in the order in which they are asked.
func Questions() []Question { return append([]Question(nil), questions...) }

// parseYes reads a confirmation.
func parseYes(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "y", "true":
		return true, nil
	case "no", "n", "false", "":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", text)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
