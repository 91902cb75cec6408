package haproxy

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// reversible checks what must hold for every merge: the splices are the change,
// a second merge changes nothing, and Remove gives the original back.
func reversible(t *testing.T, data []byte, m Merged, s Site) {
	t.Helper()
	applied, err := splice.Apply(data, m.Splices)
	if err != nil || !bytes.Equal(applied, m.After) {
		t.Errorf("the splices do not make the file: %v", err)
	}
	again, err := Merge([]Source{{Path: m.Path, Data: m.After}}, s)
	if err != nil || len(again.Splices) > 0 || !bytes.Equal(again.After, m.After) {
		t.Errorf("a second merge changes the file: %v, %+v", err, again.Splices)
	}
	back, err := Remove(Source{Path: m.Path, Data: m.After})
	if err != nil || !bytes.Equal(back.After, data) {
		t.Errorf("Remove gives %q (%v), not %q", back.After, err, data)
	}
	if applied, err := splice.Apply(m.After, back.Splices); err != nil || !bytes.Equal(applied, back.After) {
		t.Errorf("the splices of Remove do not make its file: %v", err)
	}
	if last := m.After[len(m.After)-1]; last != '\n' {
		t.Errorf("the merged file ends in %q; HAProxy 2.3 refuses that", last)
	}
}

func TestMergeFixtures(t *testing.T) {
	for name, text := range fixtures {
		t.Run(name, func(t *testing.T) {
			m, err := merge(t, text, site(t, nil))
			if err != nil {
				t.Fatal(err)
			}
			reversible(t, []byte(text), m, site(t, nil))
			if crlf := strings.Contains(name, "crlf"); crlf != !bytes.Contains(bytes.ReplaceAll(m.After, []byte("\r\n"), nil), []byte("\n")) {
				t.Errorf("line ends are mixed:\n%q", m.After)
			}
			complete := bytes.Contains(m.After, []byte("user haproxy"))
			if want := name == "empty" || name == "comments only" || name == "cr alone" || name == "nul"; complete != want {
				t.Errorf("complete file %t, want %t", complete, want)
			}
		})
	}
}

func TestMergeCorpus(t *testing.T) {
	files := corpus()
	if len(files) == 0 {
		t.Skip("SKIPPED: no real haproxy.cfg files here; set BITGATE_CORPUS")
	}
	s := site(t, nil)
	alone, joined, refused := 0, 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src := Source{Path: filepath.Base(file), Data: data}
		adopting := site(t, func(s *Site) { s.RedirectListen, s.Adopt = []string{":80"}, true })
		if m, err := Merge([]Source{src}, adopting); err == nil {
			reversible(t, data, m, adopting)
		}
		m, err := Merge([]Source{src}, s)
		if err != nil {
			refused++
			var p *problem.Error
			if !errors.As(err, &p) || p.Why == "" || p.Do == "" || !strings.Contains(p.Found, "line ") {
				t.Errorf("%s: %v does not say where, why and what to do", src.Path, err)
			}
			t.Logf("%-72s refused: %s", src.Path, strings.TrimPrefix(err.Error(), src.Path+", "))
			continue
		}
		reversible(t, data, m, s)
		free := len(ParseSet([]Source{src}).Takers(":443")) == 0
		if inside := bytes.Contains(m.After, []byte(lineMark)); inside == free {
			t.Errorf("%s: port free %t, rules in the administrator's sections %t", src.Path, free, inside)
		}
		if free {
			alone++
			t.Logf("%-72s merged: nobody binds the port", src.Path)
			continue
		}
		joined++
		t.Logf("%-72s merged into the section that binds the port", src.Path)
		for _, note := range m.Notes {
			t.Logf("    %s", strings.TrimPrefix(note, src.Path+", "))
		}
	}
	t.Logf("%d files: %d merged beside, %d merged into a section, %d refused; all restored", len(files), alone, joined, refused)
	if refused > 10 {
		t.Errorf("%d files are refused, at most 10 may be", refused)
	}
}

