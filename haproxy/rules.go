package haproxy

import (
	"slices"
	"strings"
)

// effect is what a line of a section that we share does to requests that come by.
type effect uint8

const (
	harmless    effect = iota // nothing that concerns us
	stops                     // ends the request: refuses, answers or redirects it
	disconnects               // ends the connection before a request is read
	letsBy                    // ends the http-request rules, and lets the request by
	changes                   // changes a request or an answer, or answers some paths by itself
	concerns                  // holds for our requests too, and does them no harm by itself
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

	"http-request set-path":        changes,
	"http-request set-pathq":       changes,
	"http-request set-uri":         changes,
	"http-request set-method":      changes,
	"http-request replace-path":    changes,
	"http-request replace-pathq":   changes,
	"http-request replace-uri":     changes,
	"http-request set-header":      changes,
	"http-request del-header":      changes,
	"http-request replace-header":  changes,
	"http-request replace-value":   changes,
	"http-request normalize-uri":   concerns,
	"http-request capture":         concerns,
	"http-request cache-use":       concerns,
	"http-request send-spoe-group": concerns,
	"http-request wait-for-body":   concerns,
	"http-request set-timeout":     concerns,
	"http-request lua":             concerns,

	"redirect": stops,
	"block":    stops,

	"tcp-request reject":      disconnects,
	"tcp-request silent-drop": disconnects,
	"tcp-request close":       disconnects,

	"monitor-uri":  changes,
	"stats uri":    changes,
	"stats enable": changes,

	"http-response del-header":           changes,
	"http-response set-header":           changes,
	"http-response replace-header":       changes,
	"http-response replace-value":        changes,
	"http-response deny":                 changes,
	"http-response return":               changes,
	"http-response silent-drop":          changes,
	"http-response set-status":           changes,
	"http-after-response del-header":     changes,
	"http-after-response set-header":     changes,
	"http-after-response replace-header": changes,
	"http-after-response replace-value":  changes,
	"http-after-response set-status":     changes,

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
var needed = []string{"host", "authorization", "cookie", "content-type", "content-encoding", "upgrade", "www-authenticate", "set-cookie", "location"}

// spares reports whether a rule changes no more than a header field that nobody needs.
func spares(w []Word) bool {
	action := word(w, 1)
	return (strings.HasSuffix(action, "-header") || action == "replace-value") && word(w, 3) != "-m" && !slices.Contains(needed, strings.ToLower(word(w, 2)))
}
