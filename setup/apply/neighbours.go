package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/atomicfile"
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
	var set []haproxy.Source
	for _, path := range p.Run.HAProxyFiles {
		f, err := atomicfile.Read(path)
		if err != nil {
			return // the reload will say
		}
		set = append(set, haproxy.Source{Path: path, Data: f.Data})
	}
	of := live.ServiceOfSet("", p.Run.HAProxyFiles)
	met := stage.Rehearsal{Env: of.Env, Dir: of.Dir, Bitbucket: check.Bitbucket(p.Answers)}.NeighboursOf(set)
	a.neighbours = &met
}

// askNeighbours asks them again, and fails where one is not answered as before. Where the
// page alone is another it is told: an application may write what it likes.
func (a *Applier) askNeighbours(ctx context.Context, p setup.Plan) error {
	if a.neighbours == nil || len(a.neighbours.All) == 0 {
		return nil
	}
	title := fmt.Sprintf("ask %d names and paths of others as before the reload", len(a.neighbours.All))
	a.tell(setup.Event{Kind: setup.EventStart, Step: "check", Title: title, Change: -1})
	changed := a.neighbours.Changed(looksAfter)
	changed.All = rehearsal.Thin(changed.All, mostDoubted)
	for n := range doubts {
		for range 1 << n {
			if len(changed.All) > 0 {
				a.pause(ctx)
			}
		}
		changed = changed.Changed(looksAgain)
	}
	known := len(p.Answers.Accept) > 0 // who has accepted what the rehearsal found knows of it
	taken := slices.DeleteFunc(slices.Clone(changed.All), func(n stage.Neighbour) bool { return n.Page || known })
	if len(taken) > 0 {
		return problem.New("others are not answered as before the reload: "+told(taken), "their clients would get what is not meant for them, or nothing",
			"see what else was changed in HAProxy's files since it was last reloaded; bitgate plan names what the run itself would change")
	}
	if len(changed.All) > 0 {
		a.notice(problem.Finding{
			ID: "neighbours", Level: problem.Warn, Found: "since the reload others are not answered as before: " + told(changed.All),
			Why: "the page of each may have been written anew meanwhile, or come from another of its servers", Do: "look at these pages",
		})
	}
	done := fmt.Sprintf("%d names and paths of others are answered as before the reload", len(a.neighbours.All)-len(changed.All))
	a.tell(setup.Event{Kind: setup.EventDone, Step: "check", Title: done, Change: -1})
	return nil
}

// told names some of them, and how each is answered now.
func told(all []stage.Neighbour) string {
	const most = 4
	var out []string
	for _, n := range all[:min(len(all), most)] {
		out = append(out, fmt.Sprintf("%s at %s: %s", n.Name, n.Address, n.What))
	}
	text := strings.Join(out, "; ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
