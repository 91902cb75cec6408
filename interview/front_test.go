package interview

import (
	"slices"
	"strings"
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// Whoever chooses to do without a front is told what is lost, is not asked about what
// only a front does, and leaves no answer behind that only a front can keep.
func TestWithoutAFront(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	iv := New(Machine{Resolve: setup.Resolve}, setup.Answers{URL: url}, nil, nil)
	iv.Found(setup.Facts{ContextPath: setup.Known{Set: true}})
	asked := func() []string {
		var out []string
		for _, q := range questions {
			if iv.Open(q) {
				out = append(out, q.ID)
			}
		}
		return out
	}
	answer := func(id, text string) {
		t.Helper()
		q, ok := Find(id)
		if !ok {
			t.Fatalf("there is no question %s", id)
		}
		if err := iv.Answer(q, text); err != nil {
			t.Fatal(err)
		}
	}
	answer("redirect-old-path", "yes")
	if iv.Answers.RedirectOldPath != "/" || !slices.Contains(asked(), "ssh") {
		t.Fatalf("a front is not asked about: %v %q", asked(), iv.Answers.RedirectOldPath)
	}
	answer("front", setup.FrontTomcat)
	if got := asked(); slices.Contains(got, "ssh") || slices.Contains(got, "redirect-old-path") || iv.Answers.RedirectOldPath != "" {
		t.Errorf("without a front these are asked: %v, and the old path is %q", got, iv.Answers.RedirectOldPath)
	}
	for _, f := range pathAdvice(iv.Facts, iv.Answers) {
		if strings.Contains(f.Do, "offers") || strings.Contains(f.Do, "than the front") {
			t.Errorf("without a front the old path's way out is %q", f.Do)
		}
	}
	q, _ := Find("front")
	var said strings.Builder
	for _, f := range Advice(q, iv.Facts, iv.Answers) {
		said.WriteString(f.Found + " " + f.Do + "\n")
	}
	for _, lost := range []string{"only after Bitbucket was restarted", "below 1024", "https://git.example.com:8443", "SSH is not forwarded"} {
		if !strings.Contains(said.String(), lost) {
			t.Errorf("it is not said that %q:\n%s", lost, said.String())
		}
	}
	answer("front", setup.FrontBuiltin)
	if !slices.Contains(asked(), "ssh") {
		t.Error("a front that was chosen after all is not asked about")
	}
}

// No more requests at a time are taken than the front that was chosen passes on.
func TestMaxConnOfTheFront(t *testing.T) {
	q, _ := Find("maxconn")
	for front, most := range map[string]string{setup.FrontHAProxy: "100000", setup.FrontBuiltin: "10000"} {
		iv := &Interview{Answers: setup.Answers{Front: front}}
		if _, err := iv.candidate(q, most); err != nil {
			t.Errorf("%s: %v", front, err)
		}
		if _, err := iv.candidate(q, most+"0"); err == nil || !strings.Contains(err.Error(), most+",") && !strings.Contains(err.Error(), "and "+most) {
			t.Errorf("%s: %v", front, err)
		}
	}
}
