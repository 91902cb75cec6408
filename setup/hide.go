package setup

import (
	"path/filepath"
	"regexp"
	"strings"

	"bitgate/internal/pattern"
)

// What stands around a change is the administrator's, and which of his values is
// a secret nobody can tell by its name. So the lines of others show keys, and
// values only of what bitgate manages or what cannot be a secret; a line that is
// new and bitgate's own is shown in full.

const hidden = "********"

// hide gives the lines of a file as others may see them, one for one.
func hide(path, text string) []string {
	switch filepath.Ext(path) {
	case ".properties":
		return hideProperties(text)
	case ".xml":
		return strings.Split(hideXML(mask(text)), "\n")
	case ".yaml", ".yml", ".service": // all of it is bitgate's
		return strings.Split(mask(text), "\n")
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = mask(hideDirective(lines[i]))
	}
	return lines
}

// shownKeys are the properties whose values are shown, in the form that relaxed
// binding compares.
var shownKeys = map[string]bool{
	"server.port": true, "server.address": true, "server.contextpath": true, "server.scheme": true, "server.secure": true,
	"server.proxyname": true, "server.proxyport": true, "server.redirectport": true, "setup.baseurl": true,
}

// propertyLine is a line with a key, commented out or not: everything up to the
// value, the key in it, and the value. A backslash escapes what follows.
var propertyLine = pattern.Lazy(`^([ \t\f]*(?:[#!][#! \t\f]*)?((?:\\.|[^\\=: \t\f\r])+)[ \t\f]*[=:]?[ \t\f]*)(.*?)(\r?)$`)

func hideProperties(text string) []string {
	lines := strings.Split(text, "\n")
	goesOn, shown := false, false
	for i, line := range lines {
		was := goesOn
		comment := !was && strings.HasPrefix(strings.TrimLeft(line, " \t\f"), "#") || !was && strings.HasPrefix(strings.TrimLeft(line, " \t\f"), "!")
		bare := strings.TrimSuffix(line, "\r")
		goesOn = !comment && (len(bare)-len(strings.TrimRight(bare, `\`)))%2 == 1
		m := propertyLine().FindStringSubmatch(line)
		switch {
		case was && shown:
		case was && strings.TrimSpace(line) != "":
			lines[i] = line[:len(line)-len(strings.TrimLeft(line, " \t\f"))] + hidden
		case was || m == nil:
		case comment && !strings.ContainsAny(m[1], "=:"): // prose
			lines[i] = mask(line)
		default:
			shown = shownKeys[strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(m[2]))]
			if !shown && m[3] != "" {
				lines[i] = m[1] + hidden + m[4]
			}
		}
	}
	return lines
}

// shownAttributes are those of server.xml whose values are shown.
var shownAttributes = words(`port protocol proxyName proxyPort scheme secure redirectPort address path docBase connectionTimeout
	URIEncoding compression maxThreads minSpareThreads acceptCount name host appBase className SSLEnabled maxHttpHeaderSize
	enableLookups useBodyEncodingForURI disableUploadTimeout executor defaultHost unpackWARs autoDeploy reloadable version encoding`)

var attribute = pattern.Lazy(`([\w:.\-]+)(\s*=\s*)("[^"]*"|'[^']*')`)

func hideXML(text string) string {
	return attribute().ReplaceAllStringFunc(text, func(found string) string {
		m := attribute().FindStringSubmatch(found)
		if shownAttributes[m[1]] {
			return found
		}
		return m[1] + m[2] + m[3][:1] + hidden + strings.Repeat("\n", strings.Count(m[3], "\n")) + m[3][:1]
	})
}

// shownDirectives are the keywords of haproxy.cfg whose arguments are shown.
var shownDirectives = words(`global defaults frontend backend listen userlist peers resolvers mailers cache program ring
	bind mode timeout maxconn balance default_backend use_backend use-server log log-tag daemon chroot group nbproc nbthread pidfile
	retries fullconn cookie errorfile compression hash-type tcp-request tcp-response stick-table stick redirect option acl server
	default-server server-template description disabled enabled master-worker ulimit-n maxconnrate spread-checks`)

// ruleSets are directives with an action: what a header is set to may be a
// credential, except of these.
var (
	ruleSets    = words(`http-request http-response http-after-response http-check`)
	shownAction = words(`redirect deny del-header connect expect reject tarpit silent-drop`)
	shownHeader = pattern.Lazy(`(?i)^(x-forwarded-[\w-]+|x-real-ip|forwarded|host|strict-transport-security|connection|upgrade|x-frame-options|cache-control)$`)
	// lookedUp is where a value from a request is compared, or made of text.
	lookedUp = pattern.Lazy(`(?i)\b(?:hdr(?:_\w+)?|cook(?:_\w+)?|urlp(?:_\w+)?|url_param|http_auth\w*|str|password|base64)\s*\(`)
	hostOnly = pattern.Lazy(`(?i)^hdr(?:_\w+)?\s*\(\s*(?:host|upgrade|connection)\b`)
	indented = regexp.MustCompile(`^\s*(?:#+\s*)?`)
)

func hideDirective(line string) string {
	lead := indented.FindString(line)
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
		if !hostOnly().MatchString(text[at[0]:]) {
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
	return lead + text[:end] + hidden
}

func words(text string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(text) {
		all[w] = true
	}
	return all
}
