package setup

import (
	"net"
	"os"
	"strconv"
	"testing"
)

func TestListenersFindOurOwnSocket(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("no %s here: %v", addr, err)
			continue
		}
		defer l.Close()
		all, err := listeners("/proc")
		if err != nil {
			t.Fatal(err)
		}
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		got, ok := holder(all, ":"+port)
		if !ok || got.PID != os.Getpid() || got.Address != l.Addr().String() {
			t.Errorf("holder(:%s) = %+v, %v", port, got, ok)
		}
	}
}

func TestHolder(t *testing.T) {
	ls := []Listener{{Address: "127.0.0.1:443", Process: "a"}, {Address: "[::]:80", Process: "b"}, {Address: "10.0.0.1:7999", Process: "c"}}
	for listen, want := range map[string]string{
		":443": "a", "*:443": "a", "127.0.0.1:443": "a", "10.0.0.1:443": "",
		"10.0.0.1:80": "b", "[::1]:80": "b", "127.0.0.1:7999": "", "0.0.0.0:7999": "c", ":8443": "",
	} {
		if got, _ := holder(ls, listen); got.Process != want {
			t.Errorf("holder(%q) = %q, want %q", listen, got.Process, want)
		}
	}
}
