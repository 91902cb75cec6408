package rules

import (
	"slices"
	"strings"

	"bitgate/internal/fieldnames"
	"bitgate/internal/publicurl"
	"bitgate/proxy/h1"
)

// AppendRequest writes the request's head for the server: the same target
// bytes, the fields in their order and spelling, none that could be taken for a
// proxy's, and ours.
func AppendRequest(to []byte, r *Request, u publicurl.URL) []byte {
	to = h1.AppendRequestLine(to, r.Method, r.Target)
	to = h1.AppendField(to, "Host", u.Authority())
	named := nominated(r.Fields)
	for _, f := range r.Fields {
		if forwardable(f.Name) && !isNominated(named, f.Name) && (r.Expect || !h1.Is(f.Name, "expect")) {
			to = h1.AppendField(to, f.Name, f.Value)
		}
	}
	if r.WebSocket {
		to = append(to, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	}
	for _, f := range r.Identity {
		to = h1.AppendField(to, f.Name, f.Value)
	}
	to = append(r.Client.AppendTo(append(to, "X-Forwarded-For: "...)), "\r\n"...)
	to = h1.AppendField(to, "X-Forwarded-Proto", "https")
	to = h1.AppendField(to, "X-Forwarded-Host", u.Authority())
	to = h1.AppendField(to, "X-Forwarded-Port", u.ProxyPort())
	switch {
	case r.Kind == h1.Chunked:
		to = h1.AppendField(to, "Transfer-Encoding", "chunked")
	case r.Kind == h1.Length || r.Explicit:
		to = h1.AppendLength(to, r.Length)
	}
	return append(to, "\r\n"...)
}

// forwardable refuses what belongs to one connection only (RFC 9110, 7.6.1),
// what we write ourselves, what speaks for a proxy, and every name that is not
// letters, digits and hyphens: servers fold X_Forwarded_For into X-Forwarded-For.
func forwardable(name []byte) bool {
	if !h1.Portable(name) {
		return false
	}
	if len(name) < len(dropped) {
		for _, d := range dropped[len(name)] {
			if h1.Is(name, d) {
				return false
			}
		}
	}
	for _, p := range droppedPrefixes {
		if len(name) >= len(p) && (name[0]|0x20) == p[0] && h1.Is(name[:len(p)], p) {
			return false
		}
	}
	return true
}

// dropped are the names that go no further, in lower case and by their length:
// most names of a request have none of it.
var dropped, droppedPrefixes = func() (byLength [32][]string, prefixes []string) {
	written := []string{"Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding"}
	for _, n := range slices.Concat(fieldnames.Identity, fieldnames.HopByHop, written) {
		byLength[len(n)] = append(byLength[len(n)], strings.ToLower(n))
	}
	for _, p := range fieldnames.Prefixes {
		prefixes = append(prefixes, strings.ToLower(p))
	}
	return byLength, prefixes
}()

// nominated returns the values of Connection: the fields they name go no
// further (RFC 9110, 7.6.1).
func nominated(fields []h1.Field) [][]byte {
	var lists [][]byte
	for _, f := range fields {
		if h1.Is(f.Name, "connection") && !plainConnection(f.Value) {
			lists = append(lists, f.Value)
		}
	}
	return lists
}

func plainConnection(value []byte) bool {
	return h1.Is(value, "keep-alive") || h1.Is(value, "close") || h1.Is(value, "upgrade")
}

// isNominated spares what a client must not be able to take away: it says who
// asks (RFC 9110, 7.6.1, forbids to name fields meant for all recipients).
func isNominated(lists [][]byte, name []byte) bool {
	if len(lists) == 0 || h1.Is(name, "authorization") || h1.Is(name, "cookie") || h1.Is(name, "expect") {
		return false
	}
	for _, list := range lists {
		for len(list) > 0 {
			var item []byte
			if item, list = h1.NextItem(list); equalFold(item, name) {
				return true
			}
		}
	}
	return false
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && (a[i]^b[i] != 0x20 || a[i]|0x20 < 'a' || a[i]|0x20 > 'z') {
			return false
		}
	}
	return true
}

// AnswerHead is what goes to the client of the server's answer res to r; fields
// are those that AnswerFields kept, with whatever was added.
func AnswerHead(r *Request, res *h1.Response, fields []h1.Field) h1.Head {
	a := h1.Head{Status: res.Status, Reason: res.Reason, Fields: fields, Length: res.Length}
	a.Empty = res.Status == 101 || res.Status == 204 || res.Status == 304
	switch {
	case res.Status == 101 || res.Status == 204:
		a.Length = -1 // RFC 9110, 8.6: no Content-Length
	case res.Kind == h1.None && !r.IsHEAD() && !a.Empty:
		a.Length = 0
	}
	return a
}

// AnswerFields keeps of an answer's fields those that are meant for the client.
// Content-Length is left out: each side writes its own.
func AnswerFields(to []h1.Field, r *h1.Response) []h1.Field {
	named := nominated(r.Fields)
	for _, f := range r.Fields {
		if returnable(f.Name) && !isNominated(named, f.Name) {
			to = append(to, f)
		}
	}
	return to
}

func returnable(name []byte) bool {
	switch len(name) { // most names need no comparison
	case 7:
		return !h1.Is(name, "trailer") && !h1.Is(name, "upgrade")
	case 10:
		return !h1.Is(name, "connection") && !h1.Is(name, "keep-alive")
	case 14:
		return !h1.Is(name, "content-length")
	case 16:
		return !h1.Is(name, "proxy-connection")
	case 17:
		return !h1.Is(name, "transfer-encoding")
	}
	return true
}
