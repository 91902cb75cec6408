package main

import "bitgate/internal/problem"

// style paints words for people: one of the sixteen ANSI colours beside a mark
// that reads without it. Without colour it adds nothing at all.
type style struct{ color bool }

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) green(t string) string  { return s.paint("32", t) }
func (s style) red(t string) string    { return s.paint("31", t) }
func (s style) yellow(t string) string { return s.paint("33", t) }
func (s style) cyan(t string) string   { return s.paint("36", t) }
func (s style) bold(t string) string   { return s.paint("1", t) }
func (s style) dim(t string) string    { return s.paint("2", t) }

// mark is a level as two characters.
func (s style) mark(l problem.Level) string {
	switch l {
	case problem.OK:
		return s.green("ok")
	case problem.Warn:
		return s.yellow("! ")
	case problem.Fail:
		return s.red("x ")
	}
	return s.dim("- ")
}
