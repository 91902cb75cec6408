package bitbucket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
	"bitgate/internal/trusted"
)

// OwnerOf is the user a home directory belongs to: who runs Bitbucket, as its
// start scripts have it. ok is false where that cannot be seen.
func OwnerOf(home string) (uid uint32, ok bool) {
	if home == "" {
		return 0, false
	}
	info, err := atomicfile.Stat(home)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}

// receiver judges who would get the credentials at the other end of a connection
// within this machine, where no certificate says so.
type receiver struct {
	home string // its owner may have them
	proc string
}

// may: root, whoever runs bitgate, and the owner of the home.
func (r receiver) may(uid uint32) bool {
	owner, known := OwnerOf(r.home)
	return trusted.User(uid) || known && owner == uid
}

// check refuses a connection that ends at a stranger's program. Both ends of it
// are sockets of this machine, so the kernel knows whose they are:
//
//   - every socket that listens there must be of somebody who may;
//   - so must the accepted one, or a process must hold it together with one that
//     listens (a server that root started and that gave its rights up); while it
//     waits to be accepted it can go nowhere but to those that listen;
//   - where neither is to be seen the kernel leads the connection elsewhere (NAT
//     of a container's published port), which only root can make it do.
//
// It is done after dialling, on the connection that then carries the secret: a
// listener that goes away and comes back as another's changes nothing.
func (r receiver) check(conn net.Conn) error {
	server, err1 := netip.ParseAddrPort(conn.RemoteAddr().String())
	client, err2 := netip.ParseAddrPort(conn.LocalAddr().String())
	all, err := sockets.Listening(r.proc, server.Port())
	accepted, found, err3 := sockets.Connection(r.proc, server, client)
	_, seen, err4 := sockets.Connection(r.proc, client, server) // our own end: whether anything can be seen
	if err := errors.Join(err, err1, err2, err3, err4); err != nil || !seen {
		return r.refuse(server, "who listens there cannot be found out: "+r.proc+"/net/tcp cannot be read", "")
	}
	server = sockets.Plain(server)
	var listening []string
	for _, s := range all {
		if s.Takes(server) {
			if !r.may(s.UID) {
				return r.stranger(server, s)
			}
			listening = append(listening, s.Inode)
		}
	}
	switch {
	case !found: // led elsewhere by the kernel, or listened to by root's program that leads it on
		return nil
	case accepted.Inode == "0" && len(listening) > 0:
		return nil
	case accepted.Inode == "0":
		return r.refuse(server, "what listened there has gone", "")
	case r.may(accepted.UID) || r.sharedWith(listening, accepted.Inode):
		return nil
	}
	return r.stranger(server, accepted)
}

// sharedWith reports whether a process holds this socket and one that listens.
func (r receiver) sharedWith(listening []string, accepted string) bool {
	held := sockets.Holders(r.proc, append(listening, accepted)...)
	for _, mine := range held[accepted] {
		for _, l := range listening {
			for _, p := range held[l] {
				if p.PID == mine.PID {
					return true
				}
			}
		}
	}
	return false
}

// stranger names the program that would have got the password.
func (r receiver) stranger(server netip.AddrPort, s sockets.Socket) error {
	by := "a program of " + trusted.Who(s.UID)
	for _, p := range sockets.Holders(r.proc, s.Inode)[s.Inode] {
		by = fmt.Sprintf("process %d (%s) of %s", p.PID, p.Name, trusted.Who(s.UID))
	}
	return r.refuse(server, by+" listens there", fmt.Sprintf(" (seen: ss -ltnp 'sport = :%d')", server.Port()))
}

func (r receiver) refuse(server netip.AddrPort, found, seen string) error {
	whose := "nobody said which home directory is Bitbucket's"
	do := "find out who that is" + seen + "; where it is Bitbucket, name its home: --home DIR"
	if owner, known := OwnerOf(r.home); known {
		whose = fmt.Sprintf("Bitbucket's home %s belongs to %s", r.home, trusted.Who(owner))
		do = "find out who that is" + seen + "; Bitbucket must run as the owner of its home, or --upstream name its port"
	} else if r.home != "" {
		whose = "the owner of " + r.home + " cannot be seen"
	}
	return problem.New(fmt.Sprintf("the password is not sent to %s: %s, and %s", server, found, whose),
		"any user of this machine can listen on a port while Bitbucket does not", strings.TrimSpace(do))
}
