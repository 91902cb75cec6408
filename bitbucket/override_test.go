package bitbucket

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverridesOfVariables(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"SERVER_CONTEXT_PATH", "/bb", "server.context-path=/bb"},
		{"SERVER_CONTEXTPATH", "/bb", "server.context-path=/bb"},
		{"SERVER_PROXY_NAME", "git.example.com", "server.proxy-name=git.example.com"},
		{"PLUGIN_SSH_BASEURL", "ssh://git.example.com", "plugin.ssh.baseurl=ssh://git.example.com"},
		{"SERVER_ADDITIONAL_CONNECTOR_1_PORT", "7991", "server.additional-connector.1.port=7991"},
		{"SERVER_ADDITIONAL_CONNECTOR_1_SSL_ENABLED", "true", "server.additional-connector.1.ssl.enabled=true"},
		{"SERVER_SSL_KEY_STORE_PASSWORD", canary, "server.ssl.key-store-password="},
		{"JAVA_OPTS", `-Xmx1g "-Dserver.scheme=https" -Dspring.main.x=1`, "server.scheme=https"},
		{"SPRING_APPLICATION_JSON", `{"server":{"proxyPort":443,"secure":true},"jdbc.password":"` + canary + `"}`, "server.proxy-port=443 server.secure=true"},
		{"SPRING_APPLICATION_JSON", `{"server.ssl.key-password":"` + canary + `"}`, "server.ssl.key-password="},
		{"SPRING_APPLICATION_JSON", `{broken ` + canary, ""},
		{"server.proxy-name", "git.example.com", "server.proxy-name=git.example.com"},
		{"server_address", "127.0.0.2", "server.address=127.0.0.2"},
		{"JAVA_TOOL_OPTIONS", "-Dserver.port=1 -Dserver.address=::1", "server.address=::1 server.port=1"},
		{"SERVER_SOFTWARE", "x", ""},
		{"JDBC_PASSWORD", canary, ""},
	} {
		got := fromVariable(tc.name, tc.value, "here")
		var words []string
		for _, o := range got {
			words = append(words, o.Key+"="+o.Value)
		}
		if text := strings.Join(words, " "); text != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, text, tc.want)
		}
		if strings.Contains(fmt.Sprint(got), canary) {
			t.Errorf("%s: a secret shows", tc.name)
		}
	}
}

func TestOverridesOfArguments(t *testing.T) {
	for arg, want := range map[string]string{
		"-Dserver.port=7991":                          "server.port=7991 at here, -Dserver.port",
		"-Dserver.proxyName=x":                        "server.proxy-name=x at here, -Dserver.proxyName",
		"--server.scheme=https":                       "server.scheme=https at here, --server.scheme",
		`-Dspring.application.json={"server.port":1}`: "server.port=1 at here, spring.application.json",
		"-Dserver.ssl.key-store-password=" + canary:   "server.ssl.key-store-password= at here, -Dserver.ssl.key-store-password",
		"-Xmx1g": "",
		"start":  "",
	} {
		text := ""
		for _, o := range fromArgument(arg, "here") {
			text += o.Key + "=" + o.Value + " at " + o.Where
		}
		if text != want {
			t.Errorf("%s: %q, want %q", arg, text, want)
		}
	}
}

func TestOverridesOfUnits(t *testing.T) {
	root := put(t, map[string]string{
		"etc/systemd/system/bitbucket.service": `# SERVER_PORT=1
[Service]
Environment="JAVA_OPTS=-Dserver.address=127.0.0.1" BITBUCKET_HOME=/data/bb \
  'SERVER_CONTEXT_PATH=/bb'
EnvironmentFile=-/etc/default/bitbucket
ExecStart=/opt/bb/bin/start-bitbucket.sh
`,
		"etc/systemd/system/bitbucket.service.d/20-proxy.conf": "[Service]\nEnvironment=SERVER_CONTEXT_PATH=/git\n",
		"etc/default/bitbucket":                                "# c\nSERVER_SCHEME=\"https\"\n",
		"lib/systemd/system/bitbucket.service":                 "[Service]\nEnvironment=SERVER_PORT=1\n", // hidden by the one in etc
		"lib/systemd/system/logstash.service":                  "[Service]\nEnvironment=SERVER_PORT=2\n",
		"lib/systemd/system/bitgate.service":                   "[Unit]\nDescription=front of bitbucket\n[Service]\nEnvironment=SERVER_PORT=3\n",
		"lib/systemd/system/git.service":                       "[Service]\nExecStart=/srv/atlassian-bitbucket-9.4.1/bin/start-bitbucket.sh\nEnvironment=PLUGIN_SSH_PORT=7998\n",
	})
	in := detect(t, Search{Root: root})
	unit := filepath.Join(root, "etc/systemd/system/bitbucket.service")
	want := []Override{
		{"server.address", "unit " + unit + ", line 3, JAVA_OPTS, -Dserver.address", "127.0.0.1"},
		{"server.context-path", "unit " + unit + ".d/20-proxy.conf, line 2, SERVER_CONTEXT_PATH", "/git"},
		{"server.scheme", filepath.Join(root, "etc/default/bitbucket") + ", line 2, SERVER_SCHEME", "https"},
		{"plugin.ssh.port", "unit " + filepath.Join(root, "lib/systemd/system/git.service") + ", line 3, PLUGIN_SSH_PORT", "7998"},
	}
	if d := cmp.Diff(want, in.Overrides); d != "" {
		t.Error(d)
	}
	if in.Home != "/data/bb" {
		t.Errorf("home %q", in.Home)
	}
}

