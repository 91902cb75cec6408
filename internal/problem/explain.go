package problem

import (
	"errors"
	"slices"
	"strings"
)

// Explanation is what a chain of errors tells a person, outermost link first.
// Nothing is said twice.
type Explanation struct {
	Found []string // the outermost first, each further one is its reason
	Why   []string
	Do    []string
}

// Explain gathers what every link of err found, why it matters and what to do. All
// errors of a join are in it; Separate takes them apart for those who show each
// on its own.
func Explain(err error) Explanation {
	var out Explanation
	for _, e := range Separate(err) {
		for _, text := range found(e) {
			out.Found = append(out.Found, Mask(text))
		}
		walk(e, func(p *Error) {
			out.Why = addOnce(out.Why, p.Why)
			out.Do = addOnce(out.Do, p.Do)
		})
	}
	return out
}

// Separate takes joined errors apart.
func Separate(err error) []error {
	if err == nil {
		return nil
	}
	many, joined := err.(interface{ Unwrap() []error }) // this link alone
	if !joined {
		return []error{err}
	}
	var all []error
	for _, e := range many.Unwrap() {
		all = append(all, Separate(e)...)
	}
	return all
}

// found is what each link of a chain of Errors found.
func found(err error) []string {
	e, is := err.(*Error) //nolint:errorlint // link by link
	if !is {
		return []string{strings.TrimSpace(err.Error())}
	}
	text := strings.TrimSpace(e.Found)
	if e.Cause == nil {
		return []string{text}
	}
	if _, deeper := e.Cause.(*Error); deeper { //nolint:errorlint // link by link
		return append([]string{text}, found(e.Cause)...)
	}
	return []string{text + ": " + strings.TrimSpace(e.Cause.Error())}
}

func walk(err error, visit func(*Error)) {
	for err != nil {
		if e, is := err.(*Error); is { //nolint:errorlint // every link is visited
			visit(e)
		}
		if many, is := err.(interface{ Unwrap() []error }); is { // every link is visited
			for _, e := range many.Unwrap() {
				walk(e, visit)
			}
			return
		}
		err = errors.Unwrap(err)
	}
}

func addOnce(list []string, text string) []string {
	if text = Mask(text); text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
