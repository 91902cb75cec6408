package pool

import (
	"strings"
	"testing"
)

func TestCookieTake(t *testing.T) {
	c := Cookie{Name: "NODE"}
	for _, tt := range []struct {
		header, value, rest string
		found               bool
	}{
		{"", "", "", false},
		{"a=1", "", "a=1", false},
		{"NODE=n1", "n1", "", true},
		{"NODE=n1; a=1", "n1", "a=1", true},
		{"a=1; NODE=n1", "n1", "a=1", true},
		{"a=1; NODE=n1; b=\"x y\"", "n1", "a=1; b=\"x y\"", true},
		{"NODE=n1; NODE=n2", "n1", "", true}, // the first counts, none is passed on
		{"XNODE=1; NODEX=2; node=3", "", "XNODE=1; NODEX=2; node=3", false},
		{`NODE="n1";a=1`, "n1", "a=1", true},
		{"NODE", "", "", true},
		{"NODE=a=b", "a=b", "", true},
		{"a=1;NODE = n1 ;b=2", "n1", "a=1;b=2", true},
	} {
		value, rest, found := c.Take(tt.header)
		if value != tt.value || rest != tt.rest || found != tt.found {
			t.Errorf("%q: %q, %q, %v", tt.header, value, rest, found)
		}
	}
}

// What Set gives comes back through Take.
func TestCookieRoundTrip(t *testing.T) {
	c := Cookie{Name: "NODE"}
	pair, attributes, _ := strings.Cut(c.Set("n1"), ";")
	if value, _, _ := c.Take(pair); value != "n1" {
		t.Errorf("%q", value)
	}
	if attributes != " path=/; HttpOnly; Secure" {
		t.Errorf("%q", attributes)
	}
}

// FuzzCookieTake: what is left never holds the cookie, and nothing is invented.
func FuzzCookieTake(f *testing.F) {
	for _, seed := range []string{"", "NODE=n1; a=1", "a=1;;NODE;b", "NODE=\"x;y\""} {
		f.Add(seed)
	}
	c := Cookie{Name: "NODE"}
	f.Fuzz(func(t *testing.T, header string) {
		_, rest, found := c.Take(header)
		if !found && rest != header {
			t.Errorf("%q became %q", header, rest)
		}
		if _, again, found := c.Take(rest); found || again != rest {
			t.Errorf("%q still holds the cookie", rest)
		}
		if len(rest) > len(header) {
			t.Errorf("%q grew to %q", header, rest)
		}
	})
}
