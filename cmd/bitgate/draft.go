package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitgate/interview"
	"bitgate/setup"
	"bitgate/setup/journal"
	"bitgate/wizard"
)

// draftMark begins the draft's line with the questions that were answered; a
// value that was only confirmed is not among its answers.
const draftMark = "# Answered: "

func (ses *session) draft() string { return filepath.Join(ses.probe.StateDir, "draft.yaml") }

// saveDraft keeps what was said so far, and which questions were answered.
func (ses *session) saveDraft(said setup.Answers, answered []string) error {
	ses.input = said
	text, err := answersText(said, draftMark+strings.Join(answered, " ")+"\n")
	if err != nil {
		return err
	}
	return writePrivate(ses.draft(), text)
}

// resumeDraft takes up the answers of a session that was left, as what they
// are: values to be seen again, which any new word beats.
func (ses *session) resumeDraft() wizard.Resumed {
	info, err := os.Stat(ses.draft())
	if err != nil || ses.overtaken(info.ModTime()) {
		return wizard.Resumed{}
	}
	var old setup.Answers
	src := setup.Sources{}
	if readAnswers(ses.draft(), &old, src) != nil {
		return wizard.Resumed{} // of another version; it is only a convenience
	}
	resumed := wizard.Resumed{When: info.ModTime().Format(time.DateTime), Answered: draftAnswered(ses.draft()), Recalled: &old}
	ses.takeUp(old, src, "your unfinished session of "+resumed.When)
	return resumed
}

// overtaken: a run that was begun after the draft was left stands. It says better what
// is wanted.
func (ses *session) overtaken(left time.Time) bool {
	runs, _ := journal.History(ses.probe.StateDir) // detection says what is wrong with the folder
	return slices.ContainsFunc(runs, func(r journal.RunInfo) bool {
		return r.Kind == "" && r.State == setup.RunCommitted && r.Started.After(left)
	})
}

// forgetDraft is for the end of what the draft was for; at worst it is offered again.
func (ses *session) forgetDraft() { _ = os.Remove(ses.draft()) }

// takeUp makes earlier answers those of this session, unless they are given anew or
// contradict what is.
func (ses *session) takeUp(old setup.Answers, src setup.Sources, why string) {
	for _, q := range interview.Questions() {
		if ses.inputSources[q.ID].From == "" {
			continue
		}
		for _, id := range interview.NoRoom(q, ses.input, old) {
			delete(src, id)
		}
	}
	for _, q := range interview.Questions() {
		if _, said := src[q.ID]; !said || ses.inputSources[q.ID].From != "" {
			continue
		}
		if q.Set(&ses.input, q.Get(old)) == nil {
			ses.inputSources[q.ID] = setup.Source{From: setup.Detected, Why: why}
		}
	}
}

// draftAnswered reads the draft's line with the questions that were answered.
func draftAnswered(file string) []string {
	data, _ := os.ReadFile(file) // none where it cannot be read
	for line := range strings.Lines(string(data)) {
		if ids, found := strings.CutPrefix(line, draftMark); found {
			return strings.Fields(ids)
		}
	}
	return nil
}

// recallLastRun tells the wizard of the last run. Where that stands, its answers
// are those of the next run: what was set up once is not asked, nor taken away by
// a default.
func (ses *session) recallLastRun() {
	runs, err := journal.History(ses.probe.StateDir)
	runs = slices.DeleteFunc(runs, func(r journal.RunInfo) bool { return r.Kind != "" }) // renewals come by night
	if err != nil || len(runs) == 0 {
		return // detection says what is wrong with the folder
	}
	last := runs[0]
	when := last.Started.Local().Format(time.DateTime)
	ses.options.Last = &wizard.LastRun{ID: last.ID, When: when, URL: last.URL, State: last.State}
	if last.State != setup.RunCommitted || ses.options.Resumed.When != "" {
		return
	}
	var old setup.Answers
	src := setup.Sources{}
	if readAnswers(filepath.Join(ses.probe.StateDir, "answers.yaml"), &old, src) != nil || old.URL.BaseURL() != last.URL {
		return
	}
	for _, q := range interview.Questions() {
		ses.options.Resumed.Answered = append(ses.options.Resumed.Answered, q.ID)
	}
	ses.options.Resumed.Recalled = &old
	ses.takeUp(old, src, "run "+last.ID+" of "+when)
}
