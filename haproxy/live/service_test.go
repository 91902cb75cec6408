package live_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy/live"
)

// A configuration is judged as its service runs it: what that accepts is accepted,
// and without the service's words the same file is refused.
func TestCheckAsTheService(t *testing.T) {
	in := installed(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "lists/blocked.lst"), []byte("192.0.2.0/24\n"))
	write(t, filepath.Join(dir, "errors/503.http"), []byte("HTTP/1.0 503 Gone\r\n\r\nno\n"))
	const head = "global\n  maxconn 10\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
	for name, c := range map[string]struct {
		text    string
		service live.Service
	}{
		"a variable":    {head + "frontend f\n  bind 127.0.0.1:23700\n  maxconn \"${N}\"\n", live.Service{Env: []string{"N=7"}}},
		"a server":      {head + "listen f\n  bind 127.0.0.1:23700\n  server a \"${A}\"\n", live.Service{Env: []string{"A=127.0.0.1:23701"}}},
		"-dr":           {head + "listen f\n  bind 127.0.0.1:23700\n  server a nowhere.invalid:80\n", live.Service{Args: []string{"-dr"}}},
		"-C":            {head + "listen f\n  bind 127.0.0.1:23700\n  errorfile 503 errors/503.http\n", live.Service{Args: []string{"-C", dir}}},
		"its directory": {head + "listen f\n  bind 127.0.0.1:23700\n  errorfile 503 errors/503.http\n", live.Service{Dir: dir}},
	} {
		set := []live.Candidate{{Path: filepath.Join(dir, "haproxy.cfg"), Data: []byte(c.text)}}
		if report, err := c.service.Check(t.Context(), in.Bin, set, nil); err != nil || !report.OK {
			t.Errorf("%s: %v\n%s", name, err, report.Output)
		}
		if report, err := (live.Service{}).Check(t.Context(), in.Bin, set, nil); err != nil || report.OK {
			t.Errorf("%s, in no service's name: %v, accepted %v", name, err, report.OK)
		}
	}
	lie := live.Service{Env: []string{"HAPROXY_CFGFILES=/lie"}}
	set := []live.Candidate{{Path: filepath.Join(dir, "haproxy.cfg"), Data: []byte(head + "listen f\n  bind 127.0.0.1:23700\n  http-request deny if { env(HAPROXY_CFGFILES) -m str /lie }\n")}}
	if report, err := lie.Check(t.Context(), in.Bin, set, nil); err != nil || !report.OK {
		t.Errorf("%v\n%s", err, report.Output)
	}
}

