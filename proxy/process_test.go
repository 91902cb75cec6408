package proxy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
)

// proxyJob is the test binary as the proxy itself.
const proxyJob = "proxy"

// runChild is a proxy process, as `bitgate proxy --config` is one.
func runChild(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	c, err := config.Parse(path, data)
	if err != nil {
		panic(err)
	}
	// Threads that exist before the drop must lose their privileges as well.
	var threads sync.WaitGroup
	for range 8 {
		threads.Add(1)
		go func() {
			runtime.LockOSThread()
			threads.Done()
			select {}
		}()
	}
	threads.Wait()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // child could not know it
	surroundings := process.Surroundings{
		Log: os.Stdout, Reload: reload, Watchdog: time.Second,
		Notify:  func(state string) error { _, err := daemon.SdNotify(false, state); return err },
		Sockets: func() []*os.File { return activation.Files(true) },
	}
	if err := process.Run(ctx, c, surroundings); err != nil {
		fmt.Fprintln(os.Stdout, "failed:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, endedWell)
}

const endedWell = "ended well"

// child starts program, the test binary or a copy of it, as a proxy process.
func child(t *testing.T, program, file string, env []string, sockets ...*os.File) *peers.Process {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), peers.JobEnv(proxyJob, file), "LISTEN_FDS="+strconv.Itoa(len(sockets)))
	cmd.Env = append(cmd.Env, env...)
	cmd.ExtraFiles = sockets
	return peers.Start(t, cmd)
}

// serves waits until the child says that it listens.
func serves(t *testing.T, p *peers.Process) {
	t.Helper()
	until(t, "the process listens", func() bool {
		return strings.Contains(p.Output(), " listens on ") || !p.Running()
	})
	if !p.Running() {
		t.Fatalf("it ended:\n%s", p.Output())
	}
}

// endsWell waits until the child has ended without an error.
func endsWell(t *testing.T, p *peers.Process) {
	t.Helper()
	receive(t, "the process ends", p.Done())
	if !strings.HasSuffix(p.Output(), endedWell+"\n") {
		t.Errorf("it failed:\n%s", p.Output())
	}
}

// configFile writes c where a child reads it.
func configFile(t *testing.T, dir string, c config.Config) string {
	t.Helper()
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "proxy.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
