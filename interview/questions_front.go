package interview

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/setup"
)

func frontQuestions() []Question {
	return []Question{
		choiceField(Question{
			ID: "front", Step: setup.StepHAProxy, Title: "What terminates TLS", Arg: "haproxy|builtin|tomcat",
			Why:     "The front takes HTTPS from the network and passes plain HTTP to Bitbucket on this machine. Bitbucket can also do without one.",
			Help:    "what terminates TLS: haproxy, builtin (bitgate's own proxy), or tomcat (Bitbucket itself)",
			Default: "haproxy where it is installed", Asked: "when HAProxy is not installed", Looks: true,
			Options: []Option{{setup.FrontHAProxy, "HAProxy, as the documented page has it"}, {setup.FrontBuiltin, "bitgate's built-in proxy, which does the same"}, {setup.FrontTomcat, "none: Bitbucket itself, with a key store"}},
			keys:    []string{"front", "no-ssh"}, enter: enterFront,
			Slow: true, when: func(iv *Interview) bool { return iv.Facts.HAProxy.Bin == "" },
		}, func(a *setup.Answers) *string { return &a.Front }),
		pathField(Question{
			ID: "haproxy-cfg", Step: setup.StepHAProxy, Title: "HAProxy's configuration",
			Why:     "bitgate adds its sections between two marker comments; every other byte stays.",
			Help:    "HAProxy configuration file to merge into",
			Default: "the last file the HAProxy service loads, /etc/haproxy/haproxy.cfg", Looks: true,
		}, func(a *setup.Answers) *string { return &a.HAProxyCfg }),
		choiceField(Question{
			ID: "haproxy-by-hand", Step: setup.StepHAProxy, Title: "Sections made by hand for Bitbucket", Arg: "leave|adopt",
			Why:     "HAProxy's configuration leads to Bitbucket already; bitgate's sections can stand beside that or take its place.",
			Help:    "sections of haproxy.cfg made by hand for Bitbucket: leave them, or adopt what they do (they become comments until undo)",
			Default: setup.Leave, Asked: "when there are some", Slow: true,
			Options: []Option{{setup.Leave, "leave them: bitgate's rules come first"}, {setup.Adopt, "bitgate's take their place where they do nothing else; undo brings them back"}},
			when: func(iv *Interview) bool {
				return iv.Answers.Front == setup.FrontHAProxy && len(iv.Facts.HandMade) > 0
			},
			show: func(_ setup.Facts, a setup.Answers) string { return cmp.Or(a.HandMade, setup.Leave) },
		}, func(a *setup.Answers) *string { return &a.HandMade }),
		pathField(Question{
			ID: "haproxy-bin", Step: setup.StepHAProxy, Title: "HAProxy's program",
			Why:     "The installed version decides how the sections are written, and it checks them before they are used.",
			Help:    "HAProxy program",
			Default: "found in the usual places", Looks: true,
		}, func(a *setup.Answers) *string { return &a.HAProxyBin }),
		pathField(Question{
			ID: "proxy-config", Step: setup.StepHAProxy, Title: "The built-in proxy's configuration",
			Why:     "The built-in proxy reads one small YAML file.",
			Help:    "configuration file of the built-in proxy",
			Default: "/etc/bitgate/proxy.yaml", Looks: true,
		}, func(a *setup.Answers) *string { return &a.ProxyConfig }),
		listField(Question{
			ID: "listen", Step: setup.StepHAProxy, Title: "Where the front listens", Arg: "ADDR", Example: ":443",
			Why:     "Two programs cannot have the same port.",
			Help:    "address the front listens on (repeat)",
			Default: "the public URL's port on every address", Asked: "when another program has the port", Slow: true,
			when: func(iv *Interview) bool { _, taken := portHolder(iv.Facts, iv.Answers); return taken },
		}, func(a *setup.Answers) *[]string { return &a.Listen }, listenAddress),
		choiceField(Question{
			ID: "http-redirect", Step: setup.StepHAProxy, Title: "Redirect plain HTTP", Arg: "auto|always|never",
			Why:     "People type the host name without https; port 80 then sends them on.",
			Help:    "send port 80 on to https: auto, always or never",
			Default: "auto: where port 80 is free",
			Options: []Option{{setup.Auto, "where port 80 is free"}, {setup.Always, "always"}, {setup.Never, "never"}},
		}, func(a *setup.Answers) *string { return &a.HTTPRedirect }),
		numberField(Question{
			ID: "maxconn", Step: setup.StepHAProxy, Title: "Requests at a time", Arg: "N",
			Why:     "The documented page passes at most 50 requests at a time to Bitbucket; the others wait in the front.",
			Help:    "concurrent requests the front passes to Bitbucket, or to each node",
			Default: "50, as the documented page has it",
			refuse: func(iv *Interview, text string) error {
				if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > setup.MostMaxConn(iv.Answers.Front) {
					return fmt.Errorf("%d is more than %d, the most that this front passes on", n, setup.MostMaxConn(iv.Answers.Front))
				}
				return nil // the rest is the grammar's
			},
		}, func(a *setup.Answers) *int { return &a.MaxConn }, 1, setup.MostMaxConn(setup.FrontHAProxy)),
		choiceField(Question{
			ID: "reload", Step: setup.StepHAProxy, Title: "How HAProxy is reloaded", Free: true, Arg: "auto|never|CMD",
			Why:     "A reload takes the new configuration without cutting connections.",
			Help:    "how HAProxy is reloaded: auto, never or a command",
			Default: "auto: its systemd unit or init script", Asked: "when no service was found",
			Options: []Option{{setup.Never, "not now: bitgate writes the file only"}, {setup.Auto, "through its systemd unit or init script"}},
			when: func(iv *Interview) bool {
				return iv.Answers.Front == setup.FrontHAProxy && iv.Facts.HAProxyCtl.How == ""
			},
			show: func(f setup.Facts, a setup.Answers) string { return unlessAuto(a.Reload, setup.Never) },
			refuse: refuseAuto(func(f setup.Facts) bool { return f.HAProxyCtl.How == "" },
				"no systemd unit and no init script of HAProxy was found"),
		}, func(a *setup.Answers) *string { return &a.Reload }),
		partialQuestion(),
	}
}

