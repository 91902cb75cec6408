package haproxy

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/templates"
)

// What of a line others than the administrator may see is decided by what the
// keyword takes: of each keyword it is known which arguments cannot be a credential,
// and whatever is not known is hidden.

const hidden = problem.Hidden

// shownWhole are the keywords whose arguments are all shown, up to a condition.
var shownWhole = pattern.Words(`global defaults frontend backend listen userlist peers resolvers mailers cache program ring http-errors
	mode timeout contimeout clitimeout srvtimeout maxconn balance default_backend use_backend use-server log log-tag daemon chroot uid gid group
	nbproc nbthread pidfile retries fullconn cookie errorfile errorfiles errorloc errorloc302 errorloc303 redirect monitor-uri compression hash-type
	stick-table stick capture filter rate-limit http-reuse unique-id-header disabled enabled master-worker ulimit-n maxconnrate spread-checks
	dispatch source ca-base crt-base nameserver parse-resolv-conf resolve_retries hold accepted_payload_size peer force-persist ignore-persist
	backlog load-server-state-from-file server-state-file server-state-base expose-fd cpu-map numa-cpu-mapping hard-stop-after
	http-send-name-header max-keep-alive-queue bind-process id email-alert grace maxsslconn maxcompcpuusage maxcomprate maxpipes maxsessrate maxsslrate
	ssl-dh-param-file ssl-engine ssl-load-extra-del-ext ssl-load-extra-files ssl-mode-async ssl-propquery ssl-provider ssl-provider-path
	ssl-security-level ssl-server-verify ssl-skip-self-issued-ca busy-polling zero-warning quiet debug noepoll node profiling.tasks default-path default_path allow deny .else .endif`)

// shownOptions are those of "option" whose arguments are.
var shownOptions = pattern.Words(`httplog tcplog dontlognull dontlog-normal forwardfor originalto http-server-close http-keep-alive httpclose forceclose
	redispatch clitcpka srvtcpka tcpka abortonclose log-health-checks log-separate-errors http-buffer-request http-ignore-probes http-no-delay
	http-pretend-keepalive http-use-htx http-use-proxy-header http-restrict-req-hdr-names httpslog idle-close-on-response independent-streams
	contstats checkcache allbackends accept-invalid-http-request accept-invalid-http-response accept-unsafe-violations-in-http-request
	accept-unsafe-violations-in-http-response h1-case-adjust-bogus-client h1-case-adjust-bogus-server logasap nolinger persist prefer-last-server
	socket-stats splice-auto splice-request splice-response tcp-smart-accept tcp-smart-connect transparent tcp-check ssl-hello-chk ldap-check`)

// Words that stand behind an address, alone or with one argument.
var (
	shownFlags = pattern.Words(`ssl check backup disabled enabled send-proxy send-proxy-v2 send-proxy-v2-ssl send-proxy-v2-ssl-cn check-send-proxy check-ssl
		no-check no-ssl no-backup no-verifyhost no-send-proxy allow-0rtt no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 no-tls-tickets force-tlsv12
		force-tlsv13 ssl-reuse no-ssl-reuse non-stick agent-check tfo accept-proxy defer-accept v4v6 v6only transparent strict-sni
		prefer-client-ciphers crt-ignore-err generate-certificates stick`)
	shownParameters = pattern.Words(`inter fastinter downinter rise fall weight maxconn minconn maxqueue cookie id port addr verify verifyhost ca-file ca-verify-file
		ca-ignore-err crl-file crt crt-list ca-sign-file ecdhe curves observe on-error on-marked-down on-marked-up slowstart error-limit resolvers
		resolve-prefer resolve-net resolve-opts init-addr alpn npn proto check-alpn check-proto ciphers ciphersuites ssl-min-ver ssl-max-ver track source
		pool-max-conn pool-low-conn pool-purge-delay max-reuse tcp-ut namespace mss backlog name nice maxaccept interface process thread level mode uid gid
		user group shards agent-port agent-addr agent-inter proxy-v2-options severity-output expose-fd sigalgs client-sigalgs log-proto`)
)

