package splice

import (
	"encoding/json"
	"testing"
)

func TestApply(t *testing.T) {
	src := []byte("port=7990\nsecret=x\n")
	out, err := Apply(src, []Splice{{Offset: 5, Old: "7990", New: "80"}, {Offset: 10, Old: "", New: "a=b\n"}})
	if err != nil || string(out) != "port=80\na=b\nsecret=x\n" {
		t.Errorf("got %q, %v", out, err)
	}
	for name, bad := range map[string][]Splice{
		"other bytes":  {{Offset: 5, Old: "7991", New: "80"}},
		"out of range": {{Offset: 100, Old: "x"}},
		"out of order": {{Offset: 5, Old: "7990"}, {Offset: 6, Old: "990"}},
		"negative":     {{Offset: -1, Old: ""}},
	} {
		if _, err := Apply(src, bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestJSONKeepsEveryByte(t *testing.T) {
	for _, s := range []Splice{{Offset: 3, Old: "a\r\nb", New: "ü\x00"}, {Offset: 0, Old: "\xe4\xff", New: "plain"}, Splice{Offset: 1, Old: "a\nb", New: "c"}.Untold()} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Splice
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%+v -> %s -> %+v, %v", s, text, back, err)
		}
	}
}

// TestUntold: an edit that does not tell what it replaces is the same edit.
func TestUntold(t *testing.T) {
	src := []byte("port=7990\nsecret=x\nlast\n")
	s := Splice{Offset: 10, Old: "secret=x\nla", New: "a=b\nfir"}
	u := s.Untold()
	told, err := Apply(src, []Splice{s})
	if err != nil {
		t.Fatal(err)
	}
	untold, err := Apply(src, []Splice{u})
	if err != nil || string(untold) != string(told) || u.Old != "" || u.Lines != 2 {
		t.Errorf("%+v: %q, %v; not %q", u, untold, err, told)
	}
	if _, err := Apply(src[:12], []Splice{u}); err == nil {
		t.Error("beyond the end: no error")
	}
}
