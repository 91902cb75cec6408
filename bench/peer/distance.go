package peer

import (
	"net"
	"sync/atomic"
	"time"
)

// Distance passes connections on to an address from far away: each byte comes later
// by half a trip, and a new connection costs a trip there and back before its first
// byte, as TCP's handshake does. Its congestion control is that of the loopback.
type Distance struct {
	listener net.Listener
	to       string
	trip     atomic.Int64 // there and back
}

// NewDistance listens at one address and passes on to another.
func NewDistance(at, to string) (*Distance, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	d := &Distance{listener: l, to: to}
	go d.accept()
	return d, nil
}

// Set says how long the way there and back is from now on.
func (d *Distance) Set(trip time.Duration) { d.trip.Store(int64(trip)) }

// Close ends it; connections end with their clients.
func (d *Distance) Close() error { return d.listener.Close() }

func (d *Distance) accept() {
	for {
		near, err := d.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			trip := time.Duration(d.trip.Load())
			time.Sleep(trip)
			far, err := net.Dial("tcp", d.to)
			if err != nil {
				near.Close()
				return
			}
			go travel(far, near, trip/2)
			travel(near, far, trip/2)
		}()
	}
}

type parcel struct {
	due  time.Time
	data []byte
}

// travel copies bytes, each of them later by a time, until an end, which travels too.
func travel(to, from net.Conn, late time.Duration) {
	road := make(chan parcel, 4096)
	go func() {
		for b := range road {
			time.Sleep(time.Until(b.due))
			if _, err := to.Write(b.data); err != nil {
				break
			}
		}
		to.Close()
		for range road { // the sender must not wait for ever
		}
	}()
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			road <- parcel{time.Now().Add(late), buf[:n]}
		}
		if err != nil {
			break
		}
	}
	close(road)
}
