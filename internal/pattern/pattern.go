// Package pattern makes regular expressions and sets of words that cost nothing until
// they are used. There are many in bitgate and every command, the proxy above all, would
// pay for all of them at its start: a millisecond and half a megabyte.
package pattern

import (
	"regexp"
	"strings"
	"sync"
)

// Lazy is regexp.MustCompile at the first call: it panics then if expr is wrong.
func Lazy(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// Words is the set of the words of text, made at the first call.
func Words(text string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		all := map[string]bool{}
		for w := range strings.FieldsSeq(text) {
			all[w] = true
		}
		return all
	})
}
