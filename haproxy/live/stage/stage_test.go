package stage_test

import (
	"fmt"
	"os"
	"testing"

	"bitgate/haproxy/live/stage"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == stage.Command {
		if err := stage.Run(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
