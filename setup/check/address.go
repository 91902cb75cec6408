package check

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
)

// Down reports whether an address is one of another machine now, or of none, so that
// nobody can ask there whether it serves.
func Down(listen string) bool {
	_, down := down(listen)
	return down
}

func down(listen string) (netip.Addr, bool) {
	at, err := hostport.Parse(listen)
	if err != nil {
		return netip.Addr{}, false // judged by validate
	}
	addr, err := netip.ParseAddr(at.Host)
	if err != nil || addr.IsUnspecified() || addr.IsLoopback() {
		return netip.Addr{}, false
	}
	own, err := sockets.Own(addr)
	return addr, err == nil && !own
}

// absentAddress is for an address that no interface has now, such as a floating one
// on the machine that waits: Linux lets nobody bind it unless ip_nonlocal_bind is on
// (ip-sysctl). haproxy -c binds nothing and does not see that.
func absentAddress(listen string) (problem.Finding, bool) {
	addr, down := down(listen)
	if !down {
		return problem.Finding{}, false
	}
	name := "net.ipv4.ip_nonlocal_bind"
	if addr.Is6() {
		name = "net.ipv6.ip_nonlocal_bind"
	}
	on, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil || strings.TrimSpace(string(on)) == "1" {
		return problem.Finding{}, false
	}
	return problem.Finding{
		ID: "address", Level: problem.Fail, Found: fmt.Sprintf("%s is not an address of this machine now, and %s is 0", addr, name),
		Why: "the front could not bind it, and its reload would fail although haproxy -c accepts the file",
		Do:  "bring the address up, or allow it: echo " + name + "=1 > /etc/sysctl.d/90-front.conf && sysctl --system",
	}, true
}
