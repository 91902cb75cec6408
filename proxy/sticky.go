package proxy

import (
	"strconv"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/pool"
	"bitgate/proxy/record"
)

// takeCookie removes the cookie that binds the client to a server from the
// request and returns that server's name.
func (e *exchange) takeCookie() string {
	name := e.p.cfg.Cookie
	if name == "" {
		return ""
	}
	own := pool.Cookie{Name: name}
	value, found := "", false
	kept := e.r.fields[:0]
	for _, f := range e.r.fields {
		if h1.Is(f.Name, "cookie") {
			v, rest, here := own.Take(string(f.Value))
			if here && !found {
				value, found = v, true
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
	e.r.fields = kept
	e.cookie, e.insert = record.CookieNone, record.InsertNone
	if found {
		e.cookie = record.CookieInvalid
		if _, known := e.p.admission.addresses[value]; known {
			e.cookie = record.CookieDown // until the pool goes by it
		}
	}
	return value
}

// withCookie binds the client to its server where it is not yet.
func (e *exchange) withCookie(fields []h1.Field) []h1.Field {
	name := e.p.cfg.Cookie
	switch {
	case name == "":
		return fields
	case e.place.Persistent:
		e.cookie = record.CookieValid
		return fields
	}
	e.insert = record.Inserted
	return append(fields,
		h1.Field{Name: []byte("Set-Cookie"), Value: []byte(pool.Cookie{Name: name}.Set(e.place.Server()))},
		h1.Field{Name: []byte("Cache-Control"), Value: []byte("private")})
}

// begin starts the final answer. Under --hsts browsers are told to come back
// over https only; subdomains are other people's servers, so they are left out.
func (e *exchange) begin(a head) error {
	if age := e.p.cfg.HSTS; age > 0 {
		kept := a.fields[:0]
		for _, f := range a.fields {
			if !h1.Is(f.Name, "strict-transport-security") {
				kept = append(kept, f)
			}
		}
		value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
		a.fields = append(kept, h1.Field{Name: []byte("Strict-Transport-Security"), Value: []byte(value)})
	}
	return e.c.begin(a)
}
