package stage

import (
	"testing"

	"bitgate/haproxy/rehearsal"
)

// What no answer came to is a finding only where more time does not help: a machine
// that is busy keeps nobody from a run.
func TestLateAnswersAreAwaited(t *testing.T) {
	for name, tt := range map[string]struct {
		late int
		well []bool // of those that are asked again
		kept int
		slow bool
	}{
		"none":                            {0, nil, 0, false},
		"a moment":                        {2, []bool{true, true}, 0, false},
		"one of them never answers":       {2, []bool{true, false}, 1, false},
		"nobody answers":                  {20, make([]bool, workers), 20, false},
		"too many to ask them all again":  {20, []bool{true, true, true, true, true, true, true, true}, 0, true},
		"and some of those do not either": {20, []bool{true, false, false, false, false, false, false, false}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			kept, err := (&production{}).patiently(make([]wrong, tt.late), func(some []rehearsal.Request) ([]bool, error) {
				asked = len(some)
				return tt.well, nil
			})
			if asked != len(tt.well) || len(kept) != tt.kept || (err != nil) != tt.slow {
				t.Errorf("asked %d again, kept %d, %v", asked, len(kept), err)
			}
		})
	}
}
