package architecture_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const suite = module + "internal/peers.Suite"

// TestSuites: the tests of a package that may start a process run in a
// peers.Suite, which finds what they leave behind.
func TestSuites(t *testing.T) {
	for _, v := range withoutSuite(sources(t)) {
		t.Errorf("the tests of %s may start processes: TestMain must run them in a peers.Suite", v)
	}
}

func TestSuitesRuleCanFail(t *testing.T) {
	var files []file
	for name, src := range map[string]string{
		"starter/a.go":      `import "bitgate/internal/child"`,
		"user/a.go":         `import "bitgate/starter"`,
		"user/a_test.go":    `import "testing"`,
		"direct/a_test.go":  `import "os/exec"`,
		"pure/a_test.go":    `import "testing"`,
		"pure/a.go":         `import "strings"`,
		"guarded/a_test.go": `import ("os/exec"; "bitgate/internal/peers"); var _ = peers.Suite{}`,
	} {
		f, err := parse(name, []byte("package a; "+src))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if got := strings.Join(withoutSuite(files), " "); got != "direct user" {
		t.Errorf("without a suite: %q", got)
	}
}

// withoutSuite returns the packages whose tests may start processes, themselves
// or through what they import, outside a suite.
func withoutSuite(files []file) []string {
	starts := map[string]bool{"os/exec": true, module + "internal/child": true, module + "internal/peers": true}
	for again := true; again; { // until nothing new is found
		again = false
		for _, f := range files {
			if slices.Contains(pure, f.Package) {
				continue // it uses types of what it imports
			}
			if name := module + f.Package; !f.Test && !starts[name] && slices.ContainsFunc(f.Imports, func(i use) bool { return starts[i.Name] }) {
				starts[name], again = true, true
			}
		}
	}
	may, has := map[string]bool{}, map[string]bool{module + "internal/peers": true} // its own is called Suite alone
	for _, f := range files {
		if !f.Test {
			continue
		}
		name := module + f.Package
		may[name] = may[name] || starts[name] || slices.ContainsFunc(f.Imports, func(i use) bool { return starts[i.Name] })
		has[name] = has[name] || slices.ContainsFunc(f.Uses, func(u use) bool { return u.Name == suite })
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(may)) {
		if may[name] && !has[name] {
			found = append(found, strings.TrimPrefix(name, module))
		}
	}
	return found
}
