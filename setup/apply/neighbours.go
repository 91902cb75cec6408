package apply

import (
	"context"
	"fmt"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/check"
)

// How often everybody is asked after a reload, and whoever was answered differently then:
// of two sections on one port the kernel takes either, by chance.
const (
	looksAfter = 3
	looksAgain = 12
)

// doubts is how often an answer that is not as before is asked for again, each time after
// twice as long a pause, of at most mostDoubted: HAProxy that was reloaded takes each
// server for well until it has looked.
const (
	doubts      = 5
	mostDoubted = 8
)

// meetNeighbours asks HAProxy for everybody else's names and paths, before its first
// reload of this run.
func (a *Applier) meetNeighbours(p setup.Plan, s *setup.ServiceChange) {
	how := s.Control.How
	if a.neighbours != nil || p.Kind == setup.KindCertificate || s.Verb == service.Stop || how == service.Manual || how == service.Never {
		return
	}
	met, err := check.MeetNeighbours(p)
	if err != nil {
		return // the reload will say
	}
	a.neighbours = &met
	if n := met.Silent(); n > 0 {
		a.notice(problem.Finding{
			ID: "neighbours", Level: problem.Note, Found: fmt.Sprintf("%d names and paths of others were not answered before the reload, so that they are not compared with what is answered after it", n),
			Why: "HAProxy, or the servers behind it, did not answer in time, twice", Do: "look at these sites after the run",
		})
	}
}

// askNeighbours asks them again, and fails where one is not answered as before. Where the
// page alone is another it is told: an application may write what it likes.
func (a *Applier) askNeighbours(ctx context.Context, p setup.Plan) error {
	if a.neighbours == nil || a.neighbours.Len() == 0 {
		return nil
	}
	title := fmt.Sprintf("ask %d names and paths of others as before the reload", a.neighbours.Len())
	a.tell(setup.Event{Kind: setup.EventStart, Step: "check", Title: title, Change: -1})
	changed := a.neighbours.Changed(looksAfter, mostDoubted)
	for n := 0; n < doubts && changed.Len() > 0; n++ {
		for range 1 << n {
			a.pause(ctx)
		}
		changed = changed.Changed(looksAgain, mostDoubted)
	}
	known := len(p.Answers.Accept) > 0 // who has accepted what the rehearsal found knows of it
	if taken := changed.Told(false); taken != "" && !known {
		return problem.New("others are not answered as before the reload: "+taken, "their clients would get what is not meant for them, or nothing",
			"see what else was changed in HAProxy's files since it was last reloaded; bitgate plan names what the run itself would change")
	}
	if told := changed.Told(true); told != "" {
		a.notice(problem.Warning("neighbours", "since the reload others are not answered as before: "+told,
			"the page of each may have been written anew meanwhile, or come from another of its servers", "look at these pages"))
	}
	done := fmt.Sprintf("%d names and paths of others are answered as before the reload", a.neighbours.Len()-changed.Len())
	a.tell(setup.Event{Kind: setup.EventDone, Step: "check", Title: done, Change: -1})
	return nil
}
