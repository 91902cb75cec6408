package main

import (
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/internal/sockets"
	"bitgate/setup"
)

// The name of the front is this machine's where any address of its own is found, also
// the 127.0.1.1 that Debian's installer writes.
func TestNameOfThisMachine(t *testing.T) {
	tests := map[string]string{"127.0.0.1": "this machine itself", "127.0.1.1": "this machine itself", "[::1]": "this machine itself", "192.0.2.77": "not an address of this machine"}
	mine, err := sockets.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range mine {
		if ip.Is4() && !ip.IsLoopback() {
			tests[ip.String()] = "resolves to this machine"
		}
	}
	for host, want := range tests {
		var a setup.Answers
		if err := a.URL.UnmarshalText([]byte("https://" + host)); err != nil {
			t.Fatal(err)
		}
		if f := checkName(t.Context(), a); !strings.Contains(f.Found, want) || f.Level == problem.Warn {
			t.Errorf("%s: %+v", host, f)
		}
	}
}
