package rules

import (
	"slices"

	"bitgate/proxy/config"
	"bitgate/proxy/h1"
	"bitgate/proxy/pool"
	"bitgate/proxy/record"
)

// Sticky is how a client is bound to a server by the proxy's cookie, and what
// the log says about it. The zero value is for one exchange.
type Sticky struct {
	State  record.CookieState
	Insert record.CookieInsert
}

// Take removes the cookie from r and returns the server that it names, "" for
// none.
func (s *Sticky) Take(c *config.Config, r *Request) (server string) {
	if c.Cookie == "" {
		return ""
	}
	own := pool.Cookie{Name: c.Cookie}
	found := false
	kept := r.Fields[:0]
	for _, f := range r.Fields {
		if h1.Is(f.Name, "cookie") {
			value, rest, here := own.Take(string(f.Value))
			if here && !found {
				server, found = value, true
			}
			if here && rest == "" {
				continue
			}
			if here {
				f.Value = []byte(rest)
			}
		}
		kept = append(kept, f)
	}
	r.Fields = kept
	s.State, s.Insert = record.CookieNone, record.InsertNone
	if found {
		s.State = record.CookieInvalid
		if slices.ContainsFunc(c.Servers(), func(n config.Node) bool { return n.Name == server }) {
			s.State = record.CookieDown // until the pool goes by it
		}
	}
	return server
}

// Bind adds to an answer of the server that place is at what binds the client
// to it, where it is not yet.
func (s *Sticky) Bind(c *config.Config, place *pool.Request, fields []h1.Field) []h1.Field {
	switch {
	case c.Cookie == "":
		return fields
	case place.Persistent:
		s.State = record.CookieValid
		return fields
	}
	s.Insert = record.Inserted
	return append(fields, field("Set-Cookie", pool.Cookie{Name: c.Cookie}.Set(place.Server())), field("Cache-Control", "private"))
}
