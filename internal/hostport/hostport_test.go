package hostport

import (
	"net"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Addr{
		":443":                   {"", 443},
		"*:443":                  {"", 443},
		":0":                     {"", 0},
		"192.0.2.7:443":          {"192.0.2.7", 443},
		"0.0.0.0:443":            {"0.0.0.0", 443},
		"[::]:443":               {"::", 443},
		"[2001:DB8:0::1]:7990":   {"2001:db8::1", 7990},
		"[fe80::1%eth0]:22":      {"fe80::1%eth0", 22},
		"[::ffff:192.0.2.1]:22":  {"::ffff:192.0.2.1", 22},
		"Git-1.example.com:7999": {"git-1.example.com", 7999},
		"git.example.com.:7999":  {"git.example.com.", 7999},
		"node_1:65535":           {"node_1", 65535},
		"1a:80":                  {"1a", 80},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "443", "git.example.com", "::1", "[::1]", "::1:443", ":::443", "[::1:443", "::1]:443", "[]:443", "[*]:443",
		"[192.0.2.7]:443", "[git]:443", ":65536", ":-1", ":+1", ":0443", ":https", ":", "a b:443", "a/b:443", "a@b:443",
		"a\n:443", "a:\n443", "[[::1]]:443", "300.0.2.7:443", "192.0.2:443", "1:443", ".:443", "é.example:443", "$HOST:443", "a,b:443", "**:443",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
	}
}

func TestListenAndDial(t *testing.T) {
	for text, want := range map[string]struct{ listen, dial bool }{
		":443": {true, false}, "*:443": {true, false}, "127.0.0.1:443": {true, true}, "[::1]:443": {true, true},
		"localhost:443": {true, true}, ":0": {false, false}, "localhost:0": {false, false}, "localhost": {false, false},
	} {
		if _, err := Listen(text); (err == nil) != want.listen {
			t.Errorf("Listen(%q): %v", text, err)
		}
		if _, err := Dial(text); (err == nil) != want.dial {
			t.Errorf("Dial(%q): %v", text, err)
		}
	}
}

// TestOverlapsIsWhatTheSystemSays binds each pair: what we call free must bind,
// and what cannot be bound we call taken.
func TestOverlapsIsWhatTheSystemSays(t *testing.T) {
	hosts := []string{"", "*", "0.0.0.0", "127.0.0.1", "127.0.0.2", "[::]", "[::1]"}
	for _, first := range hosts {
		free, err := Parse(first + ":0")
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen(free.Network(), free.String())
		if err != nil {
			t.Fatal(err)
		}
		a := Addr{free.Host, l.Addr().(*net.TCPAddr).Port}
		for _, second := range hosts {
			b, err := Parse(second + ":1")
			if err != nil {
				t.Fatal(err)
			}
			b.Port = a.Port
			l2, err := net.Listen(b.Network(), b.String())
			if err == nil {
				l2.Close()
			}
			if overlap := a.Overlaps(b); overlap != (err != nil) || overlap != b.Overlaps(a) {
				t.Errorf("%s and %s: Overlaps = %v, but binding both says %v", a, b, overlap, err)
			}
		}
		conn, err := net.Dial("tcp", a.Local().String())
		if err != nil {
			t.Errorf("%s is not reached at %s: %v", a, a.Local(), err)
		} else {
			conn.Close()
		}
		l.Close()
	}
	if !(Addr{"git.example.com", 443}).Overlaps(Addr{"192.0.2.1", 443}) || (Addr{"a", 443}).Overlaps(Addr{"a", 444}) {
		t.Error("a name may be any address, another port never")
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{":443", "*:443", "[::1]:443", "git.example.com:7999", "[fe80::1%eth0]:22", "::1", "[::ffff:1.2.3.4]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(a.String()); err != nil || again != a {
			t.Fatalf("Parse(%q) = %+v, and its own spelling %q is read as %+v, %v", text, a, a.String(), again, err)
		}
		host, port, err := net.SplitHostPort(a.String())
		if err != nil || host != a.Host || port == "" {
			t.Fatalf("package net reads %q as %q, %q, %v", a.String(), host, port, err)
		}
		if l := a.Local(); l.Wildcard() || !a.Overlaps(l) || !a.Overlaps(a) {
			t.Fatalf("%+v, local %+v", a, l)
		}
	})
}
