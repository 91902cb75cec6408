package interview

import (
	"strings"
	"testing"
)

// TestTerms: every term is explained at some step, at most in two sentences, and
// the page of a question explains what its step is about.
func TestTerms(t *testing.T) {
	shown := map[string]bool{}
	for _, step := range append([]string{StepBitbucket, StepReview}, Steps...) {
		list := Terms(step)
		if len(list) == 0 {
			t.Errorf("nothing is explained at %q", step)
		}
		for _, term := range list {
			shown[term.Name] = true
			if n := strings.Count(term.Means+" ", ". "); n < 1 || n > 2 || len(term.Means) > 170 {
				t.Errorf("%s: %d sentences, %d characters: %q", term.Name, n, len(term.Means), term.Means)
			}
		}
	}
	for name := range terms {
		if !shown[name] {
			t.Errorf("%q is explained nowhere", name)
		}
	}
}
