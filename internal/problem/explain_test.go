package problem

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestExplain(t *testing.T) {
	inner := New("it refuses the file", "it was not put in place", "make a new plan")
	for _, c := range []struct {
		name string
		err  error
		want Explanation
	}{
		{"nothing", nil, Explanation{}},
		{"a foreign error", errors.New("broken pipe\n"), Explanation{Found: []string{"broken pipe"}}},
		{
			"a chain", Wrap(Wrap(inner, "the run was taken back", "", ""), "outermost", "", "see the log"),
			Explanation{
				Found: []string{"outermost", "the run was taken back", "it refuses the file"},
				Why:   []string{"it was not put in place"}, Do: []string{"see the log", "make a new plan"},
			},
		},
		{"a foreign cause", Wrap(errors.New("EOF"), "no answer", "w", "d"), Explanation{[]string{"no answer: EOF"}, []string{"w"}, []string{"d"}}},
		{
			"a foreign link between", Wrap(fmt.Errorf("step 3: %w", inner), "stopped", "", ""),
			Explanation{[]string{"stopped: step 3: it refuses the file"}, []string{"it was not put in place"}, []string{"make a new plan"}},
		},
		{
			"a join says nothing twice", errors.Join(inner, New("another", "it was not put in place", "d")),
			Explanation{[]string{"it refuses the file", "another"}, []string{"it was not put in place"}, []string{"make a new plan", "d"}},
		},
	} {
		if got := Explain(c.err); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestFindingText(t *testing.T) {
	for want, f := range map[string]Finding{
		"no place":               {Found: "no place"},
		"/f: the whole":          {Found: "the whole", File: "/f"},
		"/f, line 3: one line":   {Found: "one line", File: "/f", Line: 3},
		"Title: /f, line 3: its": {Title: "Title", Found: "its", File: "/f", Line: 3},
		"only a title":           {Title: "only a title"},
		"both alike":             {Title: "both alike", Found: "both alike"},
	} {
		if got := f.Err().Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
