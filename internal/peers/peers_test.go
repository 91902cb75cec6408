package peers

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A missing peer must never turn a CI run green.
func TestMissingPeerFailsUnderCI(t *testing.T) {
	for _, env := range []string{"CI=true", "BITGATE_PEERS=required", ""} {
		t.Setenv("CI", "")
		t.Setenv("BITGATE_PEERS", "")
		if name, value, ok := strings.Cut(env, "="); ok {
			t.Setenv(name, value)
		}
		rec := &recorder{TB: t}
		done := make(chan struct{})
		go func() { defer close(done); Need(rec, "no-such-program") }()
		<-done
		if want := env != ""; rec.failed != want || rec.skipped == want {
			t.Errorf("with %q: failed %v, skipped %v", env, rec.failed, rec.skipped)
		}
		if !strings.Contains(rec.text, "no-such-program") {
			t.Errorf("with %q: the message does not name the program: %s", env, rec.text)
		}
	}
}

func TestTomcatShowsThePlainConnection(t *testing.T) {
	c := NewTomcat(t, TomcatOptions{Context: "/bitbucket"})
	c.Start(t)
	for _, want := range []string{"scheme=http\n", "secure=false\n", "contextPath=/bitbucket\n", fmt.Sprintf("serverPort=%d\n", c.Port)} {
		if page := get(t, c.URL()+"/bitbucket/go.jsp"); !strings.Contains(page, want) {
			t.Errorf("%q is not in the page:\n%s", want, page)
		}
	}
	if got := get(t, c.URL()+"/bitbucket/status"); !strings.Contains(got, `"RUNNING"`) {
		t.Errorf("status: %s", got)
	}
	c.Stop()
	if Accepts(c.Address()) {
		t.Error("it still accepts after Stop")
	}
	c.Start(t) // a second start on the same base is a restart
	get(t, c.URL()+"/bitbucket/status")
}

func TestHAProxyReloads(t *testing.T) {
	address := FreeAddress(t)
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	write := func(answer string) {
		text := fmt.Sprintf("global\n daemon\ndefaults\n mode http\n timeout client 5s\n timeout connect 5s\n timeout server 5s\n"+
			"frontend f\n bind %s\n http-request return status 200 content-type text/plain string %s\n", address, answer)
		must(t, os.WriteFile(config, []byte(text), 0o600))
	}
	write("one")
	h := StartHAProxy(t, config, address)
	if got := get(t, "http://"+address+"/"); got != "one" {
		t.Fatalf("answer %q", got)
	}
	write("two")
	if out, err := shell(h.ReloadCommand()); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	WaitFor(t, "the reload", func() bool { return h.Reloads() == 1 })
	WaitFor(t, "the new answer", func() bool { return get(t, "http://"+address+"/") == "two" })
	h.Stop()
	if Accepts(address) {
		t.Error("a worker still accepts after Stop")
	}
}

func TestBareRepoHoldsTheContent(t *testing.T) {
	bare, env, work := BareRepo(t, 2), GitEnv(t), t.TempDir()
	Git(t, work, env, "clone", "-q", bare, ".")
	info, err := os.Stat(filepath.Join(work, "blob.bin"))
	if err != nil || info.Size() != 2<<20 {
		t.Fatalf("blob: %v %v", info, err)
	}
	if out, err := TryGit(t, work, env, "fetch", filepath.Join(work, "nowhere")); err == nil {
		t.Errorf("a fetch from nowhere succeeded: %s", out)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: Limit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}
