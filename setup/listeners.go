package setup

import "bitgate/internal/hostport"

// Holder returns who already listens where "host:port" (host may be empty or a
// name) would be bound: the same address, or a wildcard on either side.
func Holder(ls []Listener, listen string) (Listener, bool) {
	want, err := hostport.Parse(listen)
	if err != nil {
		return Listener{}, false
	}
	for _, l := range ls {
		if at, err := hostport.Parse(l.Address); err == nil && at.Overlaps(want) {
			return l, true
		}
	}
	return Listener{}, false
}

// Program names who listens.
func (l Listener) Program() string {
	if l.Process == "" {
		return "an unknown program"
	}
	return l.Process
}