// enterFront stops what the front of now does with SSH where there will be none.
func enterFront(f setup.Facts, a *setup.Answers, text string) error {
	if a.Front = strings.TrimSpace(text); a.Front == setup.FrontTomcat && f.ForwardsSSH() != "" {
		a.NoSSH = true
	}
	return nil
}

// portHolder names the program that has the front's port. taken is false where
// that is the front that will be reloaded.
func portHolder(f setup.Facts, a setup.Answers) (holder setup.Listener, taken bool) {
	want := hostport.Addr{Port: a.URL.Port()}
	if len(a.Listen) > 0 {
		want, _ = hostport.Parse(a.Listen[0])
	}
	for _, l := range f.Listeners {
		if at, err := hostport.Parse(l.Address); err != nil || !at.Overlaps(want) {
			continue
		}
		ours := a.Front == setup.FrontHAProxy && l.Process == "haproxy" || a.Front == setup.FrontBuiltin && l.Ours() ||
			a.Front == setup.FrontTomcat && (l.Process == "haproxy" || l.PID > 0 && l.PID == f.Bitbucket.PID)
		if !ours {
			return l, true
		}
		holder = l
	}
	return holder, false
}

func unlessAuto(answer, otherwise string) string {
	if answer == setup.Auto || answer == "" {
		return otherwise
	}
	return answer
}

func refuseAuto(unknown func(setup.Facts) bool, why string) func(*Interview, string) error {
	return func(iv *Interview, text string) error {
		if text == setup.Auto && unknown(iv.Facts) {
			return fmt.Errorf("%s; choose another way", why)
		}
		return nil
	}
}

// LockedAdvice is what to do after MaxRefusals refused passwords.
const LockedAdvice = "no further password is tried, for Bitbucket may lock the account: change the base URL by hand, or quit and start again with the right one"

func refuseLocked(iv *Interview, text string) error {
	if iv.Refusals >= MaxRefusals && text != setup.Manual && text != setup.MethodSkip {
		return fmt.Errorf("Bitbucket refused %d passwords; %s", iv.Refusals, LockedAdvice) //nolint:staticcheck // a name begins it
	}
	return nil
}

// FindingID is what findings of a rehearsal are called.
func FindingID(text string) error {
	if !strings.HasPrefix(text, "rehearsal-") || strings.ContainsAny(text, " \t\r\n") {
		return fmt.Errorf("%q is no finding of a rehearsal, like rehearsal-1f3a9c20", text)
	}
	return nil
}

func stepID(text string) error {
	if slices.Contains(Steps, text) {
		return nil
	}
	return fmt.Errorf("%q is not one of the steps context-path, base-url, connector, haproxy, ssh", text)
}
