package tomcat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

func TestCheckProperties(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string
	}{
		{"nothing", "", nil},
		{"all is well", "server.scheme=https\nserver.secure=true\nserver.proxy-name=x\nserver.proxy-port=443\nserver.context-path=/b\nserver.require-ssl=true\nserver.ssl.enabled=false\n", nil},
		{"set elsewhere", "server.scheme=https\nserver.secure=${S}\n", nil},
		{"scheme alone", "server.scheme=https", []string{"1 server.scheme=https without server.secure=true"}},
		{"secure=false", "server.scheme=https\nserver.secure=false", []string{"2 server.secure=false with server.scheme=https"}},
		{"secure alone", "\nserver.secure=yes", []string{"2 server.secure=true without server.scheme=https"}},
		{"require-ssl", "server.require-ssl=true", []string{"1 server.require-ssl=true, but server.secure is not true"}},
		{"no public port", "server.proxy-name=x", []string{"1 server.proxy-name without server.proxy-port"}},
		{"TLS", "server.ssl.enabled=true\nserver.ssl.key-store-password=hidden", []string{"1 server.ssl.enabled=true: Bitbucket's port speaks TLS itself"}},
		{"key store", "server.ssl.key-store=/x", []string{"1 server.ssl.key-store is set: Bitbucket's port may speak TLS itself"}},
		{
			"additional", "server.additional-connector.1.port=7991\nserver.additional-connector.2.port=8443\nserver.additional-connector.2.ssl.enabled=true",
			[]string{"1 additional connector 1 on port 7991", "2 additional connector 2 on port 8443 with TLS"},
		},
		{"slash at the end", "server.context-path=/b/", []string{"1 server.context-path=/b/"}},
		{"no slash", "server.context-path=b", []string{"1 server.context-path=b"}},
		{"duplicate", "server.port=1\nserver.port=2", []string{"2 duplicate key server.port (lines 1, 2)"}},
		{
			"spelling", "server.proxyPort=1\nserver.contextPath=/\nSERVER_CONTEXT_PATH=/",
			[]string{
				"1 server.proxyPort is another spelling of server.proxy-port", "2 server.contextPath is another spelling of server.context-path",
				"3 SERVER_CONTEXT_PATH is the spelling of an environment variable",
			},
		},
		{"BOM", "\xEF\xBB\xBFa=b", []string{"1 the file begins with a byte order mark"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := brief(t, CheckProperties(mustProperties(t, c.src))); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestCheckScriptsCfg(t *testing.T) {
	for _, c := range []struct {
		name, src string
		port      int
		path      string
		want      []string
	}{
		{"in step", "bitbucket_httpport=7990\r\nbitbucket_context=/bitbucket\r\n", 7990, "/bitbucket", nil},
		{"in step at the root", "stash_httpport = \"7990\"\nstash_context=\n", 7990, "", nil},
		{"a comment", "#bitbucket_httpport=1\n; bitbucket_context=/x\nother=1\nbroken\n", 7990, "/y", nil},
		{"port unknown", "bitbucket_httpport=1", 0, "", nil},
		{
			"out of step", "# x\nbitbucket_httpport=7991\nbitbucket_context=/\n", 7990, "/bitbucket",
			[]string{"2 it says bitbucket_httpport=7991, server.xml says 7990", "3 it says bitbucket_context=/, server.xml says /bitbucket"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := brief(t, CheckScriptsCfg("scripts.cfg", []byte(c.src), c.port, c.path)); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

// brief is line and Found of every finding; all three parts must be there.
func brief(t *testing.T, findings []problem.Finding) []string {
	t.Helper()
	var list []string
	for _, f := range findings {
		if f.Why == "" || f.Do == "" || strings.Contains(f.Found+f.Why+f.Do, "hidden") {
			t.Errorf("incomplete, or with a secret: %+v", f)
		}
		list = append(list, fmt.Sprintf("%d %s", f.Line, f.Found))
	}
	return list
}
