package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
)

// A Bitbucket whose context path comes by its environment, or by another spelling in its
// file, is planned for with that path: a run that would only be taken back is refused, and
// nobody is told of a change where there is none.
func TestContextPathOfTheRunningProcess(t *testing.T) {
	_, cert, key, err := certs.Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ env, file, path, refused, printed string }{
		{"SERVER_CONTEXT_PATH=/bitbucket", "", "", `"/bitbucket" by environment of process 5, SERVER_CONTEXT_PATH`, "--url https://git.example.com/bitbucket"},
		{"SERVER_CONTEXT_PATH=/bitbucket", "", "/git", `"/bitbucket" by environment of process 5, SERVER_CONTEXT_PATH`, "set it there to /git"},
		{"SERVER_CONTEXT_PATH=/bitbucket", "", "/bitbucket", "", ""},
		{"", "server.contextPath=/bitbucket\n", "", "", "the context path changes from /bitbucket to /"},
	} {
		dir := t.TempDir()
		home, proc := filepath.Join(dir, "home"), filepath.Join(dir, "proc")
		for path, text := range map[string]string{
			filepath.Join(home, "shared", "bitbucket.properties"): c.file,
			filepath.Join(proc, "5", "cmdline"):                   "java\x00-Dbitbucket.home=" + home + "\x00",
			filepath.Join(proc, "5", "environ"):                   c.env + "\x00",
			filepath.Join(dir, "cert.pem"):                        string(cert),
			filepath.Join(dir, "key.pem"):                         string(key),
		} {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, said bytes.Buffer
		code := Main(process{
			Args: []string{
				"plan", "--url", "https://git.example.com" + c.path, "--bitbucket-version", "9.4.16", "--cert", filepath.Join(dir, "cert.pem"), "--key", filepath.Join(dir, "key.pem"), "--front", "builtin",
				"--proxy-config", filepath.Join(dir, "proxy.yaml"), "--upstream", "http://127.0.0.1:1", "--restart", "manual", "--base-url-method", "manual", "--state-dir", filepath.Join(dir, "state"),
			},
			In: strings.NewReader(""), Out: &out, Err: &said, Program: "/usr/local/bin/bitgate", Root: filepath.Join(dir, "root"), Proc: proc,
			Env: func(string) (string, bool) { return "", false },
		})
		text := out.String() + said.String()
		if (code != 0) != (c.refused != "") || !strings.Contains(text, c.refused) || !strings.Contains(text, c.printed) || c.printed == "" && strings.Contains(text, "context path changes") {
			t.Errorf("%+v: %d\n%s", c, code, text)
		}
	}
}
