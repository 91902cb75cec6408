package haproxy

import (
	"slices"
	"strings"

	"bitgate/internal/pattern"
)

// What a request is asked for: of these, what it is compared with is no credential.
var (
	shownFetches = pattern.Words(`path path_beg path_end path_dir path_dom path_len path_reg path_sub url_beg url_len method src dst src_port dst_port
		req.ver req_ver req.len req_len req.proto_http req_proto_http req.ssl_sni req_ssl_sni req.ssl_hello_type req_ssl_hello_type req.ssl_ver req_ssl_ver
		req.ssl_alpn rep.ssl_hello_type nbsrv connslots queue avg_queue be_conn be_conn_free be_sess_rate be_id be_name fe_conn fe_sess_rate fe_id fe_name
		fe_req_rate srv_is_up srv_conn srv_sess_rate srv_state always_true always_false TRUE FALSE true false HTTP HTTP_1.0 HTTP_1.1 HTTP_2.0 LOCALHOST
		METH_GET METH_POST METH_HEAD METH_CONNECT METH_OPTIONS METH_TRACE METH_DELETE METH_PUT HTTP_CONTENT HTTP_URL_ABS HTTP_URL_SLASH WAIT_END wait_end
		status rand date so_id ssl_fc ssl_bc http_auth http_auth_group stopping nbproc proc pid`)
	shownFetchFamilies = []string{"ssl_fc_", "ssl_c_", "fc_", "bc_", "sc_", "sc0_", "sc1_", "sc2_", "src_"}
	shownConverters    = pattern.Words(`lower upper length field word bytes ipmask ltrim rtrim url_dec base64 hex map map_beg map_dom map_end map_int map_ip
		map_reg map_str map_sub host_only port_only strcmp add sub mul div mod neg not bool and or even odd xor crc32 sdbm djb2 wt6`)
	headerFetch = pattern.Lazy(`^(?:req\.|res\.|s|req\.f|res\.f)?f?hdr(?:_ip|_val|_beg|_end|_dir|_dom|_len|_reg|_sub)?$`)
	headerCount = pattern.Lazy(`^(?:req\.|res\.|s)?f?hdr_cnt$`)
	named       = pattern.Lazy(`^(?:(?:req\.|res\.|s)?(?:f?hdr|cook)(?:_\w+)?|urlp(?:_\w+)?|url_param|var|env|http_auth_pass|http_auth_user)$`)
	publicHead  = pattern.Words(`host upgrade connection user-agent content-type content-length transfer-encoding accept accept-encoding expect referer origin
		x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-real-ip`)
	aclName = pattern.Lazy(`^!?[\w.:\-]+$`)
)

// conditions are the names of ACLs and what stands in braces behind "if".
func (v *lineView) conditions(from int) {
	for i := from + 1; i < len(v.words); i++ {
		switch t := v.words[i].Text; {
		case t == "{" || t == "!{":
			end := i + 1
			for end < len(v.words) && v.words[end].Text != "}" {
				end++
			}
			v.criterion(i+1, end)
			i = end
		case t == "!" || t == "||" || aclName().MatchString(t):
		default:
			v.out[i] = hidden
		}
	}
}

// criterion is what is asked for, flags, and what it is compared with.
func (v *lineView) criterion(from, to int) {
	if from >= len(v.words) {
		return
	}
	var values bool
	v.out[from], values = shownExpression(v.out[from])
	for i := from + 1; i < to; i++ {
		switch t := v.words[i].Text; {
		case t == "-i", t == "-n", t == "-M", t == "-u", t == "--":
		case t == "-m", t == "-f":
			i++ // how it is compared, or a file of values
		case !values:
			v.out[i] = hidden
		}
	}
}

// shownExpression is a sample expression as it is shown, and whether what it is
// compared with is. Arguments in quotes are none that need be.
func shownExpression(text string) (shown string, values bool) {
	for n, part := range splitArgs(text) {
		name, args, has := strings.Cut(part, "(")
		switch {
		case !aclName().MatchString(name):
			part, values = hidden, false
		case n > 0 && has && !shownConverters()[name]:
			part = name + "(" + hidden + ")"
		case n == 0:
			var known bool
			known, values = fetchShown(name, strings.TrimSuffix(args, ")"))
			if has && !known {
				part = name + "(" + hidden + ")"
			}
		}
		if n > 0 {
			shown += ","
		}
		shown += part
	}
	return shown, values
}

// fetchShown says whether the arguments of one are shown, and what it is compared with.
func fetchShown(name, args string) (arguments, values bool) {
	first, _, _ := strings.Cut(args, ",")
	switch {
	case headerCount().MatchString(name), shownFetches()[name]:
		return true, true
	case headerFetch().MatchString(name):
		return true, publicHead()[strings.ToLower(strings.TrimSpace(first))]
	case named().MatchString(name):
		return true, false
	}
	public := slices.ContainsFunc(shownFetchFamilies, func(family string) bool { return strings.HasPrefix(name, family) })
	return public, public
}

// splitArgs cuts a list at its commas outside of brackets and quotes.
func splitArgs(text string) []string {
	var parts []string
	depth, from, quote := 0, 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts, from = append(parts, text[from:i]), i+1
		}
	}
	return append(parts, text[from:])
}
