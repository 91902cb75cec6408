package haproxy

import "strings"

// replacements are for keywords that HAProxy removed (manual, the section of
// each replacement). The first word must match, and the second where there is one.
var replacements = []struct{ keyword, instead string }{
	{"appsession", `"cookie NAME prefix" in the backend, or "stick on req.cook(NAME)"; removed in 1.6`},
	{"reqadd", `"http-request add-header NAME VALUE"; removed in 2.1, as all req... and rsp... keywords`},
	{"reqset", `"http-request set-header"; removed in 2.1`},
	{"reqrep", `"http-request replace-path", "replace-uri" or "replace-header"; removed in 2.1`},
	{"reqirep", `"http-request replace-path", "replace-uri" or "replace-header" with (?i); removed in 2.1`},
	{"reqdel", `"http-request del-header NAME"; removed in 2.1`},
	{"reqidel", `"http-request del-header NAME"; removed in 2.1`},
	{"reqdeny", `"http-request deny if ..."; removed in 2.1`},
	{"reqideny", `"http-request deny if ..."; removed in 2.1`},
	{"reqallow", `"http-request allow if ..."; removed in 2.1`},
	{"reqiallow", `"http-request allow if ..."; removed in 2.1`},
	{"reqtarpit", `"http-request tarpit if ..."; removed in 2.1`},
	{"rspadd", `"http-response add-header NAME VALUE"; removed in 2.1`},
	{"rsprep", `"http-response replace-header"; removed in 2.1`},
	{"rspirep", `"http-response replace-header" with (?i); removed in 2.1`},
	{"rspdel", `"http-response del-header NAME"; removed in 2.1`},
	{"rspidel", `"http-response del-header NAME"; removed in 2.1`},
	{"rspdeny", `"http-response deny if ..."; removed in 2.1`},
	{"block", `"http-request deny" with the same condition; removed in 2.1`},
	{"contimeout", `"timeout connect"; removed in 2.1`},
	{"clitimeout", `"timeout client"; removed in 2.1`},
	{"srvtimeout", `"timeout server"; removed in 2.1`},
	{"redispatch", `"option redispatch"; removed in 2.1`},
	{"monitor-net", `"http-request return status 200 if { src ... }", or "monitor-uri"`},
	{"option forceclose", `"option httpclose", which does the same since 2.0`},
	{"option http-tunnel", `nothing: "option http-keep-alive" is the default`},
	{"nbproc", `"nbthread", or nothing; removed in 2.5`},
}

// instead says what replaces the keyword of a line, where HAProxy removed it; ""
// for other lines.
func instead(l *Line) string {
	text := word(l.Words, 0) + " " + word(l.Words, 1) + " "
	if strings.HasPrefix(text, "stick ") && strings.Contains(string(l.Raw), "set-cookie(") {
		return `"res.cook(NAME)" in place of "set-cookie(NAME)"; removed in 2.5`
	}
	for _, r := range replacements {
		if strings.HasPrefix(text, r.keyword+" ") {
			return r.instead
		}
	}
	return ""
}
