package torture

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// killer is a HAProxy that kills who asks it about a configuration: at the
// question whose number stands in the file.
const killer = `#!/bin/sh
if [ "$1" = -c ]; then
	echo asked >>%[1]s
	[ "$(wc -l <%[1]s)" != "$(cat %[2]s)" ] || kill -KILL $PPID
fi
exec %[3]s "$@"
`

// A run that is killed while HAProxy judges the new configuration, with the new
// key in it, leaves no copy of either.
func TestKilledWhileHAProxyChecks(t *testing.T) {
	needRoot(t)
	t.Parallel()
	m := newMachine(t, propertiesGeneration, haproxy, options{})
	canaries, before := m.canaries(t), m.tree(t)
	asked, at := m.path("asked"), m.path("at")
	m.write(t, "killer", fmt.Appendf(nil, killer, asked, at, peers.Path(t, "haproxy")), 0o755)
	killed := 0
	for n := 1; ; n++ {
		m.write(t, "asked", nil, 0o600)
		m.write(t, "at", fmt.Appendln(nil, n), 0o600)
		o := m.bitgate(t, m.job("apply", "--haproxy-bin", m.path("killer"))...)
		if o.Code == 0 {
			break
		}
		text, err := os.ReadFile(asked)
		must(t, err)
		if questions := strings.Count(string(text), "asked"); o.Code != -1 || questions != n {
			t.Fatalf("not killed at question %d but after %d: %s", n, questions, o)
		}
		killed++
		m.searchFiles(t, fmt.Sprint("a kill at question ", n), canaries)
		if o := m.bitgate(t, m.back("recover")...); o.Code != 0 {
			t.Errorf("recover after question %d: %s", n, o)
		}
		for _, path := range m.leftovers(t) {
			t.Errorf("after question %d %s was left", n, path)
		}
		same(t, fmt.Sprint("recover after question ", n), m.tree(t), before)
	}
	if killed < 2 { // the plan's files, and the file to be put in place
		t.Errorf("HAProxy was asked only %d times", killed)
	}
	t.Logf("killed at each of %d questions to HAProxy: no copy and no key was left", killed)
}
