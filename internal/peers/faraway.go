package peers

import (
	"net"
	"testing"
	"time"
)

// FarAway passes connections on to an address, each byte later by a distance, both
// ways, and returns where: a network between two cities without one.
func FarAway(t testing.TB, to string, distance time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go travel(far, near, distance)
			go travel(near, far, distance)
		}
	}()
	return l.Addr().String()
}

// travel copies bytes, each of them later by the distance.
func travel(to, from net.Conn, distance time.Duration) {
	type parcel struct {
		due  time.Time
		data []byte
	}
	road := make(chan parcel, 4096)
	go func() {
		defer to.Close()
		for p := range road {
			time.Sleep(time.Until(p.due)) // what it is for, not a way to wait
			if _, err := to.Write(p.data); err != nil {
				break
			}
		}
		for range road { // the sender must not wait for ever
		}
	}()
	defer close(road)
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			road <- parcel{time.Now().Add(distance), buf[:n]}
		}
		if err != nil {
			return
		}
	}
}
