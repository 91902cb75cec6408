// Package quietterm keeps Bubble Tea from talking to the terminal before main.
//
// bubbletea v1 asks for the terminal's background colour in a package init
// (ESC]11;? and ESC[6n) and waits up to five seconds for the reply: in every
// command, also in `version`, also in a script with a pseudo terminal. Giving
// lipgloss the answer first makes the question unnecessary.
//
// It works because Go initialises packages that are ready in the order of
// their import paths, and "bitgate/internal/quietterm" sorts before
// "github.com/charmbracelet/bubbletea". A test guards that. Only the sixteen
// ANSI colours are used, so the answer given here changes nothing visible.
package quietterm

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) }
