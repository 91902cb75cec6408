package stage_test

import (
	"fmt"
	"os"
	"testing"

	"bitgate/haproxy/live/stage"
	"bitgate/internal/peers"
)

// TestMain lets this test binary be the stage, as bitgate is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stage.Command {
		if err := stage.Run(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	peers.Suite{}.Main(m)
}
