package bitbuckettest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bitgate/internal/peers"
)

// TestMain runs this binary as the stand-in when the test below asks for it.
func TestMain(m *testing.M) {
	peers.Suite{Jobs: map[string]func(string){"bitbucket": func(dir string) {
		if err := Run(context.Background(), Options{Dir: dir, Version: "9.4.16", Stdin: os.Stdin}, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}}}.Main(m)
}

func TestRunAsAProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), peers.JobEnv("bitbucket", dir))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ready Ready
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatal(err)
	}
	if ready.PID != cmd.Process.Pid || ready.Home != filepath.Join(dir, "home") || ready.Install != filepath.Join(dir, "install") || ready.BaseURL != ready.Upstream || ready.SSH == "" {
		t.Errorf("%+v", ready)
	}
	properties := filepath.Join(ready.Home, "shared", "bitbucket.properties")
	add(t, properties, "server.context-path=/code\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ready.Upstream+"/code/status")
	// A broken file leaves it down but alive, and the next SIGHUP tries again.
	add(t, properties, "server.secure=true\nserver.port=none\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(ready.Home, "log", "atlassian-bitbucket.log")
	peers.WaitFor(t, "the failed start", func() bool {
		data, _ := os.ReadFile(log)
		return strings.Contains(string(data), "Application startup failed")
	})
	add(t, properties, "server.port="+ready.Upstream[strings.LastIndexByte(ready.Upstream, ':')+1:]+"\n")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ready.Upstream+"/code/status")
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end of its input ended it with %v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, hold := io.Pipe()
	defer hold.Close()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(ctx, Options{Dir: t.TempDir(), Version: "4.14.12", Stdin: in}, w) }()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Timeout: peers.Limit, Transport: &http.Transport{DisableKeepAlives: true}}
	peers.WaitFor(t, address, func() bool {
		response, err := client.Get(address)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == 200 && response.Request.URL.String() == address
	})
}