// shownActions are what rules do whose arguments are all shown; of the others, so
// many as stand here.
var (
	ruleSets     = pattern.Words(`http-request http-response http-after-response tcp-request tcp-response`)
	shownActions = pattern.Words(`redirect deny allow reject tarpit silent-drop accept del-header del-acl expect-proxy inspect-delay connection content session
		wait-for-handshake wait-for-body disable-l7-retry strict-mode normalize-uri cache-use cache-store set-log-level capture early-hint close
		track-sc0 track-sc1 track-sc2 sc-inc-gpc0 sc-inc-gpc1 set-mark set-nice set-tos set-priority-class`)
	// What these headers are set to is no credential.
	shownHeader = pattern.Lazy(`(?i)^(x-forwarded-[\w-]+|x-real-ip|forwarded|host|strict-transport-security|connection|upgrade|x-frame-options|x-content-type-options|referrer-policy|cache-control|x-ssl-client-verify|x-ssl-client-s-dn|x-ssl-client-cn)$`)
)

// ownComment is what we write behind or between lines of the administrator's.
var ownComment = pattern.Lazy(`^# bitgate's line(: (crt ("[^"]*"|\S+) on [0-9a-f !]+|the lines marked so lead to Bitbucket; .*))?$|^# >>> bitgate( nofinalnewline=\w+)?: do not edit up to the end mark; "bitgate setup" rewrites it, "bitgate undo" removes it >>>$|^# <<< bitgate <<<$`)

// lineView is a line while it is decided what of it is shown.
type lineView struct {
	words []Word
	out   []string // the words as they are shown
}

// Shown is a line as others than the administrator may see it, in a diff, a report
// or an error. Of what it does not know it shows the keyword alone, and of comments
// of others nothing.
func Shown(line string) string {
	if rest, adopted := strings.CutPrefix(line, adoptMark); adopted {
		return adoptMark + Shown(rest)
	}
	text := strings.TrimRight(line, "\r")
	if templates.Writes(text) {
		return line
	}
	s := &splitter{text: text, words: make([]Word, 0, 32)}
	words, comment := s.split(0, len(text))
	v := lineView{words: words}
	for _, w := range words {
		v.out = append(v.out, text[w.Start:w.End])
	}
	if len(words) > 0 {
		v.directive()
	}
	end := line[len(text):]
	switch {
	case comment < 0:
		comment = len(text)
	case ownComment().MatchString(text[comment:]):
		end = text[comment:] + end
	default:
		end = "# " + hidden + end
	}
	return v.join(text, comment) + end
}

// join puts the words together with what was between them, up to an offset.
func (v *lineView) join(text string, to int) string {
	var out strings.Builder
	at, last := 0, ""
	for i, w := range v.words {
		if v.out[i] == hidden && last == hidden {
			at = w.End
			continue
		}
		last = v.out[i]
		if last != hidden {
			last = shownWord(last)
		}
		out.WriteString(text[at:w.Start] + last)
		at = w.End
	}
	out.WriteString(text[at:to])
	return out.String()
}

// shownWord hides what an address of a shown word may hold: a user with a password,
// and a query; and what an expression in it may.
func shownWord(word string) string {
	if !strings.ContainsAny(word, "?@%") {
		return word
	}
	for at := 0; ; {
		i := strings.Index(word[at:], "%[")
		if i < 0 {
			break
		}
		i += at + 2
		end := strings.IndexByte(word[i:], ']')
		if end < 0 {
			end = len(word) - i
		}
		expression, _ := shownExpression(word[i : i+end])
		word = word[:i] + expression + word[i+end:]
		at = i + len(expression)
	}
	if i := strings.IndexByte(word, '?'); i >= 0 && i+1 < len(word) {
		word = word[:i+1] + hidden
	}
	return problem.Mask(word)
}

// hide hides the words from one to before another.
func (v *lineView) hide(from, to int) {
	for i := from; i < to && i < len(v.out); i++ {
		v.out[i] = hidden
	}
}

