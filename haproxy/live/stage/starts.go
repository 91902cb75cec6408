package stage

import (
	"context"
	"errors"
	"slices"
	"strings"

	"bitgate/haproxy/rehearsal"
)

// starts compares who starts: a candidate that does not, where the present
// configuration does, must not be loaded. Where neither does it may be for the stage,
// and nothing is known.
func (r *Rehearsal) starts(ctx context.Context, before, after *side) (*rehearsal.Finding, error) {
	stops := rehearsal.Finding{Bitbucket: true, What: r.front() + " does not start: " + after.refusals(), Requests: []string{"all"}}
	switch {
	case after.idle:
		stops.What = r.front() + " listens on no address"
	case before.live == nil && !before.idle && (after.live == nil || len(after.drop) > 0):
		return nil, errors.New(stops.What + "; nor does it with the present configuration: " + before.refusals())
	case after.live != nil:
		var words []string
		for i, c := range after.drop {
			if after.refusedAnew(before, c) {
				words, stops.Cause = append(words, after.words[i]), append(stops.Cause, r.line(after.stage, c.Place))
			}
		}
		if len(words) == 0 {
			return nil, nil
		}
		stops.What = r.front() + " does not start: " + strings.Join(words, "; ")
	case r.Proxy != nil:
		runs, err := r.presentStarts(ctx)
		if err != nil || !runs {
			return nil, errors.Join(errors.New(stops.What), err)
		}
	case before.idle:
		return nil, errors.New(stops.What + " (there is no present listener to compare with)")
	}
	return &stops, nil
}

// refusals are why it does not start, as a whole.
func (s *side) refusals() string {
	return strings.ReplaceAll(strings.Join(s.said, "; "), notRehearsed, ": ")
}

// refusedAnew reports whether HAProxy refuses a line on the stage, though it takes
// there what stands in its place now.
func (s *side) refusedAnew(before *side, c rehearsal.Cut) bool {
	c.Line = s.stage.Present(c.Place, before.set)
	return before.live != nil && !slices.Contains(before.drop, c)
}

// presentStarts reports whether the built-in proxy starts with the file that it has.
func (r *Rehearsal) presentStarts(ctx context.Context) (bool, error) {
	if r.Present == nil {
		return false, nil
	}
	now := r.side(nil, nil)
	defer now.close()
	var err error
	if now.stage, err = rehearsal.OfProxy(r.Present.Path, r.Present.Config); err == nil {
		err = now.open(ctx)
	}
	return now.live != nil, err
}
