package bitbucket

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// TestTrustStoreOf asks a Java that runs: what it was told, else its own cacerts.
func TestTrustStoreOf(t *testing.T) {
	peers.Need(t, "java")
	source := filepath.Join(t.TempDir(), "Wait.java")
	if err := os.WriteFile(source, []byte("class Wait { public static void main(String[] a) throws Exception { System.out.println(\"waiting now\"); System.in.read(); } }"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ option, env, want, password string }{
		"its own":          {"-Da=b", "", "/lib/security/cacerts", ""},
		"told":             {"-Djavax.net.ssl.trustStore=/etc/trust.p12", "", "/etc/trust.p12", "pw"},
		"environment":      {"-Da=b", "-Djavax.net.ssl.trustStore=/etc/env.p12", "/etc/env.p12", ""},
		"told, beating it": {"-Djavax.net.ssl.trustStore=/etc/trust.p12", "-Djavax.net.ssl.trustStore=/etc/env.p12", "/etc/trust.p12", ""},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-XX:TieredStopAtLevel=1", c.option}
			if c.password != "" {
				args = append(args, "-Djavax.net.ssl.trustStorePassword="+c.password)
			}
			cmd := exec.Command("java", append(args, source)...)
			cmd.Env = append(os.Environ(), "JAVA_TOOL_OPTIONS="+c.env)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			p := peers.Start(t, cmd)
			peers.WaitFor(t, "Java", func() bool { return strings.Contains(p.Output(), "waiting now") })
			got, err := TrustStoreOf("/proc", p.PID())
			if err != nil || !strings.HasSuffix(got.Path, c.want) || got.Password != c.password || got.Why == "" {
				t.Errorf("%+v, %v", got, err)
			}
			if c.want == "/lib/security/cacerts" {
				if _, err := os.Stat(got.Path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
