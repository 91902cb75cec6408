package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestNetrc: the files that curl's manual shows, comments and quotes included; a
// default is nobody's.
func TestNetrc(t *testing.T) {
	n := parseNetrc([]byte("# for verify\nmachine JIRA.example.com login admin password s3cret#1\n" +
		"machine ci.example.com\n\tlogin \"two words\"\n\taccount x\n\tpassword \"a \\\" b\"\n" +
		"macdef init\nmachine no.example.com login x password y\n\nmachine half.example.com login x\ndefault login anonymous password me@example.com"))
	var got []string
	for host, l := range n {
		got = append(got, host+" "+l.user+" "+string(l.password.Reveal()))
	}
	slices.Sort(got)
	want := []string{"ci.example.com two words a \" b", "jira.example.com admin s3cret#1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if text := n.String(); strings.Contains(text, "s3cret") {
		t.Errorf("it prints as %q", text)
	}
	n.wipe()
	if l := n[slices.Collect(maps.Keys(n))[0]]; len(l.password.Reveal()) != 0 {
		t.Error("a password is left")
	}
}
