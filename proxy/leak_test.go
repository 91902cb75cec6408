package proxy_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/goleak"
)

// leaks reports what the tests left behind: goroutines, and descriptors that
// were not open before.
func leaks(before []string) (code int) {
	http.DefaultClient.CloseIdleConnections()
	end := time.Now().Add(patience) // net/http ends a refused HTTP/2 connection a second later
	// The thread that starts children lives as long as the process.
	ours := goleak.IgnoreAnyFunction("bitgate/internal/child.init.func1.1")
	for err := goleak.Find(ours); err != nil; err = goleak.Find(ours) {
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			return 1
		}
	}
	var left []string
	for ; ; time.Sleep(10 * time.Millisecond) {
		left = slices.DeleteFunc(openFiles(), func(f string) bool { return slices.Contains(before, f) })
		if len(left) == 0 {
			return 0
		}
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, "descriptors are left:", left)
			return 1
		}
	}
}

// openFiles are the descriptors of this process, each with what it is, besides
// those of the runtime's poller. None where the system does not tell.
func openFiles() []string {
	entries, _ := os.ReadDir("/proc/self/fd")
	var all []string
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || to == "anon_inode:[eventpoll]" || to == "anon_inode:[eventfd]" || to == "anon_inode:[pidfd]" {
			continue
		}
		all = append(all, e.Name()+" "+to)
	}
	return all
}
