package haproxy

import (
	"regexp"
	"slices"
	"strings"
)

// effect is what a line of a section that we share does to requests that come by.
type effect uint8

const (
	harmless      effect = iota // nothing that concerns us
	stops                       // ends the request: refuses, answers or redirects it
	disconnects                 // ends the connection before a request is read
	letsBy                      // ends the http-request rules, and lets the request by
	rewrites                    // changes the path
	setsField                   // sets a header field, which may be one that we need
	setsAnswer                  // sets a header field of the answer
	answersItself               // answers some paths by itself, before any rule
	concerns                    // holds for our requests too, and does them no harm by itself
)

// effects say by keyword and action what a line does (manual 2.6 to 3.2, 4.2). An
// action without an entry of its own has that of the keyword alone.
var effects = map[string]effect{
	"http-request deny":        stops,
	"http-request tarpit":      stops,
	"http-request reject":      stops,
	"http-request silent-drop": stops,
	"http-request redirect":    stops,
	"http-request auth":        stops,
	"http-request return":      stops,
	"http-request use-service": stops,
	"http-request allow":       letsBy,

	"http-request set-path":         rewrites,
	"http-request set-pathq":        rewrites,
	"http-request set-uri":          rewrites,
	"http-request set-method":       rewrites,
	"http-request replace-path":     rewrites,
	"http-request replace-pathq":    rewrites,
	"http-request replace-uri":      rewrites,
	"http-request set-header":       setsField,
	"http-request del-header":       setsField,
	"http-request replace-header":   setsField,
	"http-request replace-value":    setsField,
	"http-request normalize-uri":    concerns,
	"http-request capture":          concerns,
	"http-request cache-use":        concerns,
	"http-request send-spoe-group":  concerns,
	"http-request wait-for-body":    concerns,
	"http-request set-timeout":      concerns,
	"http-request lua":              concerns,
	"http-request disable-l7-retry": harmless,

	"redirect": stops,
	"block":    stops,

	"tcp-request reject":      disconnects,
	"tcp-request silent-drop": disconnects,
	"tcp-request close":       disconnects,

	"monitor-uri":  answersItself,
	"stats uri":    answersItself,
	"stats enable": answersItself,

	"http-response del-header":           setsAnswer,
	"http-response set-header":           setsAnswer,
	"http-response replace-header":       setsAnswer,
	"http-after-response del-header":     setsAnswer,
	"http-after-response set-header":     setsAnswer,
	"http-after-response replace-header": setsAnswer,

	"http-response":              concerns,
	"http-after-response":        concerns,
	"filter":                     concerns,
	"capture":                    concerns,
	"declare":                    concerns,
	"compression":                concerns,
	"errorfile":                  concerns,
	"errorfiles":                 concerns,
	"errorloc":                   concerns,
	"errorloc302":                concerns,
	"errorloc303":                concerns,
	"http-error":                 concerns,
	"timeout client":             concerns,
	"timeout http-request":       concerns,
	"option http-buffer-request": concerns,
	"option httpclose":           concerns,
	"option forceclose":          concerns,
	"rspadd":                     concerns,
	"reqadd":                     concerns,
	"reqrep":                     concerns,
	"reqirep":                    concerns,
}

// effectOf looks a line up. "tcp-request content reject" has its action third;
// "lua.name" and "set-var(name)" are actions with arguments.
func effectOf(w []Word) effect {
	action := word(w, 1)
	if w[0].Text == "tcp-request" {
		action = word(w, 2)
	}
	action, _, _ = strings.Cut(action, "(")
	action, _, _ = strings.Cut(action, ".")
	if found, ok := effects[w[0].Text+" "+action]; ok {
		return found
	}
	return effects[w[0].Text]
}

// needed are the header fields without which no login, push or page works.
var needed = []string{"authorization", "cookie", "content-type", "content-encoding"}

// changes reports which header field a rule takes away or overwrites: "host", one
// of those that are needed, or "" for others. A rule that leaves our value as it
// is, such as one that puts the name into lower case, changes nothing.
func (e *evaluator) changes(w []Word) string {
	action, name := word(w, 1), strings.ToLower(word(w, 2))
	if action == "del-header" {
		for _, n := range needed {
			if e.match(value{found: true, text: n}, patterns{method: deletes(w), texts: []string{name}}) == yes {
				return n
			}
		}
		if deletes(w) != "" {
			return ""
		}
	}
	if name != "host" {
		if slices.Contains(needed, name) {
			return name
		}
		return ""
	}
	for _, r := range e.requests[:1] { // one name for all
		if e.keepsHost(action, w, r) {
			return ""
		}
	}
	return "host"
}

// deletes is how a del-header rule compares names: "-m beg" (2.3).
func deletes(w []Word) string {
	if word(w, 3) == "-m" {
		return word(w, 4)
	}
	return ""
}

func (e *evaluator) keepsHost(action string, w []Word, r request) bool {
	switch action {
	case "set-header":
		to, ok := e.format(word(w, 3), r)
		return ok && strings.EqualFold(to, e.host)
	case "replace-header", "replace-value":
		re, err := regexp.Compile("(?i)" + word(w, 3))
		return err == nil && !re.MatchString(e.host)
	}
	return false
}

// movesPath reports whether a rule may change the path of our requests.
func movesPath(w []Word, of []request) bool {
	action := word(w, 1)
	if !strings.HasPrefix(action, "replace-") {
		return true
	}
	re, err := regexp.Compile(word(w, 2))
	if err != nil {
		return true
	}
	return slices.ContainsFunc(of, func(r request) bool { return re.MatchString(r.uri()) || re.MatchString(r.path) })
}
