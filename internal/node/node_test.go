package node

import (
	"strings"
	"testing"
)

func TestParseAll(t *testing.T) {
	good := []string{"node1=10.0.0.1:7990", "b_2=git-2.example.com:7990", "C=[2001:db8::1]:7991"}
	nodes, err := ParseAll(good)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if n.String() != good[i] {
			t.Errorf("%q was read as %q", good[i], n)
		}
	}
	if got := nodes[2].At(":7999"); got != "[2001:db8::1]:7999" {
		t.Errorf("its SSH server: %s", got)
	}
}

// Each refusal says what is wrong with it and how it is written right.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:7990":                         "NAME=HOST:PORT",
		"=10.0.0.1:7990":                        `the name ""`,
		"a b=10.0.0.1:7990":                     `the name "a b"`,
		"a#=10.0.0.1:7990":                      "letters, digits",
		"knötchen=10.0.0.1:7990":                "letters, digits",
		strings.Repeat("n", 65) + "=10.0.0.1:1": "up to 64",
		"a=10.0.0.1":                            "not HOST:PORT",
		"a=:7990":                               "not HOST:PORT",
		"a=http://10.0.0.1:7990":                "neither an IP address nor a host name",
		"a=10.0.0.1:0":                          "port from 1 to 65535",
		"a=10.0.0.1:65536":                      "port from 1 to 65535",
		"a=10.0.0.1:http":                       "port from 1 to 65535",
		"a=10.0.0.1:07990":                      "port from 1 to 65535",
		"a=2001:db8::1":                         "brackets and a port: [2001:db8::1]:PORT",
		"a=[git.example.com]:7990":              "neither an IP address nor a host name",
		"a=git example:7990":                    "neither an IP address nor a host name",
		"a=[fe80::1%eth0]:7990":                 "zone",
		"a=h check\nserver b:1":                 "neither an IP",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	for want, texts := range map[string][]string{
		"repeats the name a of":                 {"a=h:1", "a=h:2"},
		"repeats the address git.example.com:1": {"a=git.example.com:1", "b=GIT.example.com:1"},
	} {
		if _, err := ParseAll(texts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", texts, err, want)
		}
	}
}
