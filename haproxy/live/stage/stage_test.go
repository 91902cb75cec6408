package stage_test

import (
	"fmt"
	"os"
	"testing"

	"bitgate/haproxy/live/stage"
	"bitgate/internal/peers"
)

// program is bitgate as it is built for users: most rehearsals here run on its stage.
var program string

// TestMain lets this test binary be the stage, as bitgate is, so that the race
// detector sees it too (self). Rehearsals wait about as much as they work.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stage.Command {
		if err := stage.Run(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	peers.Suite{Parallel: 3, Around: peers.Around(&program)}.Main(m)
}
