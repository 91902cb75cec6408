package haproxy

import (
	"strings"
	"testing"
)

// sharedWith is a section that has the port, with other lines behind it.
func sharedWith(bind string) string {
	return "defaults\n  mode http\nfrontend www\n  bind *:443 ssl crt /a.pem\n" + bind + "  default_backend x\nbackend x\n"
}

// What names our certificate without us keeps it, whatever runs and undoes follow.
func TestCertificateOfOthersStays(t *testing.T) {
	const ours = "/etc/haproxy/bitgate.pem"
	for name, text := range map[string]string{
		"another section":             sharedWith("") + "frontend b2b\n  bind *:9443 ssl crt /b.pem crt " + ours + "\n",
		"another section, only one":   sharedWith("") + "frontend b2b\n  bind *:9443 ssl crt " + ours + "\n",
		"another port of the section": sharedWith("  bind *:9443 ssl crt /b.pem crt " + ours + "\n"),
		"the port, at an address":     sharedWith("  bind 192.0.2.1:443 ssl crt " + ours + " alpn h2\n"),
		"the port, before the others": strings.Replace(sharedWith(""), "  bind", "  bind [::]:443 v6only ssl crt "+ours+" crt /c.pem\n  bind", 1),
		"a longer path":               sharedWith("  bind *:8443 ssl crt " + ours + ".ecdsa\n"),
		"a longer path alone":         strings.Replace(sharedWith(""), "/a.pem", ours+".ecdsa", 1),
		"a comment":                   sharedWith("  bind *:8443 ssl crt /b.pem # was: crt " + ours + "\n"),
		"a comment of the line":       strings.Replace(sharedWith(""), "/a.pem", "/a.pem # was: crt "+ours, 1),
		"a server":                    strings.Replace(sharedWith(""), "frontend www", "listen www", 1) + "listen b\n  server b 192.0.2.2:443 ssl crt " + ours + "\n",
		"quoted":                      sharedWith("  bind *:9443 ssl crt \"" + ours + "\" crt /b.pem\n"),
	} {
		s := site(t, nil)
		m, err := merge(t, text, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Run(name, func(t *testing.T) { reversible(t, []byte(text), m, s) })
		for line := range strings.SplitSeq(string(m.After), "\n") {
			if strings.Contains(line, certificates) && Shown(line) != line {
				t.Errorf("%s: our own line is shown as %q", name, Shown(line))
			}
		}
		// The administrator writes on in the line that we added to.
		edited := strings.Replace(string(m.After), "bind *:443 ssl", "bind *:443 name tls ssl", 1)
		if back, err := Remove(Source{Path: cfg, Data: []byte(edited)}); err != nil || string(back.After) != strings.Replace(text, "bind *:443 ssl", "bind *:443 name tls ssl", 1) {
			t.Errorf("%s: with an edited line Remove gives\n%s%v", name, back.After, err)
		}
	}
}

// Two lines that are the same once ours are there are told apart by their order.
func TestCertificateOfTheSameLine(t *testing.T) {
	lines := []string{"  bind *:443 ssl crt /a.pem crt /etc/haproxy/bitgate.pem\n", "  bind *:443 ssl crt /a.pem\n"}
	for _, text := range []string{lines[0] + lines[1], lines[1] + lines[0]} {
		text = strings.Replace(sharedWith(""), lines[1], text, 1)
		m, err := merge(t, text, site(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		reversible(t, []byte(text), m, site(t, nil))
	}
}

// A bind that the administrator gives our certificate after a run is theirs.
func TestCertificateUsedAfterARun(t *testing.T) {
	s := site(t, nil)
	m, err := merge(t, sharedWith(""), s)
	if err != nil {
		t.Fatal(err)
	}
	const more = "  bind *:9443 ssl crt /etc/haproxy/bitgate.pem\n"
	for _, at := range []string{"  bind *:443", "  default_backend x", "  use_backend b2b\nbackend x"} {
		put := func(text string) string {
			text = strings.Replace(text, "\nbackend x", "\nfrontend b2b\n  use_backend b2b\nbackend x", 1)
			return strings.Replace(text, at, more+at, 1)
		}
		again, err := merge(t, put(string(m.After)), s)
		if err != nil || !strings.Contains(string(again.After), more) {
			t.Errorf("before %q: %v\n%s", at, err, again.After)
		}
		if back, err := Remove(Source{Path: cfg, Data: again.After}); err != nil || string(back.After) != put(sharedWith("")) {
			t.Errorf("before %q Remove gives\n%s%v", at, back.After, err)
		}
	}
}

// A comment that only begins as our own lines end makes a line of nobody's ours.
func TestCommentsLikeOurMark(t *testing.T) {
	for _, comment := range []string{lineMark + "s follow", lineMark + " is the next", lineMark + ": not this one", "# no " + lineMark[2:]} {
		text := strings.Replace(shared, "    default_backend", "    http-request deny if { path /bad } "+comment+"\n    default_backend", 1)
		m, err := merge(t, text, site(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		reversible(t, []byte(text), m, site(t, nil))
		if back, err := Remove(Source{Path: cfg, Data: []byte(text)}); err != nil || string(back.After) != text {
			t.Errorf("%s: %v\n%s", comment, err, back.After)
		}
	}
}
