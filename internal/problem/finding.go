package problem

import (
	"fmt"
	"strings"
)

// Level says how good or bad a finding is.
type Level string

// Levels, from good to bad.
const (
	OK   Level = "ok"
	Note Level = "note"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one observation in the parts of an Error, for those who go on
// looking: checks, diagnoses, notes of a plan. It never holds a secret.
type Finding struct {
	ID    string `json:"id"`
	Level Level  `json:"level"`
	Title string `json:"title,omitempty"`
	Found string `json:"seen"`
	Why   string `json:"why,omitempty"`
	Do    string `json:"do,omitempty"`
	File  string `json:"file,omitempty"` // where it was seen, "" for no file
	Line  int    `json:"line,omitempty"` // 1-based; 0 where it is about the whole file
}

// Warning is a finding of level Warn.
func Warning(id, found, why, do string) Finding {
	return Finding{ID: id, Level: Warn, Found: found, Why: why, Do: do}
}

// Failure is an error as the finding that it is, with all that it tells.
func Failure(id string, err error) Finding {
	told := Explain(err)
	return Finding{ID: id, Level: Fail, Found: strings.Join(told.Found, ": "), Why: strings.Join(told.Why, "; "), Do: strings.Join(told.Do, "; ")}
}

// Text is what was found, with its place.
func (f Finding) Text() string {
	text := Mask(f.Found)
	switch {
	case f.File == "":
		return text
	case f.Line == 0:
		return f.File + ": " + text
	}
	return fmt.Sprintf("%s, line %d: %s", f.File, f.Line, text)
}

// Headline is the title with the text, or the one of them that there is.
func (f Finding) Headline() string {
	text := f.Text()
	switch {
	case f.Title == "" || f.Title == text:
		return text
	case text == "":
		return f.Title
	}
	return f.Title + ": " + text
}

// Err is the finding as an error that ends what was to be done.
func (f Finding) Err() *Error { return New(f.Headline(), f.Why, f.Do) }

// Failures picks the findings of level Fail.
func Failures(found []Finding) []Finding { return OfLevel(found, Fail) }

// OfLevel picks the findings of one level.
func OfLevel(found []Finding, level Level) []Finding {
	var out []Finding
	for _, f := range found {
		if f.Level == level {
			out = append(out, f)
		}
	}
	return out
}
