package haproxy

import "strings"

// RuntimeSocket is the address of the first socket on which the running HAProxy
// can be asked ("stats socket", management guide 9.3), preferring one whose users
// may change things: "unix:/run/haproxy/admin.sock" or "tcp:127.0.0.1:9999"; ""
// without one that bitgate can reach. admin says whether it may change things.
func (c Config) RuntimeSocket() (address string, admin bool) {
	for _, f := range c.files {
		f.asRead(func(s Section, i int) {
			w := f.Lines[i].Words
			if s.Keyword != "global" || len(w) < 3 || w[0].Text != "stats" || w[1].Text != "socket" {
				return
			}
			at, may := socketAddress(w[2]), false
			for n := range w[3:] {
				may = may || w[3+n].Text == "admin" && w[2+n].Text == "level"
			}
			if at != "" && (address == "" || may && !admin) {
				address, admin = at, may
			}
		})
	}
	return address, admin
}

func socketAddress(w Word) string {
	path := strings.TrimPrefix(w.Text, "unix@")
	if e, tcp := parseBind(w.Text); tcp && e.addr.IsValid() && !e.unsure && !w.Env {
		return "tcp:" + spellServer(e, Version{Major: 2})
	}
	if w.Env || !strings.HasPrefix(path, "/") || strings.Contains(path, ",") {
		return ""
	}
	return "unix:" + path
}
