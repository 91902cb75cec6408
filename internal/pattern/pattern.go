// Package pattern makes regular expressions that cost nothing until they are
// used. There are many in bitgate and every command, the proxy above all, would
// pay for all of them at its start: a millisecond and half a megabyte.
package pattern

import (
	"regexp"
	"sync"
)

// Lazy is regexp.MustCompile at the first call: it panics then if expr is wrong.
func Lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
