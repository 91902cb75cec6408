package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

// TestRenewalHook: a certificate of certbot's is told of, with a command that makes a
// hook; the hook gives the front the renewed certificate and reloads it.
func TestRenewalHook(t *testing.T) {
	bin, err := exec.LookPath("bitgate")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	live := filepath.Join(dir, "le d'or/live/git.test")
	renew := func() {
		_, cert, key, err := certs.Dev([]string{"git.test"}, 90, time.Now())
		if err := errors.Join(err, os.WriteFile(live+"/fullchain.pem", cert, 0o600), os.WriteFile(live+"/privkey.pem", key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	le := filepath.Dir(filepath.Dir(live))
	cfg, reloaded := filepath.Join(dir, "haproxy.cfg"), filepath.Join(dir, "reloaded")
	for _, err := range []error{
		os.MkdirAll(live, 0o755), os.MkdirAll(le+"/renewal", 0o755), os.MkdirAll(dir+"/home/shared", 0o755),
		os.WriteFile(le+"/renewal/git.test.conf", []byte("[renewalparams]\nauthenticator = standalone\n"), 0o600),
		os.WriteFile(cfg, []byte("global\n    maxconn 100\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	renew()
	args := []string{
		"plan", "--json", "--url", "https://git.test/bitbucket", "--upstream", "http://" + peers.FreeAddress(t), "--home", dir + "/home", "--bitbucket-version", "8.19.1",
		"--front", "haproxy", "--haproxy-cfg", cfg, "--cert", live + "/fullchain.pem", "--key", live + "/privkey.pem", "--restart", "never", "--reload", "touch " + reloaded,
		"--http-redirect", "always", "--skip", "base-url", "--state-dir", dir + "/state",
	}
	renewals := func() (said []problem.Finding) {
		t.Helper()
		out, err := exec.Command(bin, args...).Output()
		var plan struct{ Notes []problem.Finding }
		if bad := json.Unmarshal(out, &plan); bad != nil {
			t.Fatalf("%v, %v\n%s", err, bad, out)
		}
		for _, n := range plan.Notes {
			if n.ID == "renewal" {
				said = append(said, n)
			}
		}
		return said
	}
	said := renewals()
	if len(said) != 2 || !strings.Contains(said[0].Found, "certbot") || !strings.Contains(said[1].Do, "--http-redirect never") {
		t.Fatalf("said: %+v", said)
	}
	_, once, _ := strings.Cut(said[0].Do, "run once: ")
	shell := func(command string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	shell(once)
	renew()
	hooks, _ := filepath.Glob(le + "/renewal-hooks/deploy/*")
	if len(hooks) != 1 {
		t.Fatalf("hooks: %v", hooks)
	}
	if out, err := exec.Command(hooks[0]).CombinedOutput(); err != nil { // as certbot does
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := certs.Load(certs.Paths{Cert: live + "/fullchain.pem", Key: live + "/privkey.pem"})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(dir, "bitgate-git.test.pem"))
	if err != nil || !bytes.Equal(bundle, m.Bundle()) {
		t.Errorf("the bundle is not the renewed certificate: %v", err)
	}
	if !exists(reloaded) {
		t.Error("HAProxy was not reloaded")
	}
	again := renewals() // whether a timer runs certbot depends on the machine
	if len(again) != 2 || !strings.Contains(again[0].Found, "certbot renews this certificate (") || !strings.Contains(again[1].Found, "port 80") {
		t.Errorf("with the hook in place: %+v", again)
	}
}
