package stage

import (
	"fmt"
	"os/user"
	"strconv"

	"bitgate/haproxy/live"
	"bitgate/internal/sockets"
)

// Of is a rehearsal in the HAProxy of this machine, as its service starts it.
// program is this binary.
func Of(in live.Install, program string) (Rehearsal, error) {
	s := in.Service
	r := Rehearsal{Program: program, Bin: in.Bin, Args: s.Args, Env: s.Env, Dir: s.Dir, Local: localAddresses()}
	if s.User == "" || s.User == "root" {
		return r, nil
	}
	u, err := user.Lookup(s.User)
	if err != nil {
		return r, fmt.Errorf("HAProxy's service runs as %s: %w", s.User, err)
	}
	gid := u.Gid
	if s.Group != "" {
		g, err := user.LookupGroup(s.Group)
		if err != nil {
			return r, fmt.Errorf("HAProxy's service runs in the group %s: %w", s.Group, err)
		}
		gid = g.Gid
	}
	r.User = &User{UID: id(u.Uid), GID: id(gid), Binds: s.Binds, Chroots: s.Chroots}
	return r, nil
}

func id(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32) // the system's own number
	return uint32(n)
}

// localAddresses are those that a server line may have for this very machine.
func localAddresses() []string {
	all, err := sockets.Addresses()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return out
}
