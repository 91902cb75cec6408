package process

import (
	"net"
	"path/filepath"
	"testing"
)

// Without systemd nobody makes the folder of the socket before the proxy starts.
func TestFolderOfTheHandoverIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitgate", "handover.sock")
	for range 2 { // the second start finds the folder, and the socket of the first
		l, err := offer(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if _, err := offer(filepath.Join(t.TempDir(), "no", "such", "folder", "handover.sock")); err == nil {
		t.Error("a path of which most is missing was made")
	}
}
