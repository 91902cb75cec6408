package rules

import (
	"bytes"
	"slices"

	"bitgate/proxy/h1"
)

// LogsInConnection reports whether the exchange of r for res may have left a login
// on the server's connection: by NTLM or Negotiate (RFC 4559, 6) or what takes
// after them. What is known to log in one request only is not meant.
func LogsInConnection(r *Request, res *h1.Response) bool {
	for _, f := range r.Fields {
		if h1.Is(f.Name, "authorization") && !perRequest(scheme(f.Value)) {
			return true
		}
	}
	for _, f := range res.Fields {
		switch {
		case h1.Is(f.Name, "www-authenticate"), h1.Is(f.Name, "proxy-authenticate"), h1.Is(f.Name, "authentication-info"):
			if challengesConnection(f.Value) {
				return true
			}
		case h1.Is(f.Name, "persistent-auth"), h1.Is(f.Name, "proxy-support"): // IIS; RFC 4559, 6
			return true
		}
	}
	return false
}

// perRequest are the schemes whose credentials come with each request: RFC 7617,
// 7616, 6750 and 5849, GitHub's and GitLab's "token".
func perRequest(scheme []byte) bool {
	return slices.ContainsFunc([]string{"basic", "digest", "bearer", "oauth", "token"}, func(name string) bool { return h1.Is(scheme, name) })
}

// challengesConnection looks for such a scheme among challenges (RFC 9110, 11.6.1),
// which commas separate from each other and from their own parameters.
func challengesConnection(list []byte) bool {
	for len(list) > 0 {
		var item []byte
		item, list = nextChallenge(list)
		for _, name := range []string{"ntlm", "negotiate", "kerberos", "nego2"} {
			if h1.Is(scheme(item), name) {
				return true
			}
		}
	}
	return false
}

// nextChallenge cuts at the first comma outside of quotes.
func nextChallenge(list []byte) (item, rest []byte) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, nil
}

// scheme is the first word.
func scheme(credentials []byte) []byte {
	word, _, _ := bytes.Cut(bytes.TrimLeft(credentials, " \t"), []byte(" "))
	return bytes.TrimRight(word, " \t")
}
