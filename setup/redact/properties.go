package redact

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/tomcat"
)

// shownProperties are the keys whose values are shown, in the form that relaxed
// binding compares.
var shownProperties = pattern.Words(`server.port server.address server.contextpath server.scheme server.secure server.proxyname server.proxyport
	server.redirectport server.requiressl server.ssl.enabled server.ssl.keystore server.ssl.keystoretype server.ssl.keyalias server.maxhttpheadersize
	setup.baseurl plugin.ssh.baseurl plugin.ssh.port plugin.ssh.address plugin.ssh.enabled`)

var (
	additional = pattern.Lazy(`^server\.additionalconnector\.\d+\.(port|address|scheme|secure|proxyname|proxyport|redirectport|ssl\.enabled)$`)
	dotted     = pattern.Lazy(`^[A-Za-z][\w-]*(\.[\w-]+)+$`)
)

// properties shows a key with its separator; a value only where the key is known
// and the value is one word on one line, as all those are.
func properties(text string) []string {
	lines := strings.Split(text, "\n")
	goesOn := false
	for i, line := range lines {
		bare := strings.TrimSuffix(line, "\r")
		lead := indent(bare)
		comment := !goesOn && len(bare) > len(lead) && (bare[len(lead)] == '#' || bare[len(lead)] == '!')
		was := goesOn
		goesOn = !comment && (len(bare)-len(strings.TrimRight(bare, `\`)))%2 == 1
		switch {
		case strings.Trim(bare, " \t\f") == "":
		case was:
			lines[i] = lead + Hidden + end(line)
		case comment:
			lines[i] = commentedProperty(bare, lead) + end(line)
		default:
			lines[i] = property(bare, lead) + end(line)
		}
	}
	return lines
}

func property(line, lead string) string {
	key, value := cutKey(line[len(lead):])
	name := strings.TrimRight(key, " \t\f=:")
	if name == "" {
		return lead + Hidden
	}
	if value == "" {
		return line
	}
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
	if (shownProperties()[name] || additional().MatchString(name)) && oneWord(value) {
		return lead + key + problem.Mask(value)
	}
	return lead + key + Hidden
}

// commentedProperty shows a property that is commented out like another one; what
// else stands in comments is prose.
func commentedProperty(line, lead string) string {
	if tomcat.OwnComment(line) {
		return line
	}
	body := strings.TrimLeft(line[len(lead):], "#! \t\f")
	key, _ := cutKey(body)
	if strings.ContainsAny(key, "=:") && dotted().MatchString(strings.TrimRight(key, " \t\f=:")) {
		return line[:len(line)-len(body)] + property(body, "")
	}
	return line[:len(lead)+1] + " " + Hidden
}

// cutKey cuts a line behind a key and its separator. A backslash escapes what follows.
func cutKey(line string) (key, value string) {
	i := 0
	for i < len(line) && !strings.ContainsRune("=: \t\f", rune(line[i])) {
		if line[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(line))
	blank := func() {
		for i < len(line) && strings.IndexByte(" \t\f", line[i]) >= 0 {
			i++
		}
	}
	blank()
	if i < len(line) && (line[i] == '=' || line[i] == ':') {
		i++
		blank()
	}
	return line[:i], line[i:]
}
