package rehearsal

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// Report is the outcome of a rehearsal.
type Report struct {
	Front     string `json:"front"`
	Rehearsed bool   `json:"rehearsed"`
	Why       string `json:"why,omitempty"` // it could not be

	Bitbucket int           `json:"bitbucket"` // requests that are to reach Bitbucket
	Others    int           `json:"others"`    // requests to everybody else
	Addresses int           `json:"addresses"` // names at listeners that those went to
	Sampled   int           `json:"sampled,omitempty"`
	Findings  []Finding     `json:"findings,omitempty"`
	Bound     []Finding     `json:"bound,omitempty"`   // Bitbucket's requests that do well from addresses that the files list alone
	Minor     []Finding     `json:"minor,omitempty"`   // what few of Bitbucket's users would miss
	Singled   []Finding     `json:"singled,omitempty"` // what the files single out, and few ask for
	Skipped   []string      `json:"skipped,omitempty"` // what of the files is not rehearsed
	HTTP2     []string      `json:"http2,omitempty"`   // lines that offer HTTP/2 to Git with a window that pushes may hang at
	Took      time.Duration `json:"took"`
	Memory    int64         `json:"memory"` // of one HAProxy, at most, in bytes
}

// Finding is requests that all go wrong in the same way.
type Finding struct {
	Bitbucket bool     `json:"bitbucket"` // Bitbucket's own; else somebody else's
	What      string   `json:"what"`
	Requests  []string `json:"requests"`
	Cause     []string `json:"cause,omitempty"` // lines without which it would be well
	ID        string   `json:"id"`              // to accept it by, see Accept
	Accepted  bool     `json:"accepted,omitempty"`
	Untried   bool     `json:"untried,omitempty"` // nothing was found: the lines could not be tried
}

// id names a finding by what goes wrong, for whom and by which lines, so that it is
// the same as long as it is the same.
func (f Finding) id() string {
	sum := sha256.New()
	fmt.Fprintln(sum, f.Bitbucket, f.What)
	for _, c := range f.Cause {
		fmt.Fprintln(sum, lineNumber().ReplaceAllString(c, ""))
	}
	if f.Bitbucket {
		names := slices.Clone(f.Requests)
		slices.Sort(names)
		fmt.Fprintln(sum, slices.Compact(names))
	}
	return fmt.Sprintf("rehearsal-%.8x", sum.Sum(nil)[:4])
}

var lineNumber = pattern.Lazy(`, (before )?line \d+`)

// Accept gives the findings their ids, and notes which of them a person has named
// as meant.
func (r Report) Accept(ids []string) {
	for i, f := range r.Findings {
		r.Findings[i].ID = f.id()
		r.Findings[i].Accepted = slices.Contains(ids, f.id())
	}
}

// Untried adds the lines that may keep requests from Bitbucket and that nothing has
// tried.
func (r *Report) Untried(lines []string) {
	if len(lines) > 0 {
		r.Findings = append(r.Findings, Finding{Untried: true, What: "not tried", Cause: lines})
	}
}

// OK reports whether nothing was found, or nothing that is not accepted.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Accepted })
}

