package view

import (
	"fmt"
	"time"

	"bitgate/setup/apply"
)

// Outlook prints which run it is, how it stands, and what will be done to it.
func (v *Text) Outlook(o apply.Outlook) {
	for _, line := range Wrap(fmt.Sprintf("Run %s of %s for %s", o.Run, o.Started.Local().Format(time.DateTime), o.URL), v.Width) {
		fmt.Fprintln(v.W, v.Style.Bold(line)) // what makes it bold takes no room
	}
	if !o.State.Settled() {
		stand := fmt.Sprintf("It is not finished: %d of %d changes are in place", o.Done, o.Changes)
		if o.Begun > 0 {
			stand += fmt.Sprintf(", and %d may be or not", o.Begun)
		}
		v.hang("", 0, stand+".")
	}
	lead := "Taking it back will:"
	switch {
	case len(o.Will) == 0:
		lead = "Nothing of it is left to do; its journal will be closed."
	case !o.Back:
		lead = "Finishing it will:"
	}
	fmt.Fprintln(v.W, lead)
	for _, line := range o.Will {
		v.hang("  ", 4, line)
	}
	for _, n := range o.Notice {
		v.hang("  "+v.Style.Yellow("! ")+"  ", 6, n)
	}
	if o.CanGoOn {
		v.hang("", 0, "To finish it instead: bitgate recover --forward")
	}
}
