// Package sockets reads the addresses of this machine, its TCP sockets and who holds them
// (sock_diag(7), or proc(5): net/tcp and net/tcp6; and the links in PID/fd).
package sockets

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Addresses are those of this machine's interfaces, without their zones.
func Addresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	var out []netip.Addr
	for _, a := range all {
		if p, perr := netip.ParsePrefix(a.String()); perr == nil {
			out = append(out, p.Addr().Unmap().WithZone(""))
		}
	}
	return out, err
}

// Own reports whether an interface of this machine has one of some addresses.
func Own(addresses ...netip.Addr) (bool, error) {
	mine, err := Addresses()
	return slices.ContainsFunc(addresses, func(a netip.Addr) bool { return slices.Contains(mine, a.Unmap().WithZone("")) }), err
}

// Socket is one TCP socket as the kernel has it.
type Socket struct {
	Local, Remote netip.AddrPort
	Listening     bool
	UID           uint32 // of who made it, or, for a connection, accepted it
	Inode         string // "0": a connection that nobody has accepted yet, or has no more
}

// Takes reports whether a listening socket is where a connection to address
// would arrive: by its own address or a wildcard. That of IPv6 takes IPv4 too,
// unless IPV6_V6ONLY is set, which cannot be seen.
func (s Socket) Takes(address netip.AddrPort) bool {
	mine, to := s.Local.Addr(), address.Addr().Unmap()
	if !s.Listening || s.Local.Port() != address.Port() {
		return false
	}
	return mine.Unmap() == to || mine.IsUnspecified() && (mine.Is6() || to.Is4())
}

// kernelsProc is where the process table lies outside tests. The kernel is asked
// itself only for that one.
const kernelsProc = "/proc"

// Listening are the sockets of this network namespace that listen on port, or on
// any for 0.
func Listening(proc string, port uint16) ([]Socket, error) {
	if proc == kernelsProc {
		if all, err := diagListening(port); err == nil {
			return all, nil
		} // a kernel or a sandbox without sock_diag
	}
	all, err := table(proc)
	return slices.DeleteFunc(all, func(s Socket) bool {
		return !s.Listening || port != 0 && s.Local.Port() != port
	}), err
}

// Connection is this machine's end of a connection, whose other end is remote.
func Connection(proc string, local, remote netip.AddrPort) (s Socket, found bool, err error) {
	local, remote = Plain(local), Plain(remote)
	if proc == kernelsProc {
		if s, found, err := diagConnection(local, remote); err == nil {
			return s, found, nil
		}
	}
	all, err := table(proc)
	for _, s := range all {
		if !s.Listening && Plain(s.Local) == local && Plain(s.Remote) == remote {
			return s, true, err
		}
	}
	return Socket{}, false, err
}

// Plain is an address as IPv4 where it is IPv4 in IPv6, and without a zone.
func Plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// table lists the sockets of this network namespace, all of them.
func table(proc string) ([]Socket, error) {
	var all []Socket
	for _, name := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
			if s, ok := parse(lines.Text()); ok {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// listen is TCP_LISTEN of the kernel's states.
const listen = "0A"

// parse reads a line: sl, local, remote, state, queues, timer, retransmits, uid,
// timeout, inode.
func parse(line string) (Socket, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return Socket{}, false
	}
	local, ok1 := parseAddr(f[1])
	remote, ok2 := parseAddr(f[2])
	uid, err := strconv.ParseUint(f[7], 10, 32)
	return Socket{Local: local, Remote: remote, Listening: f[3] == listen, UID: uint32(uid), Inode: f[9]}, ok1 && ok2 && err == nil
}

// parseAddr reads "0100007F:1F90": 32-bit words in host (little-endian) order.
func parseAddr(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr, uint16(n)), err == nil
}

// Process holds sockets.
type Process struct {
	PID  int
	Name string // as it calls itself (PID/comm): anybody's word
}

// Holders finds who holds the sockets with these inodes, as far as that may be
// seen; a socket can have several.
func Holders(proc string, inodes ...string) map[string][]Process {
	wanted, out := map[string]bool{}, map[string][]Process{}
	for _, i := range inodes {
		wanted[i] = true
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(to, "socket:[") {
			continue
		}
		inode := strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")
		if !wanted[inode] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		pid, _ := strconv.Atoi(filepath.Base(dir))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		out[inode] = append(out[inode], Process{pid, strings.TrimSpace(string(comm))})
	}
	return out
}
