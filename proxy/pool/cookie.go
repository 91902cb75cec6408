package pool

import "strings"

// Cookie is HAProxy's "cookie NAME insert indirect nocache httponly secure": an
// own cookie that names the server, which the server itself never sees.
type Cookie struct{ Name string }

// Take finds the cookie in the value of a Cookie header and returns its value
// and the header without it ("indirect"). All other bytes stay as they are; ""
// as rest means that the header has nothing left.
func (c Cookie) Take(header string) (value, rest string, found bool) {
	var kept []string
	for pair := range strings.SplitSeq(header, ";") {
		name, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.TrimRight(name, " \t") != c.Name {
			kept = append(kept, pair)
			continue
		}
		if !found {
			value = strings.Trim(v, " \t\"")
		}
		found = true
	}
	if !found {
		return "", header, false
	}
	rest = strings.Join(kept, ";")
	return value, strings.Trim(rest, " \t"), true
}

// Set is the Set-Cookie value that binds a client to server, sent when it is not
// bound to it already. The answer that carries it must not be cached for
// others ("nocache": Cache-Control: private).
func (c Cookie) Set(server string) string {
	return c.Name + "=" + server + "; path=/; HttpOnly; Secure"
}
