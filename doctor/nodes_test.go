package doctor

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"bitgate/internal/problem"
)

// Every node is looked at: one that the front has taken out, and one that is in
// maintenance, are named.
func TestNodes(t *testing.T) {
	for _, c := range []struct {
		out, maintenance map[string]bool
		level            problem.Level
		words            string
	}{
		{nil, nil, problem.OK, "one says RUNNING; two says RUNNING"},
		{map[string]bool{"two": true}, nil, problem.Warn, "two is not used by the front, which sends its users to one"},
		{nil, map[string]bool{"one": true}, problem.Warn, "one says MAINTENANCE"},
		{map[string]bool{"one": true, "two": true}, nil, problem.Fail, "one is not used"},
	} {
		f := good()
		f.handle["/bitbucket/status"] = func(w http.ResponseWriter, r *http.Request) {
			bound, err := r.Cookie("ROUTEID")
			state := "RUNNING"
			if err == nil && c.out[bound.Value] {
				other := "one"
				if bound.Value == "one" {
					other = "three"
				}
				http.SetCookie(w, &http.Cookie{Name: "ROUTEID", Value: other, Path: "/", Secure: true, HttpOnly: true})
			} else if err == nil && c.maintenance[bound.Value] {
				state = "MAINTENANCE"
			}
			fmt.Fprintf(w, `{"state":%q}`, state)
		}
		target := f.start(t)
		target.Nodes = []string{"one", "two"}
		wants(t, find(t, Run(context.Background(), target, nil), "nodes"), c.level, c.words)
	}
}