// condition is where the words "if" or "unless" begin one, or the end.
func (v *lineView) condition(from int) int {
	for i := from; i < len(v.words); i++ {
		if t := v.words[i].Text; t == "if" || t == "unless" {
			return i
		}
	}
	return len(v.words)
}

// keep shows so many arguments from a place on, and the condition behind them.
func (v *lineView) keep(from, count int) {
	c := v.condition(from)
	v.hide(from+count, c)
	v.conditions(c)
}

func (v *lineView) directive() {
	at := 0
	if t := v.words[0].Text; (t == "no" || t == "default") && len(v.words) > 1 {
		at = 1
	}
	key, next := v.words[at].Text, word(v.words, at+1)
	const all = 1 << 20
	switch {
	case key == "acl":
		v.criterion(at+2, len(v.words))
	case key == "bind", key == "default-server", key == "server", key == "server-template":
		v.address(at + map[string]int{"bind": 2, "default-server": 1, "server": 3, "server-template": 4}[key])
	case key == "option":
		v.option(at+1, next)
	case ruleSets()[key]:
		v.rule(at + 1)
	case key == "http-check" && next == "expect" && word(v.words, at+2) == "status", key == "http-check" && next == "disable-on-404":
		v.keep(at+1, 3)
	case key == "http-check", key == "tcp-check":
		v.keep(at+1, 1)
	case key == "http-error" && next == "status":
		v.keep(at+1, 4) // status N content-type TYPE; then a text or a file
	case key == "stats" && next == "socket":
		v.address(at + 3)
	case key == "stats" && (next == "auth" || next == "realm" || next == "http-request" || next == "show-desc"):
		v.keep(at+1, 1)
	case key == "user" && len(v.words) == at+2, key == "stats", shownWhole()[key], strings.HasPrefix(key, "tune."), strings.HasPrefix(key, "ssl-default-"):
		v.keep(at+1, all)
	case key == "user", key == "setenv", key == "presetenv":
		v.keep(at+1, 1)
	default:
		v.hide(at+1, len(v.words))
	}
}

// address shows the words behind one that are known.
func (v *lineView) address(from int) {
	for i := from; i < len(v.words); i++ {
		switch t := v.words[i].Text; {
		case shownFlags()[t]:
		case shownParameters()[t]:
			i++
		case t == "sni" && i+1 < len(v.words):
			i++
			v.out[i], _ = shownExpression(v.out[i])
		default:
			v.out[i] = hidden
		}
	}
}

// option: a health check may send what only the server knows.
func (v *lineView) option(at int, name string) {
	switch {
	case shownOptions()[name]:
	case name == "httpchk" && len(v.words) <= at+4: // GET PATH HTTP/1.0, or PATH
		for i := at + 1; i < len(v.words); i++ {
			if t := v.words[i].Text; !strings.HasPrefix(t, "/") && !strings.HasPrefix(t, "HTTP/") && !methods()[t] || strings.ContainsAny(t, "\r\n") {
				v.out[i] = hidden
			}
		}
	default:
		v.hide(at+1, len(v.words))
	}
}

var methods = pattern.Words("GET HEAD OPTIONS POST PUT")

// rule is an action with its arguments, perhaps behind where it holds.
func (v *lineView) rule(at int) {
	for word(v.words, at) == "connection" || word(v.words, at) == "content" || word(v.words, at) == "session" {
		at++
	}
	action, to := word(v.words, at), word(v.words, at+1)
	c := v.condition(at)
	switch {
	case shownActions()[action]:
		v.keep(at, c-at)
	case (action == "set-header" || action == "add-header" || action == "replace-header") && shownHeader().MatchString(to):
		v.keep(at, c-at)
	case action == "return" && to == "status":
		v.keep(at, 3)
	case action == "return":
		v.keep(at, 1)
	default:
		v.keep(at, 2)
		if !strings.HasSuffix(action, "-header") && at+1 < c { // a name of a header is none
			v.out[at+1] = hidden
		}
	}
}

// Adopted reports whether a line is one of the administrator's that we made a comment.
func Adopted(line string) bool { return strings.HasPrefix(line, adoptMark) }
