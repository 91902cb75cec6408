package detect

import (
	"net"
	"os"
	"strconv"
	"testing"

	"bitgate/setup"
)

func TestListenersFindOurOwnSocket(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("no %s here: %v", addr, err)
			continue
		}
		defer l.Close()
		all, err := Listeners("/proc")
		if err != nil {
			t.Fatal(err)
		}
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		got, ok := setup.Holder(all, ":"+port)
		if !ok || got.PID != os.Getpid() || got.Address != l.Addr().String() {
			t.Errorf("holder(:%s) = %+v, %v", port, got, ok)
		}
	}
}
