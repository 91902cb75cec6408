package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
)

// sharePlain adds the section of a bind to those that send plain requests for
// our name on to HTTPS, or says why it cannot.
func (m *merger) sharePlain(b *bindings, h bindAt, want string) error {
	sec := m.section(h.place)
	why := ""
	switch {
	case h.at.unsure:
		why = "its port cannot be read"
	case sec.Keyword != "frontend" && sec.Keyword != "listen":
		why = "it serves no requests"
	case h.SSL:
		why = "it takes TLS there"
	case m.modeOf(h.place) != "http":
		why = "it forwards bytes (mode tcp), so that no HTTP rule can be added there"
	case m.files[h.file].outside(sec.First) != sec.First:
		why = "it stands under a condition (.if), and may not be there when HAProxy starts"
	}
	if why != "" {
		return refuseBind(h, want, why, "leave the redirect out (--http-redirect never), or take that bind out")
	}
	for i := range b.plain {
		if s := &b.plain[i]; s.place == h.place {
			s.binds = append(s.binds, h.line)
			return nil
		}
	}
	b.plain = append(b.plain, sharedSection{place: h.place, binds: []int{h.line}})
	return nil
}

// beforeHTTP are the rules of a section before which a redirect has to stand:
// HAProxy works through http-request rules first and warns about another order,
// and a rule of the administrator's may end the request.
var beforeHTTP = []string{"http-request", "redirect", "use_backend", "use-server", "block", "reqadd", "reqrep", "reqirep", "reqdel", "reqidel", "reqdeny", "reqideny"}

// redirect sends plain requests for our name to HTTPS. ACME challenges go where
// they went.
func (e *sectionEditor) redirect() error {
	at := -1
	e.each(func(i int, w []Word) {
		if at < 0 && slices.Contains(beforeHTTP, w[0].Text) {
			at = i
		}
	})
	if at < 0 {
		at = e.end()
	}
	at = e.outside(at)
	name := hostport.Bracket(e.site.URL.Host())
	names := name
	for _, i := range e.shared.binds {
		for _, b := range bindWords(e.sec, e.words(i), i) {
			if at, tcp := parseBind(b); tcp && !at.unsure && !strings.HasSuffix(names, ":"+strconv.Itoa(at.lo)) {
				names += " " + name + ":" + strconv.Itoa(at.lo)
			}
		}
	}
	e.put(at, fmt.Sprintf("http-request redirect code 301 prefix %s if { req.fhdr(Host) -i %s } !{ ssl_fc } !{ path_beg %s } %s", e.site.URL.Origin(), names, acmePath, lineMark))
	e.note("plain requests for %s are sent to %s from here, by a rule before line %d; ACME challenges and the other sites are not touched", name, e.site.URL.Origin(), at+1)
	return nil
}
