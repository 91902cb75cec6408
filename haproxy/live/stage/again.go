package stage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bitgate/haproxy/rehearsal"
)

// patiently asks once more what no answer came to, as many as are asked at once.
// Where they all go well then, and there are no others, the machine stood still for
// a moment; where there are others it is too slow to tell.
func (p *production) patiently(late []wrong, well func([]rehearsal.Request) ([]bool, error)) ([]wrong, error) {
	var some []rehearsal.Request
	for i, w := range late[:min(len(late), workers)] {
		w.Source = other(w.Source, 200+i)
		some = append(some, w.Request)
	}
	if len(some) == 0 {
		return nil, nil
	}
	went, err := well(some)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(went, true):
		return late, nil
	case len(late) > len(some):
		return nil, fmt.Errorf("this machine is too slow to tell now: %d answers did not come, of which some come now", len(late))
	}
	var out []wrong
	for i, ok := range went {
		if !ok {
			out = append(out, late[i])
		}
	}
	return out, nil
}

// still keeps what goes wrong again, at least once of some times: a connection may
// go one way or the other by chance, but a machine that is busy is no finding.
func (p *production) still(bad []wrong) ([]wrong, error) {
	var out []wrong
	for round := 0; round < again && len(bad) > 0; round++ {
		var once []rehearsal.Request
		for i, w := range bad {
			w.Source = other(w.Source, round*len(bad)+i)
			once = append(once, w.Request)
		}
		answers, err := p.after.live.Ask(once, answerTime)
		if err != nil {
			return nil, err
		}
		var well []wrong
		for i, w := range bad {
			if p.Bitbucket.Reached(p.after.stage, w.Request, answers[i]) != "" {
				out = append(out, w)
			} else {
				well = append(well, w)
			}
		}
		bad = well
	}
	return out, nil
}

// again is how often a request whose answer differs is asked of each side.
const again = 4

// confirmed keeps the differences that are there each time, whichever of the
// present configuration's own answers is compared with: one that chooses by
// chance, or counts, differs from itself.
func (p *production) confirmed(differ []rehearsal.Request) ([]wrong, error) {
	if len(differ) == 0 {
		return nil, nil
	}
	var many []rehearsal.Request
	for i := range again * len(differ) {
		r := differ[i/again]
		r.Source = other(r.Source, i)
		many = append(many, r)
	}
	was, is, err := p.both(many, answerTime)
	if err != nil {
		return nil, err
	}
	var out []wrong
	for i, r := range differ {
		mine := was[i*again : (i+1)*again]
		if what := p.differs(r, mine, is[i*again:(i+1)*again]); what != "" {
			out = append(out, wrong{r, what, mine[0]})
		}
	}
	if p.before.stage.Counts() || p.after.stage.Counts() {
		return p.calmly(out)
	}
	return out, nil
}

const (
	// lull is after how long what a configuration counts by the second begins anew.
	lull = 1100 * time.Millisecond
	// gap is between two requests then.
	gap = 300 * time.Millisecond
)

// calmly asks two of each kind of difference once more, slowly and one at a time: what
// depends on how much is asked at once is none.
func (p *production) calmly(bad []wrong) ([]wrong, error) {
	wait, asked, differ := lull, map[string]int{}, map[string]bool{}
	for i, w := range bad {
		kind := rehearsal.Alike(w.what, w.Request)
		if differ[kind] || asked[kind] == 2 {
			continue
		}
		asked[kind]++
		time.Sleep(wait)
		wait = gap
		w.Source = other(w.Source, 100+i)
		was, is, err := p.both([]rehearsal.Request{w.Request}, answerTime)
		if err != nil {
			return nil, err
		}
		differ[kind] = p.differs(w.Request, was, is) != ""
	}
	return slices.DeleteFunc(bad, func(w wrong) bool { return !differ[rehearsal.Alike(w.what, w.Request)] }), nil
}

// other is a client's address that nobody has asked from; one that was meant
// stays.
func other(source string, i int) string {
	if strings.HasPrefix(source, "203.0.113.") {
		return fmt.Sprintf("198.51.100.%d", 1+i%254)
	}
	return source
}