// Summary is the outcome in one line.
func (r Report) Summary() string {
	if !r.Rehearsed {
		return "not rehearsed: " + r.Why
	}
	wrong, changed, bound := 0, 0, 0
	for _, f := range r.Bound {
		bound += len(f.Requests)
	}
	for _, f := range slices.Concat(r.Findings, r.Singled) {
		if f.Bitbucket {
			wrong += len(f.Requests)
		} else {
			changed += len(f.Requests)
		}
	}
	text := fmt.Sprintf("rehearsed: %s Bitbucket", count(r.Bitbucket-wrong, "request reaches", "requests reach"))
	if bound > 0 {
		text += fmt.Sprintf(", %d of them from listed addresses alone", bound)
	}
	if wrong > 0 {
		text += fmt.Sprintf(", %d would not", wrong)
	}
	if r.Others > 0 {
		text += fmt.Sprintf(", %s to %s as before", count(r.Others-changed, "request", "requests"), count(r.Addresses, "other address is answered", "other addresses are answered"))
	}
	if changed > 0 {
		text += fmt.Sprintf(", %d would not", changed)
	}
	if r.Sampled > 0 {
		text += fmt.Sprintf(" (a sample of %d)", r.Sampled)
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// List is the report for those who go through checks: first whether it went
// well, then what did not. What a person has accepted is a warning.
func (r Report) List() []problem.Finding {
	first := problem.Finding{ID: "rehearsal", Level: problem.OK, Found: r.Summary()}
	switch {
	case !r.Rehearsed:
		first.Level, first.Why = problem.Note, "what "+r.Front+" would do with the new configuration was judged by reading it alone"
	case !r.OK():
		first.Level = problem.Note
	}
	all := []problem.Finding{first}
	shown := 0
	for _, f := range r.Findings {
		one := f.finding(r.Front)
		if f.Accepted {
			one.Level, one.Do = problem.Warn, "it was accepted (--accept "+one.ID+")"
		} else if shown++; shown > shownFindings {
			continue
		}
		all = append(all, one)
	}
	if shown > shownFindings {
		all = append(all, problem.Finding{ID: "rehearsal", Level: problem.Fail, Found: fmt.Sprintf("%d more kinds of answers are not what they should be", shown-shownFindings), Do: "settle or accept those above; the next look shows the rest"})
	}
	for _, f := range r.Bound {
		all = append(all, problem.Warning("rehearsal-bound", "Bitbucket is reached from some addresses alone ("+f.named()+"); from others: "+f.What+f.causes(),
			"clients and CI elsewhere do not get in", "if that is not meant, leave Bitbucket's name out of the line"))
	}
	for _, f := range r.Minor {
		all = append(all, problem.Warning("rehearsal-minor", "Bitbucket would not be asked by "+f.named()+": "+f.What+f.causes(),
			"pages of other sites, which Bitbucket's allow list may let in, cannot use its REST interface; Git, browsers and scripts do not need it",
			"if somebody does, leave Bitbucket's name out of the line"))
	}
	for _, f := range r.Singled {
		all = append(all, problem.Finding{
			ID: "rehearsal-singled", Level: problem.Warn, Found: "Bitbucket would not be reached by " + f.named() + ": " + f.What + f.causes(),
			Why: "all else that was tried reaches it; whoever asks so gets that answer in Bitbucket's place",
			Do:  "if that is not meant, leave Bitbucket's name out of the line",
		})
	}
	for _, line := range r.HTTP2 {
		all = append(all, problem.Warning("rehearsal-http2", "Git is offered HTTP/2 by "+line, "pushes of Git with libcurl 7.84 to 8.4 can hang over it",
			"set \"tune.h2.initial-window-size 2147483647\" in the global section, or offer Bitbucket's name HTTP/1.1 alone (crt-list entry \"BUNDLE [alpn http/1.1] NAME\")"))
	}
	for _, s := range r.Skipped {
		all = append(all, problem.Finding{ID: "rehearsal-skipped", Level: problem.Note, Found: s})
	}
	return all
}

// shownFindings is how many findings people are shown.
const shownFindings = 8

// shownRequests is how many requests of one finding are named.
const shownRequests = 4

// named are the requests, in short: each is asked in several ways.
func (f Finding) named() string {
	var names []string
	for _, r := range f.Requests {
		if !slices.Contains(names, r) {
			names = append(names, r)
		}
	}
	text := strings.Join(names[:min(len(names), shownRequests)], ", ")
	if more := len(names) - shownRequests; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (f Finding) causes() string {
	if len(f.Cause) == 0 {
		return ""
	}
	return "\ncause: " + strings.Join(f.Cause, "\n       ")
}

func (f Finding) finding(front string) problem.Finding {
	out := problem.Finding{ID: f.id(), Level: problem.Fail}
	if f.Untried {
		out.Found, out.Why = "what these lines do to Bitbucket's requests could not be tried:\n"+strings.Join(f.Cause, "\n"), "they may refuse or change some of them, or answer in Bitbucket's place; that shows in use alone"
		out.Do = "plan where " + front + " can be rehearsed, or end them with a condition that leaves Bitbucket's name out; who knows that they do no harm accepts it: --accept " + out.ID
		return out
	}
	out.Do = "change what is named as the cause"
	if f.Bitbucket {
		out.Do += ", or give Bitbucket an address of its own (--listen, with the port in --url too)"
		out.Found, out.Why = fmt.Sprintf("Bitbucket would not be reached by %s: %s", f.named(), f.What), "it was tried in the real program, apart from the "+strings.TrimPrefix(front, "the ")+" that runs"
	} else {
		out.Found, out.Why = fmt.Sprintf("others would be answered differently (%s): %s", f.named(), f.What), "it was tried in the real HAProxy, with and without the change"
	}
	out.Found += f.causes()
	out.Do += "; who knows that it is meant accepts it: --accept " + out.ID
	return out
}
