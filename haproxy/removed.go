package haproxy

import "strings"

// replacements are for keywords that HAProxy took out (manual, the section of
// each replacement). The first word must match, and the second where there is one.
var replacements = []struct{ keyword, instead string }{
	{"appsession", `"cookie NAME prefix" in the backend, or "stick on req.cook(NAME)"; 1.6 took it out`},
	{"reqadd", `"http-request add-header NAME VALUE"; 2.1 took it out, as all req... and rsp... keywords`},
	{"reqset", `"http-request set-header"; 2.1 took it out`},
	{"reqrep", `"http-request replace-path", "replace-uri" or "replace-header"; 2.1 took it out`},
	{"reqirep", `"http-request replace-path", "replace-uri" or "replace-header" with (?i); 2.1 took it out`},
	{"reqdel", `"http-request del-header NAME"; 2.1 took it out`},
	{"reqidel", `"http-request del-header NAME"; 2.1 took it out`},
	{"reqdeny", `"http-request deny if ..."; 2.1 took it out`},
	{"reqideny", `"http-request deny if ..."; 2.1 took it out`},
	{"reqallow", `"http-request allow if ..."; 2.1 took it out`},
	{"reqiallow", `"http-request allow if ..."; 2.1 took it out`},
	{"reqtarpit", `"http-request tarpit if ..."; 2.1 took it out`},
	{"rspadd", `"http-response add-header NAME VALUE"; 2.1 took it out`},
	{"rsprep", `"http-response replace-header"; 2.1 took it out`},
	{"rspirep", `"http-response replace-header" with (?i); 2.1 took it out`},
	{"rspdel", `"http-response del-header NAME"; 2.1 took it out`},
	{"rspidel", `"http-response del-header NAME"; 2.1 took it out`},
	{"rspdeny", `"http-response deny if ..."; 2.1 took it out`},
	{"block", `"http-request deny" with the same condition; 2.1 took it out`},
	{"contimeout", `"timeout connect"; 2.1 took it out`},
	{"clitimeout", `"timeout client"; 2.1 took it out`},
	{"srvtimeout", `"timeout server"; 2.1 took it out`},
	{"redispatch", `"option redispatch"; 2.1 took it out`},
	{"monitor-net", `"http-request return status 200 if { src ... }", or "monitor-uri"`},
	{"option forceclose", `"option httpclose", which does the same since 2.0`},
	{"option http-tunnel", `nothing: "option http-keep-alive" is the default`},
	{"nbproc", `"nbthread", or nothing; 2.5 took it out`},
}

// Instead says what replaces the keyword on a line (from 1) of a file, where
// HAProxy took that keyword out; "" for other lines.
func Instead(src Source, line int) string {
	f := Parse(src.Data)
	if line < 1 || line > len(f.Lines) {
		return ""
	}
	w := f.Lines[line-1].Words
	if len(w) == 0 {
		return ""
	}
	text := w[0].Text
	if len(w) > 1 {
		text += " " + w[1].Text
	}
	if w[0].Text == "stick" && strings.Contains(string(f.Lines[line-1].Raw), "set-cookie(") {
		return `"res.cook(NAME)" in the place of "set-cookie(NAME)"; 2.5 took that out`
	}
	for _, r := range replacements {
		if text == r.keyword || strings.HasPrefix(text, r.keyword+" ") {
			return r.instead
		}
	}
	return ""
}
