package main

import (
	"cmp"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bitgate/interview"
	"bitgate/setup"
)

// defaultStateDir keeps journals, backups and the answers of the last run.
const defaultStateDir = "/var/lib/bitgate"

// sharedFlags are those that setup, plan, apply, verify, undo and recover have
// in common: one per question, plus where answers and state lie.
type sharedFlags struct {
	values   []*questionFlag
	answers  string
	stateDir string
}

// questionFlag is a question as a flag; the text is judged when it is parsed.
type questionFlag struct {
	q     *interview.Question
	texts []string
}

var _ pflag.Value = (*questionFlag)(nil)

func (f *questionFlag) String() string {
	if f == nil {
		return ""
	}
	return strings.Join(f.texts, ",")
}

// text is what was given, all of it.
func (f *questionFlag) text() string {
	if f.q.Kind == interview.List {
		return f.q.Join(f.texts)
	}
	return f.texts[0]
}

func (f *questionFlag) Type() string {
	if f.q.Kind == interview.Confirm {
		return ""
	}
	return cmp.Or(f.q.Arg, "TEXT")
}

func (f *questionFlag) Set(text string) error {
	if err := f.q.Validate(text); err != nil {
		return err
	}
	if f.q.Kind != interview.List {
		f.texts = f.texts[:0]
	}
	f.texts = append(f.texts, text)
	return nil
}

// asked are the questions, once for the flags of all commands.
var asked = sync.OnceValue(interview.Questions)

// addShared gives c the shared flags.
func addShared(c *cobra.Command) *sharedFlags {
	s := &sharedFlags{}
	for i := range asked() {
		q := &asked()[i]
		if q.Virtual {
			continue
		}
		f := &questionFlag{q: q}
		s.values = append(s.values, f)
		help := q.Help
		if q.Default != "" {
			help += " (default: " + q.Default + ")"
		}
		flag := c.Flags().VarPF(f, q.ID, "", help)
		if q.Kind == interview.Confirm {
			flag.NoOptDefVal = "yes"
		}
	}
	c.Flags().StringVar(&s.answers, "answers", "", "answers `FILE` (YAML; its keys are the flags' names)")
	addStateDir(c, &s.stateDir)
	c.Flags().SortFlags = false
	return s
}

func addStateDir(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "state-dir", "", "`DIR` with journals, backups and answers (default: "+defaultStateDir+")")
}

// envName is the environment's twin of a flag: BITGATE_HAPROXY_CFG.
func envName(id string) string {
	return "BITGATE_" + strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
}

// stateDirOf applies the precedence to --state-dir.
func stateDirOf(p *process, flag string) string {
	return cmp.Or(flag, p.env(envName("state-dir")), defaultStateDir)
}

// input gathers what the administrator said: answers file, then environment,
// then flags, the later beating the earlier.
func (s *sharedFlags) input(p *process) (setup.Answers, setup.Sources, error) {
	a, src := setup.Answers{}, setup.Sources{}
	file := cmp.Or(s.answers, p.env(envName("answers")))
	if file != "" {
		if err := readAnswers(file, &a, src); err != nil {
			return a, src, err
		}
	}
	for _, f := range s.values {
		name := envName(f.q.ID)
		if v := p.env(name); v != "" {
			if err := f.q.Set(&a, absolute(*f.q, "", v)); err != nil {
				return a, src, usage(name+": "+err.Error(), "")
			}
			src[f.q.ID] = setup.Source{From: setup.FromEnv, Why: "the environment, " + name}
		}
	}
	for _, f := range s.values {
		if len(f.texts) > 0 {
			if err := f.q.Set(&a, absolute(*f.q, "", f.text())); err != nil {
				return a, src, usage("--"+f.q.ID+": "+err.Error(), "")
			}
			src[f.q.ID] = setup.Source{From: setup.FromFlag, Why: "--" + f.q.ID}
		}
	}
	return a, src, nil
}
