package torture

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"bitgate/internal/peers"
)

// canary is a secret with an own mark, and the only places it may be seen at.
type canary struct {
	name  string
	marks []string       // what to look for, in all its spellings
	files *regexp.Regexp // names below the machine's folder
	net   bool           // also on the connection to Bitbucket
}

// Letters and digits are spelled the same in a URL, in JSON and in YAML, so a
// mark is found there too; the rest of each secret is what spellings change.
const (
	adminMark   = "cAnArYadm1nPassw0rd"
	jdbcMark    = "cAnArYjdbcPassw0rd"
	sysMark     = "cAnArYsysadm1nPw"
	usersMark   = "cAnArYuserl1stPw"
	statsMark   = "cAnArYstat5Pw"
	adminSecret = `p"&` + adminMark + `ä/+%`
)

// A complete job under strace -f: every program started, every file written,
// every word printed is searched for six secrets.
func TestSecretsAreSeenNowhere(t *testing.T) {
	needRoot(t)
	t.Parallel()
	config := strings.Replace(otherSite, "frontend other_site", `userlist people
    user ada insecure-password `+usersMark+`

frontend other_site
    stats enable
    stats auth ada:`+statsMark, 1)
	m := newMachine(t, propertiesGeneration, haproxy, options{Password: adminSecret, Config: config})
	m.addSecrets(t)
	before := m.tree(t)
	canaries := m.canaries(t)

	plan := m.path("plan.json")
	logs := []string{}
	for i, args := range [][]string{
		m.job("plan", "-o", plan),
		m.job("plan", "--json"),
		m.job("apply"),
		append([]string{"verify"}, m.rights()...),
		{"history", "--json", "--state-dir", m.state()},
		m.back("undo"),
	} {
		log := filepath.Join(m.Out, fmt.Sprintf("secrets-%d", i))
		o := m.under(t, []string{
			peers.Path(t, "strace"), "-f", "-q", "-v", "-yy", "-s", "99999", "--decode-pids=pidns", "-e", "signal=none",
			"-e", "trace=clone,clone3,fork,vfork,execve,openat,openat2,write,writev,pwrite64,sendto,sendmsg", "-o", log,
		}, args...)
		if o.Code != 0 {
			t.Fatalf("%s: %s", args[0], o)
		}
		for _, c := range canaries {
			for _, mark := range c.marks {
				if strings.Contains(o.Out+o.ErrOut, mark) {
					t.Errorf("%s prints the %s", args[0], c.name)
				}
			}
		}
		logs = append(logs, log)
		m.searchFiles(t, args[0], canaries)
	}
	same(t, "undo", m.tree(t), before)
	lines := 0
	for _, log := range logs {
		lines += m.searchLog(t, log, canaries)
	}
	t.Logf("%d secrets, %d lines of strace, every file of the machine: seen nowhere else", len(canaries), lines)
}

// addSecrets puts passwords where an administrator has them.
func (m *machine) addSecrets(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(m.settings(), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = fmt.Fprintf(f, "jdbc.user=bitbucket\njdbc.password=%s\nsetup.sysadmin.password=%s\n", jdbcMark, sysMark)
	must(t, err)
}

func (m *machine) canaries(t *testing.T) []canary {
	t.Helper()
	const backups = `state/runs/[^/]+/backups/[^/]*`
	const memory = `/memfd:bitgate-check.*` // what HAProxy is asked about
	properties := regexp.MustCompile(`^(bitbucket/home/shared/(bitbucket\.properties|\.bitgate-[^/]*)|` + backups + `bitbucket\.properties)$`)
	config := regexp.MustCompile(`^(haproxy/(haproxy\.cfg|\.bitgate-[^/]*)|` + memory + `|` + backups + `haproxy\.cfg)$`)
	keys := regexp.MustCompile(`^(tls/key\.pem|haproxy/(\.bitgate-[^/]*|bitgate-localhost\.pem)|` + memory + `)$`)
	admin := canary{"administrator's password", spellings(adminMark), regexp.MustCompile(`^password$`), true}
	admin.marks = append(admin.marks, base64.StdEncoding.EncodeToString([]byte("admin:"+adminSecret)))
	key, err := os.ReadFile(m.path("tls/key.pem"))
	must(t, err)
	line := strings.Split(string(key), "\n")[2] // random bytes, not the header that all keys share
	private := canary{"private key", []string{line}, keys, false}
	if raw, err := base64.StdEncoding.DecodeString(line[:4*(len(line)/4)]); err != nil {
		t.Fatal(err)
	} else {
		private.marks = append(private.marks, hex.EncodeToString(raw), string(raw))
	}
	return []canary{
		admin, private,
		{"database password", spellings(jdbcMark), properties, false},
		{"setup password", spellings(sysMark), properties, false},
		{"password of a userlist", spellings(usersMark), config, false},
		{"password of the statistics", spellings(statsMark), config, false},
	}
}

// spellings are all the ways a secret could hide: as it is (and so in a URL, in
// JSON), in base64 wherever it starts in the text, in hex, in UTF-16.
func spellings(mark string) []string {
	out := []string{mark, hex.EncodeToString([]byte(mark))}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte("x"), shift), mark...))
		skip := []int{0, 2, 3}[shift]         // characters that depend on what stands before,
		tail := (3 - (len(mark)+shift)%3) % 3 // padding, and the character before it
		out = append(out, strings.TrimRight(text, "=")[skip:len(text)-tail-min(tail, 1)])
	}
	var wide []byte
	for _, c := range utf16.Encode([]rune(mark)) {
		wide = append(wide, byte(c), byte(c>>8))
	}
	return append(out, string(wide))
}

