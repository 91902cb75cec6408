package setup

import (
	"fmt"
	"strings"
	"testing"
)

// --maxconn has the limit of the front that it is for.
func TestMaxConnOfTheFront(t *testing.T) {
	for front, most := range map[string]int{FrontHAProxy: 100_000, FrontBuiltin: 10_000} {
		if err := validate(Answers{Front: front, MaxConn: most}); err != nil {
			t.Errorf("%s: %v", front, err)
		}
		if err := validate(Answers{Front: front, MaxConn: most + 1}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("--maxconn %d: give a number from 1 to %d", most+1, most)) {
			t.Errorf("%s: %v", front, err)
		}
	}
}
