package live

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	for out, want := range map[string]Message{
		// 1.5 to 2.2
		"[ALERT] 326/014035 (1870) : parsing [/e/h.cfg:3] : unknown keyword 'foo' in 'frontend' section\n":                     {"ALERT", "/e/h.cfg", 3, "unknown keyword 'foo' in 'frontend' section"},
		"[WARNING] 326/014035 (1881) : parsing [/e/h.cfg:2]: Missing LF on last line\n":                                        {"WARNING", "/e/h.cfg", 2, "Missing LF on last line"},
		"[WARNING] 326/014035 (1878) : config : missing timeouts for frontend 'a'.\n   | While not invalid,\n   | you will.\n": {"WARNING", "", 0, "missing timeouts for frontend 'a'. While not invalid, you will."},
		// 2.3 on
		"[NOTICE]   (1886) : haproxy version is 2.6.12\n":                                                                                  {"NOTICE", "", 0, "haproxy version is 2.6.12"},
		"[ALERT]    (1886) : config : parsing [/e/h.cfg:3] : unknown keyword 'foo'\n":                                                      {"ALERT", "/e/h.cfg", 3, "unknown keyword 'foo'"},
		"[ALERT]    (9) : config : [/my dir/h.cfg:26] : 'server b/s' : could not resolve 'x'\n":                                            {"ALERT", "/my dir/h.cfg", 26, "'server b/s' : could not resolve 'x'"},
		"[ALERT]    (9) : config : Parsing [/e/h.cfg:127]: backend 'x' has the same name as frontend 'x' declared at /e/h.cfg:117.\n":      {"ALERT", "/e/h.cfg", 127, "backend 'x' has the same name as frontend 'x' declared at /e/h.cfg:117."},
		"[WARNING]  (9) : config : parsing [/e/h.cfg:35] : 'bind *:443' in section 'frontend' : \n  unable to load default.\n  , no DH.\n": {"WARNING", "/e/h.cfg", 35, "'bind *:443' in section 'frontend' :  unable to load default. , no DH."},
		"[WARNING]  (9) : config : Proxy 'x': ignored for bind '*:443' at [/e/h.cfg:10]. Use others.\n":                                    {"WARNING", "", 0, "Proxy 'x': ignored for bind '*:443' at [/e/h.cfg:10]. Use others."},
	} {
		got := ParseMessages(out + "Configuration file is valid\n")
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got %+v\nwant %+v", out, got, want)
		}
	}
}

func TestOnlyTheExactBundleIsRepointed(t *testing.T) {
	moved := map[string]string{"/etc/bitgate.pem": "/tmp/x/extra-0"}
	src := `bind :443 ssl crt /etc/bitgate.pem alpn h2 # crt /etc/bitgate.pem
bind :444 ssl crt /etc/bitgate.pem.old crt "/etc/bitgate.pem" crt /etc/
  load crt /etc/bitgate.pem alias x
  ca-file /etc/bitgate.pem
`
	want := strings.NewReplacer("crt /etc/bitgate.pem alpn", "crt /tmp/x/extra-0 alpn", `crt "/etc/bitgate.pem"`, "crt /tmp/x/extra-0",
		"load crt /etc/bitgate.pem", "load crt /tmp/x/extra-0").Replace(src)
	if got := string(repoint([]byte(src), moved)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// fake writes a program that stands for haproxy.
func fake(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "haproxy")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckRunsOnANamelessCopy(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("HAPROXY_CFGFILES", "canary")
	t.Setenv("BITGATE_URL", "canary")
	bin := fake(t, `echo "args $1 $2 $4 files $(ls -A "$TMPDIR")."
cat "$3" "$5"
cat "$5" | sed 's/.* crt //' | while read -r key; do cat "/proc/$$/fd/${key##*/}" | rev; echo; done
env
echo "[ALERT]    (1) : config : parsing [$5:2] : bad bundle '/proc/self/fd/3'"
exit 1
`)
	report, err := (Service{}).Check(t.Context(), bin, []Candidate{
		{Path: "/etc/haproxy/haproxy.cfg", Data: []byte("global\n")},
		{Path: "/etc/haproxy/conf.d/10.cfg", Data: []byte("listen x\n  bind :1 ssl crt /etc/new.pem\n")},
	}, []Candidate{{Path: "/etc/new.pem", Data: []byte("secret")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"args -c -f -f files .", "global\nlisten x\n", "ssl crt /etc/new.pem\n", "terces"} {
		if !strings.Contains(report.Output, want) {
			t.Errorf("%q is missing in\n%s", want, report.Output)
		}
	}
	if strings.Contains(report.Output, "/proc/self/") || strings.Contains(report.Output, "canary") {
		t.Errorf("the copy's name or the environment shows:\n%s", report.Output)
	}
	want := Message{"ALERT", "/etc/haproxy/conf.d/10.cfg", 2, "bad bundle '/etc/new.pem'"}
	if report.OK || len(report.Messages) != 1 || report.Messages[0] != want {
		t.Errorf("%+v", report.Messages)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCheckThatCannotRun(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for name, bin := range map[string]string{"missing": "/no/such/haproxy", "killed": fake(t, "kill -9 $$\n")} {
		if report, err := (Service{}).Check(t.Context(), bin, []Candidate{{Path: "/x.cfg"}}, nil); err == nil {
			t.Errorf("%s: %+v", name, report)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A set of more than ten files has descriptors whose names begin like those of others.
func TestRealNamesOfManyFiles(t *testing.T) {
	c := copies{}
	for i := range 100 {
		c.real = append(c.real, string(rune('a'+i%26))+".cfg")
	}
	if got := c.realNames("[/proc/self/fd/3:1] [/proc/self/fd/30:2] /proc/self/fd/102"); got != "[a.cfg:1] [b.cfg:2] v.cfg" {
		t.Error(got)
	}
}
