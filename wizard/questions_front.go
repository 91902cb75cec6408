package wizard

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/setup"
)

func frontQuestions() []Question {
	return []Question{
		choiceField(Question{
			ID: "front", Step: setup.StepHAProxy, Title: "What terminates TLS", Arg: "haproxy|builtin",
			Why:     "The front takes HTTPS from the network and passes plain HTTP to Bitbucket on this machine.",
			Help:    "what terminates TLS: haproxy or builtin (bitgate's own proxy)",
			Default: "haproxy where it is installed", Asked: "always",
			Options: []Option{{setup.FrontHAProxy, "HAProxy, as the documented page has it"}, {setup.FrontBuiltin, "bitgate's built-in proxy, with the same behaviour"}},
			slow:    true, when: func(*interview) bool { return true },
		}, func(a *setup.Answers) *string { return &a.Front }),
		pathField(Question{
			ID: "haproxy-cfg", Step: setup.StepHAProxy, Title: "HAProxy's configuration",
			Why:     "bitgate adds its sections between two marker comments; every other byte stays.",
			Help:    "HAProxy configuration file to merge into",
			Default: "the last file the HAProxy service loads, /etc/haproxy/haproxy.cfg", looks: true,
		}, func(a *setup.Answers) *string { return &a.HAProxyCfg }),
		pathField(Question{
			ID: "haproxy-bin", Step: setup.StepHAProxy, Title: "HAProxy's program",
			Why:     "The installed version decides how the sections are written, and it checks them before they are used.",
			Help:    "HAProxy program",
			Default: "found in the usual places", looks: true,
		}, func(a *setup.Answers) *string { return &a.HAProxyBin }),
		pathField(Question{
			ID: "proxy-config", Step: setup.StepHAProxy, Title: "The built-in proxy's configuration",
			Why:     "The built-in proxy reads one small YAML file.",
			Help:    "configuration file of the built-in proxy",
			Default: "/etc/bitgate/proxy.yaml", looks: true,
		}, func(a *setup.Answers) *string { return &a.ProxyConfig }),
		listField(Question{
			ID: "listen", Step: setup.StepHAProxy, Title: "Where the front listens", Arg: "ADDR", Example: ":443",
			Why:     "Two programs cannot have the same port.",
			Help:    "address the front listens on (repeat)",
			Default: "the public URL's port on every address", Asked: "when another program has the port", slow: true,
			when: func(iv *interview) bool { _, taken := portHolder(iv.facts, iv.answers); return taken },
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
			Help:    "concurrent requests the front passes to Bitbucket",
			Default: "50, as the documented page has it",
		}, func(a *setup.Answers) *int { return &a.MaxConn }, 1, 100000),
		choiceField(Question{
			ID: "reload", Step: setup.StepHAProxy, Title: "How HAProxy is reloaded", Free: true, Arg: "auto|never|CMD",
			Why:     "A reload takes the new configuration without cutting connections.",
			Help:    "how HAProxy is reloaded: auto, never or a command",
			Default: "auto: its systemd unit or init script", Asked: "when no service was found",
			Options: []Option{{setup.Never, "not now: bitgate writes the file only"}, {setup.Auto, "through its systemd unit or init script"}},
			when: func(iv *interview) bool {
				return iv.answers.Front == setup.FrontHAProxy && iv.facts.HAProxyCtl.How == ""
			},
			show: func(f setup.Facts, a setup.Answers) string { return unlessAuto(a.Reload, setup.Never) },
			refuse: refuseAuto(func(f setup.Facts) bool { return f.HAProxyCtl.How == "" },
				"no systemd unit and no init script of HAProxy was found"),
		}, func(a *setup.Answers) *string { return &a.Reload }),
	}
}

func certificateQuestions() []Question {
	return []Question{
		pathField(Question{
			ID: "cert", Step: setup.StepHAProxy, Title: "Certificate file", Example: "/etc/letsencrypt/live/git.example.com/fullchain.pem",
			Why:   "The certificate must be on this machine, as PEM. One file with certificate, chain and key is fine too.",
			Help:  "certificate (PEM), with or without its chain",
			Asked: "always", keys: []string{"cert", "pem"}, slow: true, looks: true, required: true,
			when: func(*interview) bool { return true },
			show: func(f setup.Facts, a setup.Answers) string { return a.Cert + a.PEM },
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				if text = strings.TrimSpace(text); text != a.PEM {
					a.Cert, a.PEM = text, ""
				}
				return oneLine(text)
			},
		}, func(a *setup.Answers) *string { return &a.Cert }),
		pathField(Question{
			ID: "key", Step: setup.StepHAProxy, Title: "Private key file", Example: "empty when the key is in the certificate file",
			Why:   "The front signs with this key. Its bytes never appear on the screen, in a plan or in a log.",
			Help:  "private key (PEM)",
			Asked: "always", keys: []string{"key", "cert", "pem"}, slow: true, looks: true,
			when: func(*interview) bool { return true },
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				a.Key = strings.TrimSpace(text)
				switch {
				case a.Key == "" && a.PEM == "":
					a.PEM, a.Cert, a.Chain = a.Cert, "", ""
				case a.Key != "" && a.PEM != "":
					a.Cert, a.PEM = a.PEM, ""
				}
				return oneLine(text)
			},
		}, func(a *setup.Answers) *string { return &a.Key }),
		pathField(Question{
			ID: "chain", Step: setup.StepHAProxy, Title: "Chain file", Example: "empty when the certificate file has the chain",
			Why:   "Git and Java clients refuse a certificate whose intermediate certificates are missing, even where browsers do not.",
			Help:  "intermediate certificates (PEM), where the certificate file has none",
			Asked: "when the certificate file has no chain", slow: true, looks: true,
			when: func(iv *interview) bool { return iv.answers.PEM == "" && chainMissing(iv.facts) },
		}, func(a *setup.Answers) *string { return &a.Chain }),
		pathField(Question{
			ID: "pem", Step: setup.StepHAProxy, Title: "Bundle file",
			Why:  "HAProxy's crt takes one file with certificate, chain and key.",
			Help: "one PEM with certificate, chain and key, instead of --cert and --key", slow: true, looks: true,
		}, func(a *setup.Answers) *string { return &a.PEM }),
	}
}

