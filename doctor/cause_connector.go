package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/bitbucket"
	"bitgate/doctor/local"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// connectorSymptoms are the checks that fail where Bitbucket takes requests for
// plain ones, or for those of another address.
var connectorSymptoms = []string{"redirect.landing", "cookie", "clone-url", "lfs", "xsrf", "redirect.root"}

var connectorCauses = []cause{
	{"redirect-loop", "Redirects that never end", []string{"redirect.landing", "cookie", "clone-url", "lfs", "xsrf", "git"}, lookLoop},
	{"connector", "What Bitbucket believes of its address", connectorSymptoms, lookConnector},
	{"ignored", "Settings without effect", connectorSymptoms, lookIgnored},
	{"remember-me", "Sign-ins that do not last", nil, lookRemembered},
}

// lookLoop: Bitbucket redirects to https what it takes for http, again and again.
func lookLoop(_ context.Context, s *scene) []problem.Finding {
	in := s.Instance
	if s.Site.Program == "tomcat" || in.RequireSSL.Value != "true" || in.Secure.Value == "true" || in.Native {
		return nil
	}
	return one(at(problem.Fail, in.RequireSSL.Place, "server.require-ssl=true, and server.secure is not true",
		"Bitbucket takes every request for a plain one and redirects it to https, for ever",
		in.Cure(local.Change{Is: in.Secure, Key: "server.secure", Value: "true"}, local.Change{Is: in.Scheme, Key: "server.scheme", Value: "https"}).Then(s.restart())))
}

// lookConnector compares scheme, secure, name and port with the public URL.
func lookConnector(_ context.Context, s *scene) []problem.Finding {
	in := s.Instance
	if in.File == "" || in.Doubt != "" || in.Native || onSecond(s) || s.Site.Program == "tomcat" {
		return nil
	}
	var wrong []local.Change
	var said []string
	var place local.Place
	differs := func(is local.Setting, key, want string) {
		wrong = append(wrong, local.Change{Is: is, Key: key, Value: want})
		value := cmp.Or(is.Value, "not set")
		if strings.TrimSpace(value) != value {
			value = strconv.Quote(value)
		}
		said = append(said, name(key, in.XML)+" is "+value)
		if place.Line == 0 {
			place = is.Place
		}
	}
	if !strings.EqualFold(in.Scheme.Value, "https") {
		differs(in.Scheme, "server.scheme", "https")
	}
	if !strings.EqualFold(in.Secure.Value, "true") {
		differs(in.Secure, "server.secure", "true")
	}
	known := s.Site.Program != "" && s.Site.Doubt == "" || s.Site.Program == "haproxy" // which passes it on unless it is told otherwise
	hostPassed := known && s.Site.Host.Value == ""
	if in.Name.Value != s.URL.ProxyName() && (in.Name.Value != "" || !hostPassed) {
		differs(in.Name, "server.proxy-name", s.URL.ProxyName())
	}
	port := strconv.Itoa(s.URL.Port())
	if in.Public.Value != port && (in.Public.Value != "" || !hostPassed && s.URL.Port() != 443) {
		differs(in.Public, "server.proxy-port", port)
	}
	if len(wrong) == 0 {
		return nil
	}
	if place.Line == 0 {
		place.File = in.File
	}
	return one(at(problem.Fail, place, strings.Join(said, ", ")+"; people come by "+s.URL.BaseURL(),
		"Bitbucket makes its redirects, LFS addresses and cookies from them, and compares them with a browser's Origin (XSRF check failed)",
		in.Cure(wrong...).Then(s.restart())))
}

// onSecond: the front uses the additional connector, which has settings of its own.
func onSecond(s *scene) bool {
	if len(s.Site.Servers) == 0 || s.Instance.Second.Value == "" {
		return false
	}
	to, err := hostport.Parse(s.Site.Servers[0].Value)
	return err == nil && strconv.Itoa(to.Port) == s.Instance.Second.Value
}

// name is a setting as its file spells it.
func name(key string, xml bool) string {
	if !xml {
		return key
	}
	short := strings.Split(strings.TrimPrefix(key, "server."), "-")
	for i := 1; i < len(short); i++ {
		short[i] = strings.ToUpper(short[i][:1]) + short[i][1:]
	}
	return strings.Join(short, "")
}

// lookIgnored names edits in files that are not read, and settings of the process
// that beat the file.
func lookIgnored(_ context.Context, s *scene) []problem.Finding {
	in := s.Instance
	var out []problem.Finding
	if in.DeadXML.Set() && in.Name.Value != in.DeadXML.Value {
		out = append(out, at(problem.Fail, in.DeadXML.Place, fmt.Sprintf("proxyName=%q is set in a file that Bitbucket 5.0 and later do not read", in.DeadXML.Value),
			"the settings belong into "+in.File,
			in.Cure(
				local.Change{Is: in.Name, Key: "server.proxy-name", Value: s.URL.ProxyName()}, local.Change{Is: in.Public, Key: "server.proxy-port", Value: strconv.Itoa(s.URL.Port())},
				local.Change{Is: in.Scheme, Key: "server.scheme", Value: "https"}, local.Change{Is: in.Secure, Key: "server.secure", Value: "true"},
			).Then(s.restart())))
	}
	for _, want := range [][2]string{
		{"server.proxy-name", s.URL.ProxyName()}, {"server.proxy-port", strconv.Itoa(s.URL.Port())}, {"server.scheme", "https"}, {"server.secure", "true"}, {"server.context-path", s.URL.PropertyPath()},
	} {
		for _, o := range overriding(in, want[0], want[1]) {
			out = append(out, problem.Finding{
				Level: problem.Fail, Found: fmt.Sprintf("%s=%s comes from the %s and beats %s", o.Key, o.Value, o.Where, in.File),
				Why: "edits of the file have no effect", Do: fmt.Sprintf("set it to %s there, or take it out there; then %s", want[1], local.Cure{s.restart()}),
			})
		}
	}
	return out
}

// overriding is what keeps a setting from a value: what the process works with now, and
// what would once it was started anew.
func overriding(in local.Instance, key, want string) []bitbucket.Override {
	fits := func(value string) bool { return value == "" || strings.EqualFold(local.Meant(key, value), want) }
	all := bitbucket.Install{Overrides: in.Overrides}
	found := all.Against(key, fits)
	if now, ok := all.Effective(key); ok && !fits(now.Value) && !slices.Contains(found, now) {
		found = append(found, now)
	}
	return found
}

// lookRemembered: the remember-me cookie is bound to the addresses a client came by.
func lookRemembered(_ context.Context, s *scene) []problem.Finding {
	why := "Bitbucket binds remember-me cookies to the addresses of client and front; localhost is sometimes 127.0.0.1 and sometimes ::1, and people are signed out at random"
	if s.Instance.Remembered.File != "" {
		why += "; its log has complaints of DefaultRememberMeService"
	}
	for _, server := range s.Site.Servers {
		if server.Local {
			return one(at(problem.Warn, server.Place, "requests go to "+server.Value, why,
				local.Cure{s.Site.Instead(server.Setting, "localhost", "127.0.0.1"), s.reload()}))
		}
	}
	if s.Instance.Remembered.File != "" {
		return one(problem.Finding{
			Level: problem.Warn, Found: "Bitbucket cancels remember-me cookies because of changing addresses", File: s.Instance.Remembered.File, Why: why,
			Do: "let one front alone stand before Bitbucket, under one address, and let it set X-Forwarded-For itself",
		})
	}
	return nil
}
