package atomicfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// races are the exchanges that the service user makes while root writes to
// shared/f below his home.
var races = []struct {
	name    string
	prepare func(a arena) (one, other string)
	refused bool // some attempts must meet the trap
}{
	{"folder and link to root's folder", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.link(a.canary, "trap")
		return "shared", "trap"
	}, true},
	{"file and link to root's file", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.link(filepath.Join(a.canary, "f"), "shared/trap")
		return "shared/f", "shared/trap"
	}, true},
	{"file and FIFO", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.fifo("trap")
		return "shared/f", "trap"
	}, true},
	{"folder and link to another folder of theirs", func(a arena) (string, string) {
		a.folder("shared")
		a.file("shared/f")
		a.folder("second")
		a.file("second/f")
		a.link("second", "trap")
		return "shared", "trap"
	}, false},
	{"link to their file and link to root's", func(a arena) (string, string) {
		a.folder("shared")
		a.folder("second")
		a.file("second/f")
		a.link("../second/f", "shared/f")
		a.link(filepath.Join(a.canary, "f"), "trap")
		return "shared/f", "trap"
	}, true},
}

// Root writes while the service user swaps folders and files for links. Whatever
// the moment: what belongs to root is neither changed nor read, and no temporary
// file is left anywhere.
func TestServiceUserCannotTrickRoot(t *testing.T) {
	needRoot(t)
	writes := 400 // times 5 races = 2,000
	if os.Getenv("BITGATE_TORTURE") != "" {
		writes = 20_000
	}
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			a := newArena(t)
			one, other := r.prepare(a)
			before := snapshot(t, a.canary)
			stop := a.attack(a.path(one), a.path(other))
			done, refused := a.writes(writes)
			swaps := stop()
			if now := snapshot(t, a.canary); now != before {
				t.Errorf("what belongs to root has changed:\n%s\nbefore:\n%s", now, before)
			}
			noTemporaries(t, a.home)
			if done < writes || swaps < 100 || r.refused && refused == 0 {
				t.Errorf("no race: %d writes, %d refused, %d exchanges", done, refused, swaps)
			}
			t.Logf("%d writes, %d attempts refused, %d exchanges by the service user", done, refused, swaps)
		})
	}
}

// writes replaces shared/f, creates shared/g and removes it again, as root,
// until so many replacements went through.
func (a arena) writes(want int) (done, refused int) {
	for attempt := 0; done < want && attempt < 100*want; attempt++ {
		f, err := Read(a.path("shared/f"))
		if bytes.Contains(f.Data, []byte("canary")) {
			a.t.Fatal("root's file was read")
		}
		if err == nil {
			err = Writer{}.Replace(f, fmt.Appendf(nil, "new %d", attempt))
		}
		if err != nil || f.Absent {
			refused++
		} else {
			done++
		}
		if attempt%4 == 0 {
			a.createAndRemove()
			if n, _ := (Writer{}).Sweep(a.path("shared/f")); n != 0 { // it may be refused
				a.t.Fatalf("%d temporary files were left or were root's", n)
			}
		}
	}
	return done, refused
}

func (a arena) createAndRemove() {
	path := a.path("shared/g")
	if (Writer{}).Create(path, []byte("g"), 0o600, nobody, nobody) != nil {
		return
	}
	if g, err := Read(path); err == nil {
		_ = Writer{}.Remove(g) // refused when the folder was swapped meanwhile
	}
}
