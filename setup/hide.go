package setup

import (
	"path/filepath"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
)

// What stands around a change is the administrator's, and which of his values is
// a secret nobody can tell by its name. So the lines of others show keys, and
// values only of what bitgate manages or what cannot be a secret; a line that is
// new and bitgate's own is shown in full.

const hidden = "********"

// hide gives the lines of a file as others may see them, one for one: those that
// are needed, by their index (nil: all); the others are not looked at.
func hide(path, text string, need map[int]bool) []string {
	switch filepath.Ext(path) {
	case ".properties":
		return hideProperties(text, need)
	case ".xml":
		return strings.Split(hideXML(mask(text)), "\n")
	case ".yaml", ".yml", ".service": // all of it is bitgate's
		return strings.Split(mask(text), "\n")
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		if need != nil && !need[i] {
			continue
		}
		lines[i] = mask(haproxy.Shown(lines[i]))
	}
	return lines
}

// shownKeys are the properties whose values are shown, in the form that relaxed
// binding compares.
var shownKeys = map[string]bool{
	"server.port": true, "server.address": true, "server.contextpath": true, "server.scheme": true, "server.secure": true,
	"server.proxyname": true, "server.proxyport": true, "server.redirectport": true, "setup.baseurl": true,
	"server.requiressl": true, "server.ssl.enabled": true, "server.ssl.keystore": true, "server.ssl.keystoretype": true, "server.ssl.keyalias": true,
}

// propertyLine is a line with a key, commented out or not: everything up to the
// value, the key in it, and the value. A backslash escapes what follows.
var propertyLine = pattern.Lazy(`^([ \t\f]*(?:[#!][#! \t\f]*)?((?:\\.|[^\\=: \t\f\r])+)[ \t\f]*[=:]?[ \t\f]*)(.*?)(\r?)$`)

func hideProperties(text string, need map[int]bool) []string {
	lines := strings.Split(text, "\n")
	goesOn, shown := false, false
	for i, line := range lines {
		was := goesOn
		comment := !was && strings.HasPrefix(strings.TrimLeft(line, " \t\f"), "#") || !was && strings.HasPrefix(strings.TrimLeft(line, " \t\f"), "!")
		bare := strings.TrimSuffix(line, "\r")
		goesOn = !comment && (len(bare)-len(strings.TrimRight(bare, `\`)))%2 == 1
		if need != nil && !need[i] {
			shown = false // what goes on from here is not known to be shown
			continue
		}
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
	keystoreFile keystoreType keyAlias certificateKeystoreFile certificateKeystoreType certificateKeyAlias
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

func words(text string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(text) {
		all[w] = true
	}
	return all
}