func TestMergeStandsBeforeTheDefaults(t *testing.T) {
	m, err := merge(t, fixtures["usual"], site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	text := string(m.After)
	global, ours, defaults := strings.Index(text, "daemon"), strings.Index(text, beginMark), strings.Index(text, "\ndefaults\n")
	if global > ours || ours > defaults {
		t.Errorf("ours are at %d, global at %d, defaults at %d", ours, global, defaults)
	}
	m, err = merge(t, fixtures["conditional"], site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(m.After); strings.Index(text, beginMark) > strings.Index(text, ".if") {
		t.Error("ours stand under a condition")
	}
}

func TestMergeWithoutALogTarget(t *testing.T) {
	m, err := merge(t, "global\n  daemon\n", site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.After, []byte("log global")) || !strings.Contains(strings.Join(m.Notes, "\n"), "not logged") {
		t.Errorf("HAProxy warns about a log option without a log target; notes %q", m.Notes)
	}
}

func TestMergeTakesOverChanges(t *testing.T) {
	before := fixtures["no newline"]
	m, err := merge(t, before, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	// The administrator writes on below, then the upstream moves.
	grown := string(m.After) + "listen more\n    bind :8081\n"
	moved := site(t, func(s *Site) { s.Upstream = "127.0.0.1:17990" })
	m, err = merge(t, grown, moved)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(m.After), "127.0.0.1:17990") || strings.Contains(string(m.After), "127.0.0.1:7990") {
		t.Error("the old upstream is still there")
	}
	back, err := Remove(Source{Path: cfg, Data: m.After})
	if want := before + "\n" + "listen more\n    bind :8081\n"; err != nil || string(back.After) != want {
		t.Errorf("Remove gives %q, want %q (%v)", back.After, want, err)
	}
}

func TestMergeIntoASet(t *testing.T) {
	set := []Source{
		{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("global\n  log /dev/log local0\n\ndefaults\n  mode http\n")},
		{Path: "/etc/haproxy/conf.d/10-www.cfg", Data: []byte("frontend www\n  bind :80\n  default_backend x\nbackend x\n")},
	}
	m, err := Merge(set, site(t, nil))
	if err != nil || m.Path != set[0].Path {
		t.Errorf("merged into %s (%v); behind the defaults ours would depend on them", m.Path, err)
	}
	m, err = Merge(set, site(t, func(s *Site) { s.RedirectListen = []string{":80"} }))
	if err != nil || len(m.Also) != 1 || !bytes.Contains(m.Also[0].After, []byte("redirect code 301")) || bytes.Contains(m.After, []byte(prefix+"_redirect")) {
		t.Errorf("the bind in another file of the set was not seen: %v", err)
	}
	split := []Source{{Path: "a.cfg", Data: []byte("global\n  daemon\n")}, {Path: "b.cfg"}}
	m, err = Merge(split, site(t, nil))
	if err != nil || m.Path != "b.cfg" || bytes.Contains(m.After, []byte("user haproxy")) {
		t.Errorf("%s, %v: want sections only, in the last file", m.Path, err)
	}
}

func TestTakenPorts(t *testing.T) {
	const head = "global\n  daemon\n"
	for _, c := range []struct {
		name, text, listen string
		want               string // in the error; "" when it merges
	}{
		{"star", "frontend www\n  bind *:443 ssl crt /x\n", ":443", "line 4"},
		{"no host", "frontend www\n  bind :443 ssl crt /x\n", ":443", "frontend www"},
		{"zero", "listen www\n  bind 0.0.0.0:443\n", ":443", "listen www"},
		{"IPv6", "frontend www\n  bind :::443 v4v6\n", ":443", "line 4"},
		{"IPv6 in brackets", "frontend www\n  bind [::]:443\n", ":443", "line 4"},
		{"specific under all", "frontend www\n  bind 192.0.2.1:443\n", ":443", "line 4: 192.0.2.1:443 is what is bound"},
		{"all under specific", "frontend www\n  bind *:443\n", "192.0.2.1:443", "line 4"},
		{"other specific", "frontend www\n  bind 192.0.2.1:443\n", "192.0.2.2:443", ""},
		{"same specific", "frontend www\n  bind ipv4@192.0.2.1:443\n", "192.0.2.1:443", "line 4"},
		{"name", "frontend www\n  bind www.example.com:443\n", "192.0.2.1:443", "line 4: www.example.com:443 is what is bound"},
		{"range", "frontend www\n  bind *:400-500\n", ":443", "line 4"},
		{"all beside one", "frontend www\n  mode http\n  bind 192.0.2.1:443 ssl crt /x\n  bind *:443 ssl crt /x\n", ":443", "line 6"},
		{"list", "frontend www\n  bind :80,:443\n", ":443", "line 3"},
		{"section line", "frontend www *:443\n  mode http\n", ":443", "line 3"},
		{"quoted", "frontend www\n  bind \"*:443\"\n", ":443", "line 4"},
		{"variable port", "frontend www\n  bind \"*:${PORT}\"\n", ":443", "may bind"},
		{"variable host", "frontend www\n  bind \"${IP}:443\"\n", ":443", "line 4: ${IP}:443 is what is bound"},
		{"variable host, other port", "frontend www\n  bind \"${IP}:8443\"\n", ":443", ""},
		{"template", "frontend www\n  bind {IP}:443\n", ":443", "line 4: {IP}:443 is what is bound"},
		{"stats socket", "global\n  stats socket ipv4@127.0.0.1:443\n", ":443", "global"},
		{"other port", "frontend www\n  bind *:4430 ssl crt /443\n", ":443", ""},
		{"unix", "frontend www\n  bind /run/x:443\n  bind unix@/a:443\n  bind abns@x:443\n", ":443", ""},
		{"QUIC", "frontend www\n  bind quic4@:443 ssl crt /x\n", ":443", ""},
		{"commented out", "frontend www\n  # bind *:443\n", ":443", ""},
		{"server", "backend www\n  server a 192.0.2.1:443\n", ":443", ""},
		{"IPv6 alone", "frontend www\n  mode http\n  bind :::443 v6only ssl crt /x\n", ":443", ""},
		{"IPv6 alone, all wanted", "frontend www\n  mode http\n  bind :::443 v6only ssl crt /x\n", "[::]:443", "line 5"},
		{"family of IPv6", "frontend www\n  mode http\n  bind ipv6@:443 ssl crt /x\n", "[::1]:443", "line 5"},
		{"family of IPv4", "frontend www\n  mode http\n  bind tcp4@:443 ssl crt /x\n", "[::1]:443", ""},
		{"name of one family", "frontend www\n  mode http\n  bind tcp6@www:443 ssl crt /x\n", "192.0.2.1:443", ""},
		{"name of the other", "frontend www\n  mode http\n  bind ipv4@www:443 ssl crt /x\n", "[::1]:443", ""},
		{"a name like a word", "frontend www\n  mode http\n  bind *:443 name ssl crt /x\n", ":443", "already binds"},
		{"a name before the word", "frontend www\n  mode http\n  bind *:443 name crt ssl crt /x\n", ":443", "line 5"},
		{"IPv6 beside IPv4", "frontend www\n  bind [2001:db8::1]:443\n", "192.0.2.1:443", ""},
		{"passthrough", "frontend sni\n  mode tcp\n  bind *:443\n", ":443", "line 5"},
		{"several", "frontend www\n  mode http\n  bind 192.0.2.1:443 ssl crt /x\n  bind 192.0.2.2:443 ssl crt /x\n", ":443", "line 6: 192.0.2.1:443, 192.0.2.2:443 are what is bound; Bitbucket is reached through these addresses only, not :443"},
		{"several in a line", "frontend www\n  mode http\n  bind 192.0.2.1:443,192.0.2.2:443 ssl crt /x\n", ":443", "line 5: 192.0.2.1:443, 192.0.2.2:443 are what is bound; Bitbucket is reached through these addresses only, not :443"},
		{"several sections", "frontend www\n  mode http\n  bind 192.0.2.1:443 ssl crt /x\nfrontend w\n  mode http\n  bind 192.0.2.2:443 ssl crt /x\n", ":443", "line 8: 192.0.2.1:443, 192.0.2.2:443 are what"},
		{"one of all", "frontend www\n  mode http\n  bind 192.0.2.1:443 ssl crt /x\n", ":443", "line 5: 192.0.2.1:443 is what is bound; Bitbucket is reached through that address only, not :443"},
		{"Bitbucket by hand", "frontend bitbucket_http_frontend\n  bind *:443 ssl crt /x\n", ":443", "line 4"},
	} {
		s := site(t, func(s *Site) { s.Listen = []string{c.listen} })
		m, err := merge(t, head+c.text, s)
		said := ""
		if err != nil {
			said = err.Error()
		} else {
			reversible(t, []byte(head+c.text), m, s)
		}
		joined := bytes.Contains(m.After, []byte(lineMark))
		if joined {
			said = strings.Join(m.Notes, "\n")
		}
		switch {
		case c.want == "" && (err != nil || joined):
			t.Errorf("%s: seen as taken: %s", c.name, said)
		case c.want != "" && err == nil && !joined:
			t.Errorf("%s: bound a second time", c.name)
		case strings.Contains(said, "Bitbucket is reached through") != strings.Contains(c.want, " what"):
			t.Errorf("%s: %s", c.name, said)
		case c.want != "" && (!strings.Contains(said, c.want) || !strings.Contains(said, cfg)):
			t.Errorf("%s: %s lacks %q or the file", c.name, said, c.want)
		}
	}
}

func TestBrokenMarkersAreRefused(t *testing.T) {
	m, err := merge(t, fixtures["usual"], site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	text := string(m.After)
	end := text[strings.Index(text, endMark):]
	end = end[:strings.Index(end, "\n")+1]
	for name, broken := range map[string]string{
		"no end":         strings.Replace(text, end, "", 1),
		"no beginning":   end + fixtures["usual"],
		"twice":          text + text,
		"markers gone":   strings.Replace(strings.Replace(text, end, "", 1), beginMark, "# ours", 1),
		"copied section": text + "backend bitgate_bitbucket_http_backend\n",
	} {
		if _, err := merge(t, broken, site(t, nil)); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "no end" || name == "twice" {
			if _, err := Remove(Source{Path: cfg, Data: []byte(broken)}); err == nil {
				t.Errorf("%s: removed", name)
			}
		}
	}
}

func TestBinds(t *testing.T) {
	text := fixtures["usual"] + "listen old 127.0.0.1:8088\n  bind :8443 ssl crt /x\n"
	m, err := merge(t, text, site(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range ParseSet([]Source{{Path: cfg, Data: m.After}}).Binds() {
		mark := ""
		if b.SSL {
			mark += " ssl"
		}
		if b.Ours {
			mark += " ours"
		}
		got = append(got, b.Section+" "+b.Address+mark)
	}
	want := "frontend bitgate_bitbucket_https *:443 ssl ours|frontend www *:80|listen old 127.0.0.1:8088|listen old :8443 ssl"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func FuzzMerge(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := site(t, func(s *Site) { s.RedirectListen, s.Adopt = []string{":80"}, true })
		m, err := Merge([]Source{{Path: cfg, Data: data}}, s)
		if err == nil && !bytes.Contains(data, []byte("bitgate")) { // else it may hold markers already
			reversible(t, data, m, s)
		}
	})
}

// TestPortOfSSHNamesItsOwnFlag: who has SSH's port in the way is not told to move HTTPS.
func TestPortOfSSHNamesItsOwnFlag(t *testing.T) {
	_, err := merge(t, "global\n  daemon\nfrontend sshd\n  mode tcp\n  bind *:7998\n", site(t, func(s *Site) { s.SSHListen, s.SSHUpstream = ":7998", "127.0.0.1:7999" }))
	if err == nil {
		t.Fatal("bound a second time")
	}
	if do := strings.Join(problem.Explain(err).Do, " "); !strings.Contains(do, "--ssh-listen") || strings.Contains(do, "--listen,") || strings.Contains(do, "--url") {
		t.Errorf("%s\n%s", err, do)
	}
}

// TestFurtherPortsAreNotBoundTwice: nor are those for health checks and for balancers,
// and no loopback address of ours is one of them.
func TestFurtherPortsAreNotBoundTwice(t *testing.T) {
	listen := map[string]func(*Site){
		"--health-listen": func(s *Site) { s.HealthListen = ":8404" },
		"--plain-listen":  func(s *Site) { s.PlainListen, s.TrustedProxies = ":8404", []string{"10.0.0.0/8"} },
	}
	for flag, edit := range listen {
		for bind, want := range map[string]string{":8404": "already binds", "127.0.0.1:8404": "already binds", "\"*:${PORT}\"": "may bind"} {
			_, err := merge(t, "global\n  daemon\nlisten stats\n  mode http\n  bind "+bind+"\n", site(t, edit))
			if err == nil {
				t.Errorf("%s: bound beside %s", flag, bind)
				continue
			}
			p := problem.Explain(err)
			if do := strings.Join(p.Do, " "); !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line 5") || !strings.Contains(do, "("+flag+")") {
				t.Errorf("%s beside %s: %s\n%s", flag, bind, err, do)
			}
		}
		if _, err := merge(t, "global\n  daemon\nlisten stats\n  mode http\n  bind :8405\n", site(t, edit)); err != nil {
			t.Errorf("%s: %v", flag, err)
		}
	}
	passes := "frontend sni\n  mode tcp\n  bind *:443\n  default_backend x\nbackend x\n  mode tcp\n"
	m, err := merge(t, passes, site(t, func(s *Site) { s.HealthListen = "127.0.0.1:18443" }))
	if err != nil || strings.Count(string(m.After), "18443") != 1 || !strings.Contains(string(m.After), "127.0.0.1:18444 accept-proxy") {
		t.Errorf("%v\n%s", err, m.After)
	}
}

// Where others have a port for one family of addresses, ours has it for the other.
func TestFamiliesOfAPort(t *testing.T) {
	for name, c := range map[string]struct {
		bind   string
		listen []string
		want   []string // our own binds
		shared bool
	}{
		"IPv6 beside theirs":            {"*:443", []string{":443", "[::]:443"}, []string{":::443 v6only"}, true},
		"all, IPv6 beside theirs":       {"*:443", []string{"[::]:443"}, []string{":::443 v6only"}, true},
		"IPv6 beside an address":        {"192.0.2.1:443", []string{"[::]:443"}, []string{":::443 v6only"}, true},
		"IPv4 beside theirs":            {":::443 v6only", []string{":443"}, []string{"*:443"}, false},
		"all, IPv4 beside theirs":       {":::443 v6only", []string{":443", "[::]:443"}, []string{"*:443"}, true},
		"theirs may have both":          {":::443", []string{":443", "[::]:443"}, nil, true},
		"theirs may have both, a range": {"ipv6@:400-500", []string{":443", "[::]:443"}, nil, true},
	} {
		s := site(t, func(s *Site) { s.Listen = c.listen })
		text := "frontend www\n  mode http\n  bind " + c.bind + " ssl crt /x\n"
		m, err := merge(t, text, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		reversible(t, []byte(text), m, s)
		var own []string
		for line := range strings.Lines(string(m.After)) {
			if address, ours := strings.CutPrefix(strings.TrimSpace(line), "bind "); ours && !strings.Contains(line, "crt /x") {
				address, _, _ = strings.Cut(address, " ssl ")
				own = append(own, address)
			}
		}
		notes := strings.Join(m.Notes, "\n")
		if !slices.Equal(own, c.want) || strings.Contains(string(m.After), lineMark) != c.shared || strings.Contains(notes, "takes IPv4 alone") != strings.Contains(strings.Join(c.want, ""), "v6only") {
			t.Errorf("%s: ours binds %q, shared %v\n%s", name, own, strings.Contains(string(m.After), lineMark), notes)
		}
	}
}
