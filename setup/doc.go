// Package setup is the heart of bitgate. Detect gathers Facts, a door fills
// Answers, Build turns both into a Plan (pure data), an Applier carries it out
// behind a journal, and Undo and Recover take it back.
package setup
