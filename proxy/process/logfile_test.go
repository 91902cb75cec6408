package process

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestReopenLosesNoLine: a log that is opened anew again and again has each line.
func TestReopenLosesNoLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := &logFile{path: path}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	var opening sync.WaitGroup
	opening.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				l.reopen(t.Errorf)
			}
		}
	})
	const lines = 20000
	for range lines {
		if _, err := l.Write([]byte("line\n")); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	opening.Wait()
	text, err := os.ReadFile(path)
	if err != nil || bytes.Count(text, []byte("line\n")) != lines {
		t.Errorf("%d of %d lines, %v", bytes.Count(text, []byte("line\n")), lines, err)
	}
}
