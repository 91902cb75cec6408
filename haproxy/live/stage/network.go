package stage

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// raiseNetwork makes every address of IPv4 and IPv6 a local one of this network
// namespace, which has nothing but loopback.
func raiseNetwork() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, lo); err != nil {
		return fmt.Errorf("index of lo: %w", err)
	}
	// A local route is enough to connect to an address; to bind one of IPv6 it is not.
	for _, s := range []string{"ipv4/ip_nonlocal_bind", "ipv6/ip_nonlocal_bind"} {
		_ = os.WriteFile("/proc/sys/net/"+s, []byte("1"), 0) // a bind that fails says so itself
	}
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6", []byte("0"), 0)
	if err := localRoute(unix.AF_INET, lo.Uint32()); err != nil {
		return err
	}
	_ = localRoute(unix.AF_INET6, lo.Uint32()) // a machine without IPv6
	return nil
}

// localRoute is "ip route add local default dev lo" (rtnetlink(7)).
func localRoute(family uint8, link uint32) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer unix.Close(fd)
	ne := binary.NativeEndian
	var m []byte
	m = ne.AppendUint32(m, unix.SizeofNlMsghdr+unix.SizeofRtMsg+8)
	m = ne.AppendUint16(m, unix.RTM_NEWROUTE)
	m = ne.AppendUint16(m, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE)
	m = ne.AppendUint32(m, 1) // sequence
	m = ne.AppendUint32(m, 0)
	m = append(m, family, 0, 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_HOST, unix.RTN_LOCAL)
	m = ne.AppendUint32(m, 0) // flags
	m = ne.AppendUint16(m, 8)
	m = ne.AppendUint16(m, unix.RTA_OIF)
	m = ne.AppendUint32(m, link)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("add route: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return fmt.Errorf("add route: %w", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("add route: answer of %d bytes", n)
	}
	if code := -int32(ne.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return fmt.Errorf("add route: %w", unix.Errno(code))
	}
	return nil
}
