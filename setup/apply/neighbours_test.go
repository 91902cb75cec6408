package apply_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// What others are answered is asked before and after the reload: a run after which their
// clients get something else is taken back, one after which a page reads otherwise says so.
func TestNeighboursAreAskedAgain(t *testing.T) {
	t.Parallel()
	m := newMachine(t, generations[1], setup.FrontHAProxy, bitbuckettest.Options{})
	cfg := m.Probe.Input.HAProxyCfg
	data, err := os.ReadFile(cfg)
	m.must(err)
	_, address, _ := strings.Cut(string(data), "bind ")
	address, _, _ = strings.Cut(address, "\n")
	head, _, _ := strings.Cut(string(data), "    http-request return")
	m.must(os.WriteFile(cfg, []byte(head+`    http-request return status 200 content-type text/plain string wiki if { hdr(host) -i wiki.example.com } { path_beg /page }
    http-request redirect location https://portal.example.com/ if { hdr(host) -i portal.example.com }
    http-request return status 200 content-type text/plain string "other site"
`), 0o640))
	m.must(m.reloadHAProxy())

	good, err := os.ReadFile(cfg)
	m.must(err)
	run := func(more string) (setup.Result, []string, error) {
		t.Helper()
		p := m.checked()
		if more != "" {
			p = with(t, p, cfg, good, more)
		}
		var said []string
		a := m.applier()
		a.Notify = func(e setup.Event) { said = append(said, e.Title) }
		r, err := a.Apply(t.Context(), p)
		return r, said, err
	}
	rival := func(answers string) string {
		return fmt.Sprintf("frontend rival\n    mode http\n    bind %s\n    timeout client 5s\n    %s\n", address, answers)
	}

	_, _, err = run(rival("http-request deny deny_status 404"))
	var told *problem.Error
	if !errors.As(err, &told) || told.Kind != problem.TakenBack || !strings.Contains(err.Error(), "others are not answered as before the reload") || !strings.Contains(err.Error(), "and now 404") {
		t.Errorf("others get what is not meant for them: %v", err)
	}
	if now, err := os.ReadFile(cfg); err != nil || string(now) != string(good) {
		t.Errorf("the file is not what it was (%v)", err)
	}

	r, said, err := run(rival(`http-request redirect location https://portal.example.com/ if { hdr(host) -i portal.example.com }
    http-request return status 200 content-type text/plain string "another page"`))
	if err != nil || !slices.ContainsFunc(r.Notes, func(f problem.Finding) bool { return f.ID == "neighbours" && strings.Contains(f.Found, "another page") }) {
		t.Errorf("another page: %v %+v", err, r.Notes)
	}
	if !slices.ContainsFunc(said, func(title string) bool {
		return strings.HasSuffix(title, " of others are answered as before the reload")
	}) {
		t.Errorf("nobody was asked again: %q", said)
	}
}
