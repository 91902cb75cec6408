package haproxy

import "strings"

// RuntimeSocket is the address of the first socket on which the running HAProxy
// can be asked ("stats socket", management guide 9.3), preferring one whose users
// may change things: "unix:/run/haproxy/admin.sock" or "tcp:127.0.0.1:9999"; ""
// without one that bitgate can reach. admin says whether it may change things.
func RuntimeSocket(set []Source) (address string, admin bool) {
	for _, src := range set {
		f := Parse(src.Data)
		for _, l := range f.Lines {
			if l.Section < 0 || f.Sections[l.Section].Keyword != "global" || len(l.Words) < 3 || l.Words[0].Text != "stats" || l.Words[1].Text != "socket" {
				continue
			}
			at := socketAddress(l.Words[2])
			may := false
			for i, w := range l.Words[3:] {
				may = may || w.Text == "admin" && l.Words[3+i-1].Text == "level"
			}
			if at != "" && (address == "" || may && !admin) {
				address, admin = at, may
			}
		}
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
