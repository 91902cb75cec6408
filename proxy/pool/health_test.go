package pool

import (
	"testing"
	"time"
)

func TestHealthCountsAsHAProxy(t *testing.T) {
	o := Checks{Inter: 2 * time.Second, FastInter: time.Second, DownInter: 5 * time.Second, Rise: 2, Fall: 3}
	// + good check, - bad one; the state after each: U up, u up in doubt, D down, d down in doubt.
	for _, tt := range []struct{ checks, want string }{
		{"+---+-++", "UuuDdDdU"},
		{"-", "D"},
		{"-++", "DdU"},
		{"+--+--", "UuuUuu"}, // one good check forgives all
		{"-+-+-", "DdDdD"},   // one bad check, too
	} {
		h := NewHealth(o)
		if !h.Up() || h.Interval() != o.FastInter {
			t.Fatal("it must begin up and in doubt")
		}
		var got string
		for _, c := range tt.checks {
			before := h.Up()
			if changed := h.Observe(c == '+'); changed != (before != h.Up()) {
				t.Errorf("%s: change not told", tt.checks)
			}
			letter := map[time.Duration]string{o.Inter: "U", o.DownInter: "D", o.FastInter: "d"}[h.Interval()]
			if h.Up() && letter == "d" {
				letter = "u"
			}
			got += letter
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.checks, got, tt.want)
		}
	}
}

func TestIntervalsDefaultToInter(t *testing.T) {
	h := NewHealth(Checks{Inter: 7 * time.Second, Rise: 2, Fall: 3})
	for _, good := range []bool{true, false, false, false, true} {
		h.Observe(good)
		if h.Interval() != 7*time.Second {
			t.Errorf("%s", h.Interval())
		}
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   bool
	}{
		{200, `{"state":"RUNNING"}`, true},
		{204, "", true},
		{302, "", true},
		{503, `{"state":"STARTING"}`, false},
		{503, `{"state":"ERROR"}`, false},
		{503, "", false},
		{503, `{"state":"MAINTENANCE"}`, true},
		{503, `{"state":"FIRST_RUN"}`, true},
		{404, "", false},
		{500, "MAINTENANCE", false},
		{101, "", false},
		{0, "", false},
	} {
		if got := Judge(tt.status, []byte(tt.body)); got != tt.want {
			t.Errorf("%d %s: %v", tt.status, tt.body, got)
		}
	}
}