// Relative names begin where "default-path" says, also in the copy that is checked,
// in several files, and what is refused is named by its own path.
func TestCheckWithDefaultPath(t *testing.T) {
	in := installed(t)
	if !in.Version.AtLeast(2, 5) {
		t.Skip("default-path came with 2.5")
	}
	base := t.TempDir()
	dir := filepath.Join(base, "etc")
	write(t, filepath.Join(dir, "lists/blocked.lst"), []byte("192.0.2.0/24\n"))
	write(t, filepath.Join(dir, "more/own.lst"), []byte("192.0.2.0/24\n"))
	write(t, filepath.Join(base, "shared.lst"), []byte("192.0.2.0/24\n"))
	const rest = "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
	const front = "frontend %\n  bind 127.0.0.1:2370%\n  http-request deny if { src -f "
	section := func(n, file string) string { return strings.ReplaceAll(front, "%", n) + file + " }\n" }
	for name, c := range map[string]struct {
		mode   string
		files  map[string]string // by path below etc
		accept bool
	}{
		"config":           {"config", map[string]string{"haproxy.cfg": section("1", "lists/blocked.lst")}, true},
		"config, two dirs": {"config", map[string]string{"haproxy.cfg": section("1", "lists/blocked.lst"), "more/2.cfg": section("2", "own.lst")}, true},
		"config, above":    {"config", map[string]string{"haproxy.cfg": section("1", "../shared.lst")}, true},
		"parent":           {"parent", map[string]string{"haproxy.cfg": section("1", "shared.lst")}, true},
		"not there":        {"config", map[string]string{"haproxy.cfg": section("1", "none.lst")}, false},
	} {
		var set []live.Candidate
		for _, path := range []string{"haproxy.cfg", "more/2.cfg"} {
			text, ok := c.files[path]
			if !ok {
				continue
			}
			if path == "haproxy.cfg" {
				text = "global\n  maxconn 10\n  default-path " + c.mode + "\n" + rest + text
			}
			set = append(set, live.Candidate{Path: filepath.Join(dir, path), Data: []byte(text)})
		}
		report, err := (live.Service{}).Check(t.Context(), in.Bin, set, nil)
		if err != nil || report.OK != c.accept {
			t.Errorf("%s: %v\n%s", name, err, report.Output)
		}
		named := slices.ContainsFunc(report.Messages, func(m live.Message) bool { return m.File == filepath.Join(dir, "haproxy.cfg") && m.Line == 11 })
		if named == c.accept || strings.Contains(report.Output, "bitgate-check-") {
			t.Errorf("%s: %+v", name, report.Messages)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "bitgate-check-*", "**", filepath.Base(base))); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A file that is to be made in a folder that the service loads belongs to the set, at
// its sorted place; one that the service does not load is a set of its own.
func TestMemberToBe(t *testing.T) {
	root := t.TempDir()
	unit := func(more string) {
		write(t, filepath.Join(root, "lib/systemd/system/haproxy.service"), []byte("[Service]\nEnvironment=CONFIG=/etc/haproxy/haproxy.cfg A=1\nExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -f /etc/haproxy/conf.d "+more+" -dr\n"))
	}
	for _, name := range []string{"haproxy.cfg", "conf.d/20-wiki.cfg", "conf.d/60-jira.cfg"} {
		write(t, filepath.Join(root, "etc/haproxy", name), nil)
	}
	if err := os.Symlink("conf.d", filepath.Join(root, "etc/haproxy/link.d")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("haproxy.cfg", filepath.Join(root, "etc/haproxy/link.cfg")); err != nil {
		t.Fatal(err)
	}
	for cfg, want := range map[string]string{
		"link.d/50-bitbucket.cfg": "haproxy.cfg link.d/20-wiki.cfg link.d/50-bitbucket.cfg link.d/60-jira.cfg",
		"link.d/20-wiki.cfg":      "haproxy.cfg link.d/20-wiki.cfg link.d/60-jira.cfg link.d/zz-bitgate.cfg",
		"link.cfg":                "link.cfg conf.d/20-wiki.cfg conf.d/60-jira.cfg conf.d/zz-bitgate.cfg",
		"conf.d/50-bitbucket.cfg": "haproxy.cfg conf.d/20-wiki.cfg conf.d/50-bitbucket.cfg conf.d/60-jira.cfg",
		"conf.d/90-bitbucket.cfg": "haproxy.cfg conf.d/20-wiki.cfg conf.d/60-jira.cfg conf.d/90-bitbucket.cfg",
		"conf.d/./70.cfg":         "haproxy.cfg conf.d/20-wiki.cfg conf.d/60-jira.cfg conf.d/70.cfg",
		"new.d/50-bitbucket.cfg":  "haproxy.cfg conf.d/20-wiki.cfg conf.d/60-jira.cfg new.d/50-bitbucket.cfg",
		"conf.d/.hidden.cfg":      "conf.d/.hidden.cfg",
		"conf.d/70.conf":          "conf.d/70.conf",
		"other.d/70.cfg":          "other.d/70.cfg",
		"bitbucket.cfg":           "bitbucket.cfg",
	} {
		unit("")
		if strings.HasPrefix(cfg, "new.d") { // is not there yet
			unit("-f /etc/haproxy/new.d")
		}
		in, err := live.Detect(t.Context(), live.Search{Root: root, Cfg: filepath.Join(root, "etc/haproxy") + "/" + cfg})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(in.Files, " "), filepath.Join(root, "etc/haproxy")+"/", "")
		member := strings.Contains(want, " ")
		if got != want || (in.Why["Files"] == "given") == member || (len(in.Service.Args) > 0) != member || len(in.Service.Env) != 2 {
			t.Errorf("%s: %q, %s, %+v", cfg, got, in.Why["Files"], in.Service)
		}
	}
}
