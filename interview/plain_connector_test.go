package interview

import (
	"testing"

	"bitgate/setup"
)

// Where Bitbucket's only connector terminates TLS, whether it is kept, with a plain one
// beside it, is a question, and yes is suggested; where there is a plain one it is none.
func TestPlainConnectorIsOffered(t *testing.T) {
	q, ok := Find("own-tls")
	if !ok {
		t.Fatal("no such question")
	}
	tls := setup.Facts{OwnTLS: setup.Known{Value: "true", Set: true, Why: "server.ssl.enabled=true"}, Port: setup.Known{Value: "8443", Set: true}}
	plain := tls
	plain.PlainPort = "7991"
	for name, c := range map[string]struct {
		facts setup.Facts
		front string
		asked bool
	}{
		"TLS alone":            {tls, setup.FrontHAProxy, true},
		"TLS alone, no front":  {tls, setup.FrontTomcat, false},
		"a plain one beside":   {plain, setup.FrontHAProxy, false},
		"plain, as it is new":  {setup.Facts{}, setup.FrontHAProxy, false},
		"TLS alone, a builtin": {tls, setup.FrontBuiltin, true},
	} {
		iv := &Interview{Facts: c.facts, Answers: setup.Answers{Front: c.front}}
		if got := q.when(iv); got != c.asked {
			t.Errorf("%s: asked: %t", name, got)
		}
		if c.asked && q.show(c.facts, iv.Answers) != setup.TLSKeep {
			t.Errorf("%s: %q is suggested", name, q.show(c.facts, iv.Answers))
		}
	}
	a, _ := setup.Resolve(tls, setup.Answers{OwnTLS: setup.TLSKeep}, nil)
	if a.Upstream != "http://127.0.0.1:7991" {
		t.Errorf("the front is led to %s", a.Upstream)
	}
}
