// Package setup is the model of a run, and pure: equal input gives equal bytes out.
//
//	facts   := detect.Facts          the machine, Bitbucket and its front as they are
//	answers := Resolve(facts, said)  what was said, filled up from facts and defaults
//	plan    := Build(facts, answers) changes in the order of their phases, as data
//	           Diffs(facts, plan)    what a person reviews
//	           check.Plan            proves it; nothing has been changed so far
//	           apply                 does it behind a journal, or takes it back
//
// The rooms below it touch the machine: detect reads it, check tries the plan on
// it, journal keeps what a run needs for its way back, apply goes both ways.
package setup
