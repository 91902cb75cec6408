package haproxy

import (
	"regexp"
	"strings"

	"bitgate/internal/pattern"
)

// mapCall is "map(/etc/haproxy/hosts.map,default)", "map_str(...)" and so on.
var mapCall = pattern.Lazy(`map(?:_([a-z]+))?\(([^,)]+)`)

// mapLine tells of a use_backend rule whose backend comes from the request, and
// offers the line with which its map would lead to ours.
func (e *sectionEditor) mapLine(i int, backend string) {
	rule := e.words(i)[1].Text
	m := mapCall().FindStringSubmatch(rule)
	if m == nil {
		e.note("line %d makes the backend's name out of the request; bitgate's rule stands before it", i+1)
		return
	}
	key := strings.ToLower(e.site.URL.Authority())
	for _, converter := range []string{"sni", "host_only", "field(1,:)", "word(1,:)", "regsub(:"} {
		if strings.Contains(rule, converter) {
			key = strings.ToLower(e.site.URL.Host())
		}
	}
	switch m[1] {
	case "reg":
		key = "^" + regexp.QuoteMeta(key) + "$"
	case "dom", "str", "beg", "end", "sub", "dir", "":
	default: // by address or number
		e.note("line %d takes the backend from the map %s; bitgate's rule stands before it", i+1, m[2])
		return
	}
	e.note("line %d takes the backend from the map %s; bitgate's rule stands before it. To use the map instead, add this line to it: %s %s", i+1, m[2], key, backend)
}
