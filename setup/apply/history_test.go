package apply_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"bitgate/setup"
	"bitgate/setup/journal"
)

// history plays one random sequence of what people and crashes do, beside a
// model of what should come of it.
type history struct {
	*toy
	rnd   *rand.Rand
	now   scene     // what the model expects
	runs  []planned // those that stand, the last one on top
	lines int       // foreign edits so far
	log   []string  // for the failure's text
	tally *tallySheet
}

type planned struct{ before, after scene }

// undone is the scene after p was taken back: only what it changed goes back.
func (p planned) undone(s scene) scene {
	if p.touchesFile() {
		s.file = p.before.file
	}
	if p.touchesFront() {
		s.front = p.before.front
	}
	if p.before.url != p.after.url {
		s.url = p.before.url
	}
	s.running = contextIn(s.file)
	return s
}

func (p planned) touchesFile() bool { return p.before.file != p.after.file }

func (p planned) touchesFront() bool { return p.before.front != p.after.front }

// foreign: somebody has edited what p changed.
func (p planned) foreign(s scene) bool {
	return p.touchesFile() && s.file != p.before.file && s.file != p.after.file ||
		p.touchesFront() && s.front != p.before.front && s.front != p.after.front
}

type tallySheet struct{ ops, kills, faults, forced, refused int }

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *history) edit() error {
	s := h.look()
	h.lines++
	name, text := "file", &s.file
	if s.front != "" && h.rnd.IntN(2) == 0 {
		name, text = "etc/front", &s.front
	}
	*text += fmt.Sprintf("by-hand=%d\n", h.lines)
	h.note("edit %s", name)
	if err := os.WriteFile(h.path(name), []byte(*text), 0o640); err != nil {
		return err
	}
	h.now.file, h.now.front = s.file, s.front
	return nil
}

// with is a scene with the last foreign edit in whichever file has it now.
func (h *history) with(s scene) scene {
	line, is := fmt.Sprintf("by-hand=%d\n", h.lines), h.look()
	if strings.Contains(is.file, line) {
		s.file += line
	}
	if strings.Contains(is.front, line) {
		s.front += line
	}
	return s
}

// standing reports whether the number of runs that stand has changed.
func (h *history) standing() bool {
	runs, err := journal.History(h.path("state"))
	if err != nil {
		return false
	}
	n := 0
	for _, r := range runs {
		if r.State == setup.RunCommitted {
			n++
		}
	}
	return n != len(h.runs)
}

func (h *history) open() string {
	runs, err := journal.History(h.path("state"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range runs {
		if r.State == setup.RunOpen || r.State == setup.RunIncomplete {
			return r.ID
		}
	}
	return ""
}

// agree compares the machine with the model.
func (h *history) agree() error {
	if open := h.open(); open != "" {
		return errors.New("run " + open + " is open")
	}
	if s := h.look(); s != h.now {
		return fmt.Errorf("the model and the machine differ:\nis     %+v\nmodel  %+v", s, h.now)
	}
	left, _ := filepath.Glob(h.path("*/.*"))
	for _, path := range left {
		if !strings.HasPrefix(filepath.Base(path), ".new-") && !strings.HasPrefix(filepath.Base(path), ".old-") {
			return errors.New(path + " was left")
		}
	}
	return nil
}
