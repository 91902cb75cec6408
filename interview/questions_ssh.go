package interview

import (
	"cmp"
	"fmt"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/setup"
)

func sshQuestions() []Question {
	return []Question{
		{
			ID: "ssh", Virtual: true, Step: setup.StepSSH, Title: "Forward SSH through the front", Kind: Confirm,
			Why:   "Optional. The front can pass Git over SSH on as TCP. That is of use where clients cannot reach Bitbucket's own SSH port; the addresses of clones change.",
			Asked: "always", keys: []string{"ssh-listen", "ssh-upstream", "no-ssh", "skip"}, given: []string{"ssh-listen", "ssh-upstream", "no-ssh"},
			Options: []Option{{"no", "No, the front takes no SSH"}, {"yes", "Yes, the front passes SSH on"}},
			when:    func(iv *Interview) bool { return iv.Answers.Front != setup.FrontTomcat },
			Get:     func(a setup.Answers) string { return yesNo(a.SSHListen != "" && !a.Skips(setup.StepSSH)) },
			Set: func(a *setup.Answers, text string) error {
				yes, err := parseYes(text)
				if err == nil {
					forwardSSH(a, yes, suggestedSSHPort)
				}
				return err
			},
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				yes, err := parseYes(text)
				if err == nil {
					forwardSSH(a, yes, cmp.Or(f.ForwardsSSH(), freeSSHPort(f)))
				}
				return err
			},
			show: func(f setup.Facts, a setup.Answers) string {
				return yesNo(!a.Skips(setup.StepSSH) && (a.SSHListen != "" || f.ForwardsSSH() != ""))
			},
			Because: func(f setup.Facts, a setup.Answers) string {
				if now := f.ForwardsSSH(); now != "" {
					return "the front takes SSH on " + now + " today"
				}
				if f.Instance.SSHActive {
					return "SSH is enabled in Bitbucket" + SourceNote(f, f.Instance.SSH.Why)
				}
				return ""
			},
		},
		textField(Question{
			ID: "ssh-listen", Step: setup.StepSSH, Title: "Where the front takes SSH", Kind: Text, Arg: "ADDR", Example: ":7998",
			Why:   "Bitbucket itself keeps its SSH port, 7999 by default, so the front needs another port or another address.",
			Help:  "address on which the front takes SSH",
			Asked: "when SSH is forwarded", required: true, Slow: true,
			when:   func(iv *Interview) bool { return ForwardsSSH(iv.Answers) },
			refuse: refuseSSHListen,
			enter: func(_ setup.Facts, a *setup.Answers, text string) error {
				return setAddress(&a.SSHListen, text, listenAddress)
			},
			Because: func(f setup.Facts, a setup.Answers) string {
				if a.SSHListen == freeSSHPort(f) {
					return "suggested: a free port beside Bitbucket's own"
				}
				return ""
			},
		}, func(a *setup.Answers) *string { return &a.SSHListen }, listenAddress),
		yesField(Question{
			ID: "no-ssh", Step: setup.StepSSH, Title: "No SSH through the front",
			Why:     "What the front does with SSH stays as it is unless it is told to stop.",
			Help:    "the front takes no SSH, and stops where it does",
			Default: "no: it stays as it is",
			Options: []Option{{"no", "As it is"}, {"yes", "The front takes no SSH"}},
		}, func(a *setup.Answers) *bool { return &a.NoSSH }),
		textField(Question{
			ID: "ssh-upstream", Step: setup.StepSSH, Title: "Bitbucket's SSH address", Kind: Text, Arg: "ADDR", Example: "127.0.0.1:7999",
			Why:     "Where Bitbucket's own SSH server listens.",
			Help:    "Bitbucket's own SSH address; with nodes only the port, :7999",
			Default: "127.0.0.1:7999", Asked: "when SSH is forwarded", Slow: true,
			when: func(iv *Interview) bool { return ForwardsSSH(iv.Answers) },
			enter: func(_ setup.Facts, a *setup.Answers, text string) error {
				if text = strings.TrimSpace(text); len(a.Nodes) == 0 {
					text = strings.TrimPrefix(text, "ssh://")
				}
				return setAddress(&a.SSHUpstream, text, sshAddress)
			},
			refuse: func(iv *Interview, text string) error {
				port := strings.HasPrefix(text, ":")
				switch nodes := len(iv.Answers.Nodes) > 0; {
				case nodes && !port && text != "":
					return fmt.Errorf("%q: the nodes' SSH servers all have the same port; give only that, like :7999", text)
				case !nodes && port:
					return fmt.Errorf("%q is not host:port, like 127.0.0.1:7999", text)
				}
				return nil
			},
		}, func(a *setup.Answers) *string { return &a.SSHUpstream }, sshAddress),
	}
}

// suggestedSSHPort is next to Bitbucket's own 7999, which it cannot share.
const suggestedSSHPort = ":7998"

// freeSSHPort is suggestedSSHPort, or the next below it that nobody has.
func freeSSHPort(f setup.Facts) string {
	for at := (hostport.Addr{Port: 7998}); at.Port > 7900; at.Port-- {
		if _, held := setup.Holder(f.Listeners, at.String()); !held {
			return at.String()
		}
	}
	return suggestedSSHPort
}

// ForwardsSSH reports whether the front is to take SSH.
func ForwardsSSH(a setup.Answers) bool { return a.SSHListen != "" && !a.Skips(setup.StepSSH) }

// forwardSSH keeps the skip list as it is unless it stands in the way.
func forwardSSH(a *setup.Answers, yes bool, listen string) {
	if a.NoSSH = !yes; !yes {
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
	a.SSHListen = cmp.Or(a.SSHListen, listen)
}

// setAddress takes an address, also a bare port number.
func setAddress(field *string, text string, valid func(string) error) error {
	if text = strings.TrimSpace(text); text != "" && strings.Trim(text, "0123456789") == "" {
		text = ":" + text
	}
	if text != "" {
		if err := valid(text); err != nil {
			return err
		}
	}
	*field = text
	return nil
}

// refuseSSHListen names what else has the port, before the last question.
func refuseSSHListen(iv *Interview, text string) error {
	var typed setup.Answers
	if setAddress(&typed.SSHListen, text, listenAddress) != nil || typed.SSHListen == "" {
		return nil //nolint:nilerr // the question itself refuses it
	}
	at, err := hostport.Listen(typed.SSHListen)
	if err != nil {
		return nil //nolint:nilerr // the question itself refuses it
	}
	for _, l := range iv.Answers.Listen {
		if web, err := hostport.Parse(l); err == nil && web.Overlaps(at) {
			return fmt.Errorf("%s is where the front takes HTTPS; SSH needs a port of its own", l)
		}
	}
	if l, held := setup.Holder(iv.Facts.Listeners, typed.SSHListen); held && iv.Facts.ForwardsSSH() != at.String() {
		return fmt.Errorf("%s; SSH needs a free port", heldBy(l))
	}
	return nil
}
