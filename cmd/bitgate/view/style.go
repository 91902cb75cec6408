package view

import (
	"bitgate/internal/printable"
	"bitgate/internal/problem"
)

// Style paints words for people: one of the sixteen ANSI colours beside a mark
// that reads without it. Without colour it adds nothing at all. Only a
// printable.Writer makes the colours those of a terminal. On a Light background
// magenta and blue stand for yellow and cyan, which cannot be read there; on a dark one
// bright red for red.
type Style struct{ Color, Light bool }

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return printable.Paint(code, text)
}

// Green and the others are the colours that are used.
func (s Style) Green(t string) string  { return s.paint("32", t) }
func (s Style) Red(t string) string    { return s.paint(s.on("91", "31"), t) }
func (s Style) Yellow(t string) string { return s.paint(s.on("33", "35"), t) }
func (s Style) Cyan(t string) string   { return s.paint(s.on("36", "34"), t) }
func (s Style) Bold(t string) string   { return s.paint("1", t) }
func (s Style) Dim(t string) string    { return s.paint("2", t) }

func (s Style) on(dark, light string) string {
	if s.Light {
		return light
	}
	return dark
}

// mark is a level as two characters.
func (s Style) mark(l problem.Level) string {
	switch l {
	case problem.OK:
		return s.Green("ok")
	case problem.Warn:
		return s.Yellow("! ")
	case problem.Fail:
		return s.Red("x ")
	}
	return s.Dim("- ")
}
