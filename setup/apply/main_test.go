package apply_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// A run mostly waits: for Bitbucket, for HAProxy, for the disk. So more of them
// than processors are at work.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
