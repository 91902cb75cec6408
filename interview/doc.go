// Package interview is what the administrator can be asked, as data, and the
// state of one asking. It knows no screen: the same list makes the guided setup,
// the line prompter, the flags with their help and docs/answers.md.
//
// How an interview goes on:
//
//	New(machine, input)            what flags, files or an earlier session said
//	Found(facts)                   resolve: said, else detected, else default
//	for q := Resume(); ; After(q)  the first open question without an answer
//	    Prefill(q), Source(q)      what stands in the field, and where it is from
//	    Preview(q, text)           the answers as they would be; Advice, StepPreview
//	    Answer(q, text)            taken, or refused with the reason
//	FinishedPlan()                 setup.Build; Tabs shows it
//
// A value that was only confirmed stays unsaid, so that it keeps following what
// it was derived from. A question is open where its When says so and neither a
// flag nor a file has answered it.
package interview
