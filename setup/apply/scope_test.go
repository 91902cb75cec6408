package apply_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/detect"
)

// Facts hold for the answers they were gathered for. With others, a certificate for
// another name was put in place, and a bundle that nobody had looked for was "changed
// by somebody else", after a restart.
func TestFactsOfOtherAnswersAreRefused(t *testing.T) {
	for _, front := range []string{setup.FrontBuiltin, setup.FrontHAProxy} {
		m := newMachine(t, "9.4.16", front, bitbuckettest.Options{})
		other := func(change func(*setup.Answers)) setup.Answers {
			a := m.Probe.Input
			change(&a)
			return a
		}
		for name, input := range map[string]setup.Answers{
			"no URL yet": other(func(a *setup.Answers) { a.URL = publicurl.URL{} }),
			"another host": other(func(a *setup.Answers) {
				if err := a.URL.UnmarshalText([]byte("https://code.example.com")); err != nil {
					t.Fatal(err)
				}
			}),
			"another certificate": other(func(a *setup.Answers) { a.Key = filepath.Join(m.Dir, "tls/ca.pem") }),
			"another front": other(func(a *setup.Answers) {
				a.Front = map[string]string{setup.FrontBuiltin: setup.FrontHAProxy, setup.FrontHAProxy: setup.FrontBuiltin}[front]
			}),
			"another proxy.yaml":  other(func(a *setup.Answers) { a.ProxyConfig = filepath.Join(m.Dir, "other/proxy.yaml") }),
			"another haproxy.cfg": other(func(a *setup.Answers) { a.HAProxyCfg = filepath.Join(m.Dir, "other/haproxy.cfg") }),
			"nodes":               other(func(a *setup.Answers) { a.Nodes = []string{"one=127.0.0.1:7990"} }),
		} {
			probe := m.Probe
			probe.Input = input
			f, err := detect.Facts(context.Background(), probe)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a, _ := setup.Resolve(f, m.Probe.Input, nil)
			if _, err := setup.Build(f, a); err == nil || !strings.Contains(err.Error(), "looked at for another") {
				t.Errorf("%s, %s: %v", front, name, err)
			}
		}
		if f, p := m.plan(); p.Empty() || f.Scope == nil {
			t.Errorf("%s: with the facts of its own answers nothing is planned", front)
		}
	}
}