// searchFiles looks into every file of the machine. Where a secret may be, the
// file must not be readable by more people than its source.
func (m *machine) searchFiles(t *testing.T, when string, canaries []canary) {
	t.Helper()
	err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(m.Dir, path) // below it
		for _, c := range canaries {
			for _, mark := range c.marks {
				if !bytes.Contains(data, []byte(mark)) {
					continue
				}
				if !c.files.MatchString(name) {
					t.Errorf("after %s the %s is in %s", when, c.name, name)
				}
				if strings.HasPrefix(name, "state/") && info.Mode().Perm()&^0o600 != 0 {
					t.Errorf("after %s %s has mode %v", when, name, info.Mode())
				}
			}
		}
		return nil
	})
	must(t, err)
}

var socketTo = regexp.MustCompile(`^\d+ +(?:write|sendto|writev|sendmsg)\(\d+<TCP:\[[^\]]*->127\.0\.0\.1:(\d+)\]>`)

// searchLog looks at every call. A secret may only be written to a file that has
// it anyway, and the administrator's password to Bitbucket.
func (m *machine) searchLog(t *testing.T, log string, canaries []canary) (lines int) {
	t.Helper()
	data, err := os.ReadFile(log)
	must(t, err)
	onStage := apart(string(data))
	for line := range strings.Lines(string(data)) {
		lines++
		pid, _, _ := strings.Cut(line, " ")
		for _, c := range canaries {
			for _, mark := range c.marks {
				if strings.Contains(line, mark) && !m.allowed(c, line, onStage(pid)) {
					t.Errorf("the %s is in: %.300s", c.name, line)
				}
			}
		}
	}
	if lines < 10 {
		t.Errorf("%s has %d lines: strace looks in the wrong place", log, lines)
	}
	return lines
}

// toStage is how a configuration goes to where it is rehearsed.
var toStage = regexp.MustCompile(`^\d+ +write\(\d+<pipe:\[\d+\]>, "\{\\"load\\":`)

// allowed: where a rehearsal runs, the files have their own paths, in memory and
// below /sys until that is its root.
func (m *machine) allowed(c canary, line string, onStage bool) bool {
	call, path, _ := writingLine(line)
	if toStage.MatchString(line) {
		return c.files.MatchString("haproxy/haproxy.cfg")
	}
	if onStage {
		path = strings.TrimPrefix(path, "/sys")
	}
	if call == "execve" {
		return false
	}
	if to := socketTo.FindStringSubmatch(line); to != nil {
		return c.net && strings.HasSuffix(m.BB.Upstream(), ":"+to[1])
	}
	return c.files.MatchString(strings.TrimPrefix(path, m.Dir+"/"))
}

// The search itself finds what it should.
func TestSpellings(t *testing.T) {
	for _, text := range []string{"a" + jdbcMark + "b", "ab" + jdbcMark, "abc" + jdbcMark + "de", jdbcMark} {
		encoded, found := base64.StdEncoding.EncodeToString([]byte(text)), false
		for _, s := range spellings(jdbcMark) {
			found = found || strings.Contains(encoded, s)
		}
		if !found {
			t.Errorf("%s is not found in %s", jdbcMark, encoded)
		}
	}
}
