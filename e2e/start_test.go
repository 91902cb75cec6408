package e2e

import (
	"bytes"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/creack/pty"
)

// The time that a person waits (make bench-start): medians, because one slow
// run says more about the machine.

func BenchmarkVersion(b *testing.B) {
	bin := binary(b)
	report(b, "ms/median", func() time.Duration {
		began := time.Now()
		must(b, exec.Command(bin, "version").Run())
		return time.Since(began)
	})
}

// BenchmarkFirstScreen is the time up to the first whole frame, whose last
// line names the keys.
func BenchmarkFirstScreen(b *testing.B) { benchmarkScreen(b, "ctrl+c") }

// BenchmarkFound is the time until the screen says what is on the machine.
func BenchmarkFound(b *testing.B) { benchmarkScreen(b, "Enter starts with step 1") }

func benchmarkScreen(b *testing.B, words string) {
	bin := binary(b)
	report(b, "ms/median", func() time.Duration {
		cmd := exec.Command(bin)
		cmd.Env = []string{"TERM=xterm-256color", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
		began := time.Now()
		tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 100, Rows: 30})
		must(b, err)
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			tty.Close()
		}()
		var seen []byte
		buf := make([]byte, 8192)
		for !bytes.Contains(seen, []byte(words)) {
			n, err := tty.Read(buf)
			must(b, err)
			seen = append(seen, buf[:n]...)
		}
		return time.Since(began)
	})
}

func report(b *testing.B, unit string, once func() time.Duration) {
	var all []time.Duration
	for b.Loop() {
		all = append(all, once())
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, unit)
}
