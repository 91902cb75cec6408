package loop

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here never block (the sockets are non-blocking), so the Go scheduler
// need not be told about them: that costs more than the call's way into the
// kernel, and it wakes the scheduler's monitor, which then looks around every 20
// microseconds for a while.

// receive reads from a socket, a little quicker than read(2).
func receive(fd int, p []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		if e != unix.EINTR {
			return result(n, e)
		}
	}
}

func send(fd int, p []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if e != unix.EINTR {
			return result(n, e)
		}
	}
}

func result(n uintptr, e syscall.Errno) (int, error) {
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// accept returns the next connection to the listening socket, and its peer.
func accept(listener int) (int, netip.AddrPort, error) {
	var raw unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	return int(n), addressOf(&raw), nil
}

// localAddress is where the socket is bound to.
func localAddress(fd int) (netip.AddrPort, error) {
	var raw unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	if _, _, e := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size))); e != 0 {
		return netip.AddrPort{}, e
	}
	return addressOf(&raw), nil
}

// ring adds to an eventfd, which cannot be full.
func ring(bell int) {
	one := [8]byte{1}
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(bell), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// silence empties an eventfd.
func silence(bell int) {
	var count [8]byte
	_, _, _ = syscall.RawSyscall(unix.SYS_READ, uintptr(bell), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
}

func setOption(fd, level, option, value int) error {
	v := int32(value)
	_, _, e := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0)
	_, err := result(0, e)
	return err
}

// closeSocket closes fd. Linux has done so even where it says that it was
// interrupted (close(2)).
func closeSocket(fd int) error {
	_, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	if e == unix.EINTR {
		return nil
	}
	_, err := result(0, e)
	return err
}

func shutdownSend(fd int) error {
	_, _, e := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	_, err := result(0, e)
	return err
}

func addressOf(raw *unix.RawSockaddrAny) netip.AddrPort {
	switch raw.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), fromNetwork(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		addr := netip.AddrFrom16(in.Addr)
		if in.Scope_id != 0 && !addr.Is4In6() {
			if i, err := net.InterfaceByIndex(int(in.Scope_id)); err == nil {
				addr = addr.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(addr.Unmap(), fromNetwork(in.Port))
	}
	return netip.AddrPort{}
}

// fromNetwork turns a port from the network's byte order into ours.
func fromNetwork(port uint16) uint16 {
	return binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(make([]byte, 0, 2), port))
}
