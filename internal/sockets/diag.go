package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's answers to sock_diag(7), which cost what was asked for. A read of
// /proc/net/tcp walks every connection of the machine, and a login asks for each
// of its own.

// diagRequest is struct inet_diag_req_v2 of linux/inet_diag.h.
type diagRequest struct {
	Family, Protocol, Ext, _ uint8
	States                   uint32
	ID                       diagID
}

// diagID is struct inet_diag_sockid; ports and addresses are in network order.
type diagID struct {
	Local, Remote         [2]byte
	LocalAddr, RemoteAddr [16]byte
	Interface             uint32
	Cookie                [2]uint32
}

// diagMessage is struct inet_diag_msg.
type diagMessage struct {
	Family, State, Timer, Retrans uint8
	ID                            diagID
	Expires, RQueue, WQueue       uint32
	UID, Inode                    uint32
}

// stateListen is TCP_LISTEN of the kernel's states.
const stateListen = 10

// ask sends one request and reads its answers. Flags is unix.NLM_F_DUMP for
// every socket that matches, 0 for exactly the one that is named.
func ask(request diagRequest, flags uint16) ([]Socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	defer unix.Close(fd)
	body := unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	message := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(message, uint32(cap(message)))
	binary.NativeEndian.PutUint16(message[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|flags)
	if err := unix.Sendto(fd, append(message, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	var all []Socket
	buffer := make([]byte, 32<<10) // what netlink hands out at once (NLMSG_GOODSIZE) is less
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == unix.NLMSG_DONE:
				return all, nil
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				return all, fmt.Errorf("sock_diag: %w", syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data))))
			case len(m.Data) >= int(unsafe.Sizeof(diagMessage{})):
				all = append(all, (*diagMessage)(unsafe.Pointer(&m.Data[0])).socket())
			}
		}
		if flags == 0 {
			return all, nil
		}
	}
}

func (m *diagMessage) socket() Socket {
	end := func(addr [16]byte, port [2]byte) netip.AddrPort {
		ip := netip.AddrFrom16(addr)
		if m.Family == unix.AF_INET {
			ip = netip.AddrFrom4([4]byte(addr[:4]))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port[:]))
	}
	return Socket{
		Local: end(m.ID.LocalAddr, m.ID.Local), Remote: end(m.ID.RemoteAddr, m.ID.Remote),
		Listening: m.State == stateListen, UID: m.UID, Inode: strconv.FormatUint(uint64(m.Inode), 10),
	}
}

// diagListening asks for what listens on port, or everything for 0.
func diagListening(port uint16) ([]Socket, error) {
	var all []Socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := diagRequest{Family: family, Protocol: unix.IPPROTO_TCP, States: 1 << stateListen}
		binary.BigEndian.PutUint16(request.ID.Local[:], port)
		found, err := ask(request, unix.NLM_F_DUMP)
		if errors.Is(err, unix.ENOENT) && family == unix.AF_INET6 {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// diagConnection asks for one end of a connection.
func diagConnection(local, remote netip.AddrPort) (Socket, bool, error) {
	request := diagRequest{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: ^uint32(0)}
	request.ID.Cookie = [2]uint32{^uint32(0), ^uint32(0)} // INET_DIAG_NOCOOKIE
	if local.Addr().Is6() {
		request.Family = unix.AF_INET6
	}
	copy(request.ID.LocalAddr[:], local.Addr().AsSlice())
	copy(request.ID.RemoteAddr[:], remote.Addr().AsSlice())
	binary.BigEndian.PutUint16(request.ID.Local[:], local.Port())
	binary.BigEndian.PutUint16(request.ID.Remote[:], remote.Port())
	found, err := ask(request, 0)
	if errors.Is(err, unix.ENOENT) || err == nil && len(found) == 0 {
		return Socket{}, false, nil
	}
	if err != nil {
		return Socket{}, false, err
	}
	// Where there is no such connection the kernel names who listens there.
	return found[0], !found[0].Listening, nil
}