// The process is given its options on the command line, of which the last counts, and
// by the variables that Java reads itself; those of the scripts count only as they
// reached the command line.
func TestOptionsThatJavaReads(t *testing.T) {
	for name, c := range map[string]struct {
		args, env []string
		want      string
	}{
		"twice":                      {[]string{"-Dserver.port=1", "-Dserver.port=2"}, nil, "2"},
		"of the scripts":             {nil, []string{"JAVA_OPTS=-Dserver.port=3"}, ""},
		"JAVA_TOOL_OPTIONS":          {nil, []string{"JAVA_TOOL_OPTIONS=-Xmx1g -Dserver.port=4"}, "4"},
		"JDK_JAVA_OPTIONS":           {nil, []string{"SERVER_PORT=9", "JDK_JAVA_OPTIONS=\"-Dserver.port=5\""}, "5"},
		"before the command line":    {[]string{"-Dserver.port=6"}, []string{"JAVA_TOOL_OPTIONS=-Dserver.port=4"}, "6"},
		"behind the command line":    {[]string{"-Dserver.port=6"}, []string{"_JAVA_OPTIONS=-Dserver.port=7"}, "7"},
		"the property's name":        {nil, []string{"server.port=8"}, "8"},
		"JSON over all of Java's":    {[]string{"-Dserver.port=6"}, []string{"_JAVA_OPTIONS=-Dserver.port=7", `SPRING_APPLICATION_JSON={"server.port":9}`}, "9"},
		"in the place of the option": {[]string{`-Dspring.application.json={"server":{"port":10}}`, "-Dserver.port=6"}, nil, "10"},
	} {
		proc := t.TempDir()
		fakeProcess(t, proc, 5, append([]string{"java", "-Dbitbucket.home=/x"}, c.args...), c.env, nil)
		if o, _ := detect(t, Search{Root: t.TempDir(), Proc: proc}).Effective("server.port"); o.Value != c.want {
			t.Errorf("%s: %+v, want %q", name, o, c.want)
		}
	}
}

// What the unit and the process say in the same words is listed once, at the unit.
func TestOverridesAreListedOnce(t *testing.T) {
	root := put(t, map[string]string{"etc/systemd/system/bitbucket.service": "[Service]\nEnvironment=SERVER_PORT=7991\n"})
	proc := t.TempDir()
	fakeProcess(t, proc, 5, []string{"java", "-Dbitbucket.home=/x"}, []string{"SERVER_PORT=7991", "SERVER_SCHEME=https"}, nil)
	in := detect(t, Search{Root: root, Proc: proc})
	if len(in.Overrides) != 2 || !strings.HasPrefix(in.Overrides[0].Where, "unit ") || in.Overrides[1].Key != "server.scheme" {
		t.Errorf("got %+v", in.Overrides)
	}
}

// What a unit says in the same words as a stronger place hides that place from nobody.
func TestSameWordsInAStrongerPlace(t *testing.T) {
	root := put(t, map[string]string{"etc/systemd/system/bitbucket.service": "[Service]\nEnvironment=SERVER_PORT=7991\n"})
	proc := t.TempDir()
	fakeProcess(t, proc, 5, []string{"java", "-Dbitbucket.home=/x", "-Dserver.port=1"}, []string{`SPRING_APPLICATION_JSON={"server.port":7991}`}, nil)
	in := detect(t, Search{Root: root, Proc: proc})
	if o, _ := in.Effective("server.port"); o.Value != "7991" || !strings.Contains(o.Where, "JSON") {
		t.Errorf("got %+v of %+v", o, in.Overrides)
	}
}

func FuzzVariable(f *testing.F) {
	f.Add("SERVER_PORT", "1")
	f.Add("JAVA_OPTS", `-Dserver.port=1 "-Dserver.ssl.key-store-password=`+canary+`"`)
	f.Add("SERVER_SSL_KEY_STORE_PASSWORD", canary)
	f.Add("SPRING_APPLICATION_JSON", `{"server":{"ssl":{"key-store-password":"`+canary+`"}}}`)
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, o := range fromVariable(name, value, "here") {
			if o.Key == "" || secretKey().MatchString(o.Key) && o.Value != "" {
				t.Errorf("%q=%q gives %+v", name, value, o)
			}
		}
	})
}
