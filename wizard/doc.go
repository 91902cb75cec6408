// Package wizard is bitgate's guided terminal: a full screen program over the
// questions of package interview, and a line prompter over the same list.
//
// Rules of the screen:
//   - One question is in focus; everything else on the screen explains it.
//   - A value that was found says where it comes from, and is only confirmed.
//   - The preview shows the real bytes, from the same plan that apply uses.
//   - Nothing changes before the word "apply" and Enter on the review's consent
//     line, and every screen says so until then.
//   - Sentence case, the documented page's own terms, no exclamation marks.
//     Marks are words or ASCII (ok, !, x, >) with one of the sixteen ANSI
//     colours beside them; the same screen reads without any.
//
// Who owns what: model routes messages to the screen in front (welcome, ask,
// review, run, result, error; answers, help and quit lie over them) and frames
// what it draws. A screen owns its methods and its state, shares the shell with
// the others, and leads to another one through the router alone.
//
// The package touches no file, network or process: cmd/bitgate hands it a
// Backend. It alone imports the Charm libraries.
package wizard
