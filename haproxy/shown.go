package haproxy

import (
	"strings"

	"bitgate/internal/pattern"
)

// shownDirectives are the keywords of haproxy.cfg whose arguments are shown.
var shownDirectives = wordSet(`global defaults frontend backend listen userlist peers resolvers mailers cache program ring
	bind mode timeout maxconn balance default_backend use_backend use-server log log-tag daemon chroot group nbproc nbthread pidfile
	retries fullconn cookie errorfile compression hash-type tcp-request tcp-response stick-table stick redirect option acl server
	monitor-uri monitor dispatch capture errorloc errorloc302 errorloc303 errorfiles http-error filter rate-limit http-reuse unique-id-header
	default-server server-template description disabled enabled master-worker ulimit-n maxconnrate spread-checks`)

// ruleSets are directives with an action: what a header is set to may be a
// credential, except of these.
var (
	ruleSets    = wordSet(`http-request http-response http-after-response http-check`)
	shownAction = wordSet(`redirect deny del-header connect expect reject tarpit silent-drop`)
	shownHeader = pattern.Lazy(`(?i)^(x-forwarded-[\w-]+|x-real-ip|forwarded|host|strict-transport-security|connection|upgrade|x-frame-options|cache-control)$`)
	// lookedUp is where a value from a request is compared, or made of text.
	lookedUp  = pattern.Lazy(`(?i)\b(?:hdr(?:_\w+)?|cook(?:_\w+)?|urlp(?:_\w+)?|url_param|http_auth\w*|str|password|base64)\s*\(`)
	aboutHost = pattern.Lazy(`(?i)^hdr(?:_\w+)?\s*\(\s*(?:host|upgrade|connection|user-agent|content-type|content-length|transfer-encoding|accept|accept-encoding|referer|origin|x-forwarded-\w+)\b`)
	indented  = pattern.Lazy(`^\s*(?:#+\s*)?`)
)

// Shown is a line as others than the administrator may see it, in a diff or an
// error: what may be a credential is hidden, by what the keyword takes and not by
// its name.
func Shown(line string) string {
	lead := indented().FindString(line)
	comment := strings.Contains(lead, "#")
	text := strings.TrimRight(line[len(lead):], "\r")
	w := strings.Fields(text)
	if len(w) == 0 {
		return line
	}
	key := w[0]
	if key == "no" && len(w) > 1 {
		key = w[1]
	}
	keep := -1 // words that are shown; -1: all
	switch {
	case ruleSets[key] && len(w) > 1 && shownAction[w[1]]:
	case ruleSets[key] && len(w) > 2 && shownHeader().MatchString(w[2]):
	case ruleSets[key] && len(w) > 2 && w[1] == "return" && w[2] == "status":
		keep = 4
	case ruleSets[key]:
		keep = 3
	case key == "stats" && len(w) > 1 && w[1] != "auth":
	case key == "user" && len(w) == 2:
	case key == "user", key == "stats", strings.HasSuffix(key, "setenv"):
		keep = 2
	case shownDirectives[key], strings.HasPrefix(key, "tune."), strings.HasPrefix(key, "ssl-"):
	case comment: // prose
	default:
		keep = 1
	}
	end := len(text)
	if keep >= 0 && len(w) > keep {
		end = 0
		for _, word := range w[:keep] {
			end += strings.Index(text[end:], word) + len(word)
		}
		end++ // and the blank
	}
	for _, at := range lookedUp().FindAllStringIndex(text, -1) {
		if !aboutHost().MatchString(text[at[0]:]) {
			if close := strings.IndexByte(text[at[0]:], ')'); !strings.Contains(strings.ToLower(text[at[0]:at[1]]), "str") && close >= 0 {
				end = min(end, at[0]+close+1)
			} else {
				end = min(end, at[1])
			}
			break
		}
	}
	if q := strings.IndexByte(text, '?'); q >= 0 && key == "option" {
		end = min(end, q+1)
	}
	if end >= len(text) {
		return line
	}
	return lead + text[:end] + "********"
}

func wordSet(text string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(text) {
		all[w] = true
	}
	return all
}