func sshQuestions() []Question {
	return []Question{
		{
			ID: "ssh", Virtual: true, Step: setup.StepSSH, Title: "Forward SSH through the front", Kind: Confirm,
			Why:   "Optional. The front can pass Git over SSH on as TCP, so that the SSH addresses have the public host name too.",
			Asked: "always", keys: []string{"ssh-listen", "ssh-upstream", "skip"},
			Options: []Option{{"no", "No, leave SSH as it is"}, {"yes", "Yes, forward it"}},
			when:    func(*interview) bool { return true },
			Get:     func(a setup.Answers) string { return yesNo(a.SSHListen != "" && !a.Skips(setup.StepSSH)) },
			Set: func(a *setup.Answers, text string) error {
				yes, err := parseYes(text)
				if err == nil {
					forwardSSH(a, yes)
				}
				return err
			},
			show: func(f setup.Facts, a setup.Answers) string {
				return yesNo(!a.Skips(setup.StepSSH) && (a.SSHListen != "" || f.Instance.SSHActive))
			},
			why: func(f setup.Facts, a setup.Answers) string {
				if f.Instance.SSHActive {
					return "SSH is enabled in Bitbucket" + from(f.Instance.SSH.Why)
				}
				return "SSH access is not known to be enabled in Bitbucket"
			},
		},
		textField(Question{
			ID: "ssh-listen", Step: setup.StepSSH, Title: "Where the front takes SSH", Kind: Text, Arg: "ADDR", Example: ":7998",
			Why:   "Bitbucket itself keeps its SSH port, 7999 by default, so the front needs another port or another address.",
			Help:  "address on which the front takes SSH",
			Asked: "when SSH is forwarded", required: true, slow: true,
			when: func(iv *interview) bool { return forwardsSSH(iv.answers) },
		}, func(a *setup.Answers) *string { return &a.SSHListen }, listenAddress),
		textField(Question{
			ID: "ssh-upstream", Step: setup.StepSSH, Title: "Bitbucket's SSH address", Kind: Text, Arg: "ADDR", Example: "127.0.0.1:7999",
			Why:     "Where Bitbucket's own SSH server listens.",
			Help:    "Bitbucket's own SSH address",
			Default: "127.0.0.1:7999", Asked: "when SSH is forwarded", slow: true,
			when: func(iv *interview) bool { return forwardsSSH(iv.answers) },
		}, func(a *setup.Answers) *string { return &a.SSHUpstream }, dialAddress),
	}
}

// suggestedSSHPort is next to Bitbucket's own 7999, which it cannot share.
const suggestedSSHPort = ":7998"

func forwardsSSH(a setup.Answers) bool { return a.SSHListen != "" && !a.Skips(setup.StepSSH) }

// forwardSSH keeps the skip list as it is unless it stands in the way.
func forwardSSH(a *setup.Answers, yes bool) {
	if !yes {
		if a.SSHListen != "" {
			a.SSHListen, a.SSHUpstream = "", ""
		}
		return
	}
	var skip []string
	for _, s := range a.Skip {
		if s != setup.StepSSH {
			skip = append(skip, s)
		}
	}
	a.Skip = skip
	if a.SSHListen == "" {
		a.SSHListen = suggestedSSHPort
	}
}

// portHolder names the program that has the public port, where it is not the
// front that will be reloaded.
func portHolder(f setup.Facts, a setup.Answers) (setup.Listener, bool) {
	want := strconv.Itoa(a.URL.Port())
	if len(a.Listen) > 0 {
		_, want, _ = splitAddress(a.Listen[0])
	}
	for _, l := range f.Listeners {
		if _, port, ok := splitAddress(l.Address); !ok || port != want {
			continue
		}
		ours := a.Front == setup.FrontHAProxy && l.Process == "haproxy" || a.Front == setup.FrontBuiltin && l.Process == "bitgate"
		if !ours {
			return l, true
		}
	}
	return setup.Listener{}, false
}

// chainMissing reports whether the look at the certificate complained about its chain.
func chainMissing(f setup.Facts) bool {
	for _, n := range f.Certificate.Findings {
		if n.Level != setup.OK && strings.Contains(strings.ToLower(n.ID), "chain") {
			return true
		}
	}
	return false
}

func unlessAuto(said, otherwise string) string {
	if said == setup.Auto || said == "" {
		return otherwise
	}
	return said
}

func refuseAuto(unknown func(setup.Facts) bool, why string) func(*interview, string) error {
	return func(iv *interview, text string) error {
		if text == setup.Auto && unknown(iv.facts) {
			return fmt.Errorf("%s; choose another way", why)
		}
		return nil
	}
}

func refuseLocked(iv *interview, text string) error {
	if iv.refusals >= maxRefusals && text != setup.Manual && text != setup.MethodSkip {
		return fmt.Errorf("Bitbucket refused %d passwords and may lock the account; change the base URL by hand", iv.refusals)
	}
	return nil
}

func stepID(text string) error {
	switch text {
	case setup.StepContextPath, setup.StepBaseURL, setup.StepConnector, setup.StepHAProxy, setup.StepSSH:
		return nil
	}
	return fmt.Errorf("%q is none of the steps context-path, base-url, connector, haproxy, ssh", text)
}
