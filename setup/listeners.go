package setup

import (
	"net/netip"
	"strconv"
	"strings"
)

// Holder returns who already listens where "host:port" (host may be empty or a
// name) would be bound: the same address, or a wildcard on either side.
func Holder(ls []Listener, listen string) (Listener, bool) {
	host, port := SplitListen(listen)
	for _, l := range ls {
		ap, err := netip.ParseAddrPort(l.Address)
		if err != nil || strconv.Itoa(int(ap.Port())) != port {
			continue
		}
		want, err := netip.ParseAddr(host)
		if err != nil || want.IsUnspecified() || ap.Addr().IsUnspecified() || want.Unmap() == ap.Addr().Unmap() {
			return l, true
		}
	}
	return Listener{}, false
}

// SplitListen splits "host:port"; a wildcard host is "".
func SplitListen(listen string) (host, port string) {
	i := strings.LastIndexByte(listen, ':')
	if i < 0 {
		return "", listen
	}
	host = strings.Trim(listen[:i], "[]")
	if host == "*" {
		host = ""
	}
	return host, listen[i+1:]
}

// Program names who listens.
func (l Listener) Program() string {
	if l.Process == "" {
		return "an unknown program"
	}
	return l.Process
}
