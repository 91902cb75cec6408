package live_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
)

// corpus lists real configuration files: BITGATE_CORPUS, or beside the repository.
func corpus(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("BITGATE_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "haproxy_cfg", "*"))
	if len(files) == 0 {
		t.Skip("SKIPPED: no real haproxy.cfg files here; set BITGATE_CORPUS")
	}
	return files
}

// Our sections add no message of HAProxy's to any real file.
func TestCorpusPassesAsBefore(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*haproxy.Site){
		"TLS alone": func(*haproxy.Site) {},
		"port 80 shared, sections by hand adopted": func(s *haproxy.Site) { s.RedirectListen, s.Adopt = []string{":80"}, true },
	} {
		for _, in := range everyHAProxy(t) {
			t.Run(name+", "+in.Version.Text, func(t *testing.T) { corpusPasses(t, in, edit) })
		}
	}
}

func corpusPasses(t *testing.T, in live.Install, edit func(*haproxy.Site)) {
	bundle, _ := certificate(t, "git.example.com")
	extra := []live.Candidate{{Path: "/etc/haproxy/bitgate.pem", Data: bundle}}
	files := corpus(t)
	merged, joined, ok, refused := 0, 0, 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := haproxy.Site{
			URL: mustURL(t, "https://git.example.com/bitbucket"), Listen: []string{":443"},
			Bundle: "/etc/haproxy/bitgate.pem", Upstream: "127.0.0.1:7990", MaxConn: 50,
			OldPath: "/stash", Version: in.Version,
		}
		edit(&s)
		m, err := haproxy.Merge([]haproxy.Source{{Path: file, Data: data}}, s)
		if err != nil {
			refused++
			t.Logf("%-70s refused: %v", filepath.Base(file), err)
			continue
		}
		merged++
		if strings.Contains(string(m.After), "# bitgate's line") {
			joined++
		}
		extra := append(certificatesOf(data, bundle), extra...)
		before := check(t, in.Bin, live.Candidate{Path: file, Data: supplied(withNewline(data))}, extra)
		after := check(t, in.Bin, live.Candidate{Path: file, Data: supplied(m.After)}, extra)
		known := map[string]bool{}
		for _, msg := range before.Messages {
			known[kind(msg)] = true
		}
		state := "fails as before"
		if after.OK {
			state = "passes"
			ok++
		}
		for _, msg := range after.Messages {
			if msg.Level != "NOTICE" && !ofItsBuild(msg) && !known[kind(msg)] {
				state = "NEW MESSAGE"
				t.Errorf("%s: %s", filepath.Base(file), kind(msg))
			}
		}
		if before.OK && !after.OK {
			t.Errorf("%s passed before and does not now", filepath.Base(file))
		}
		why := ""
		for _, msg := range after.Messages {
			if msg.Level == "ALERT" && why == "" {
				why = ": " + strings.ReplaceAll(msg.Text, filepath.Dir(file), "")
			}
		}
		t.Logf("%-70s %s%s", filepath.Base(file), state, why)
	}
	t.Logf("%d files: %d merged (%d into a section that binds the port; %d pass haproxy -c, the others fail as before), %d refused", len(files), merged, joined, ok, refused)
}

// ofItsBuild: HAProxy on OpenSSL 3 says this of every TLS bind where global asks
// for 1024 bit DH, and versions up to 2.2 everywhere; the corpus's own binds lack their
// certificates here, so that it is not said before.
func ofItsBuild(m live.Message) bool {
	return strings.Contains(m.Text, "default 1024 bits DH parameter") || strings.Contains(m.Text, "Setting tune.ssl.default-dh-param to 1024")
}

// supplied puts a user, a group, a folder and addresses that this machine has
// in the place of those of the machine the file is from, line by line.
func supplied(data []byte) []byte {
	var out []byte
	at := 0
	put := func(w haproxy.Word, text string) {
		out = append(append(out, data[at:w.Start]...), text...)
		at = w.End
	}
	for _, l := range haproxy.Parse(data).Lines {
		w := l.Words
		switch {
		case len(w) < 2:
		case w[0].Text == "user" && len(w) == 2, w[0].Text == "group" && len(w) == 2:
			put(w[1], "root")
		case w[0].Text == "chroot":
			put(w[1], "/")
		case w[0].Text == "server" && len(w) > 2:
			host, port, ok := strings.Cut(w[2].Text, ":")
			if ok && net.ParseIP(host) == nil && !strings.ContainsAny(host, "@/[") {
				if strings.ContainsAny(port, "${") {
					port = "80"
				}
				put(w[2], "127.0.0.1:"+port)
			} else if !ok && net.ParseIP(host) == nil && !strings.ContainsAny(host, "@/$") {
				put(w[2], "127.0.0.1")
			}
		case w[0].Text == "errorfile" && len(w) > 2:
			put(w[2], "/dev/null")
		}
	}
	return append(out, data[at:]...)
}

// certificatesOf supplies every certificate that the file's bind lines name.
func certificatesOf(data, bundle []byte) []live.Candidate {
	var out []live.Candidate
	for _, l := range haproxy.Parse(data).Lines {
		for i, w := range l.Words {
			if i > 0 && l.Words[i-1].Text == "crt" && l.Words[0].Text == "bind" {
				out = append(out, live.Candidate{Path: w.Text, Data: bundle})
			}
		}
	}
	return out
}

func check(t *testing.T, bin string, c live.Candidate, extra []live.Candidate) live.Report {
	t.Helper()
	r, err := (live.Service{}).Check(t.Context(), bin, []live.Candidate{c}, extra)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// withNewline: HAProxy 2.6 gives up on a last line without its end before it
// says anything else.
func withNewline(data []byte) []byte {
	if len(data) == 0 || data[len(data)-1] == '\n' {
		return data
	}
	return append(append([]byte(nil), data...), '\n')
}

var digits = regexp.MustCompile(`\d+`)

// kind is a message without its line numbers.
func kind(m live.Message) string {
	return fmt.Sprintf("%s %s", m.Level, digits.ReplaceAllString(strings.TrimSpace(m.Text), "N"))
}
