package stage

import (
	"encoding/json"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"bitgate/haproxy/rehearsal"
)

// A machine that stands still while a candidate is tried leaves time for the next one:
// else the line that is to blame would not be found.
func TestAStandstillIsNotTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks, messages := io.Pipe()
		answers, replies := io.Pipe()
		defer messages.Close()
		go func() { // the stage of a machine that stands still, where nothing starts
			for in := json.NewDecoder(asks); in.Decode(&message{}) == nil; {
				time.Sleep(time.Minute)
				_ = json.NewEncoder(replies).Encode(reply{Loaded: &Loaded{}})
			}
		}()
		r := &Rehearsal{}
		after := r.side(nil, nil)
		after.live = &Stage{messages: json.NewEncoder(messages), replies: json.NewDecoder(answers)}
		p := production{Rehearsal: r, after: after, report: &rehearsal.Report{}, budget: causeTime}
		tried := 0
		for before := time.Duration(-1); p.spent > before; tried++ {
			before = p.spent
			p.goWell(make([]wrong, 1), &without{})
		}
		if tried--; tried < 2 || p.spent < causeTime {
			t.Errorf("%d candidates were tried in %s", tried, p.spent)
		}
	})
}
