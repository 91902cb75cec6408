package interview

import (
	"fmt"
	"strings"

	"bitgate/setup"
)

func sshQuestions() []Question {
	return []Question{
		{
			ID: "ssh", Virtual: true, Step: setup.StepSSH, Title: "Forward SSH through the front", Kind: Confirm,
			Why:   "Optional. The front can pass Git over SSH on as TCP, so that the SSH addresses have the public host name too.",
			Asked: "always", keys: []string{"ssh-listen", "ssh-upstream", "skip"},
			Options: []Option{{"no", "No, leave SSH as it is"}, {"yes", "Yes, forward it"}},
			when:    func(*Interview) bool { return true },
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
			Because: func(f setup.Facts, a setup.Answers) string {
				if f.Instance.SSHActive {
					return "SSH is enabled in Bitbucket" + SourceNote(f, f.Instance.SSH.Why)
				}
				return "SSH access is not known to be enabled in Bitbucket"
			},
		},
		textField(Question{
			ID: "ssh-listen", Step: setup.StepSSH, Title: "Where the front takes SSH", Kind: Text, Arg: "ADDR", Example: ":7998",
			Why:   "Bitbucket itself keeps its SSH port, 7999 by default, so the front needs another port or another address.",
			Help:  "address on which the front takes SSH",
			Asked: "when SSH is forwarded", required: true, Slow: true,
			when: func(iv *Interview) bool { return ForwardsSSH(iv.Answers) },
			Because: func(_ setup.Facts, a setup.Answers) string {
				if a.SSHListen == suggestedSSHPort {
					return "suggested: the port beside Bitbucket's own"
				}
				return ""
			},
		}, func(a *setup.Answers) *string { return &a.SSHListen }, listenAddress),
		textField(Question{
			ID: "ssh-upstream", Step: setup.StepSSH, Title: "Bitbucket's SSH address", Kind: Text, Arg: "ADDR", Example: "127.0.0.1:7999",
			Why:     "Where Bitbucket's own SSH server listens.",
			Help:    "Bitbucket's own SSH address; with nodes only the port, :7999",
			Default: "127.0.0.1:7999", Asked: "when SSH is forwarded", Slow: true,
			when: func(iv *Interview) bool { return ForwardsSSH(iv.Answers) },
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

// ForwardsSSH reports whether the front is to take SSH.
func ForwardsSSH(a setup.Answers) bool { return a.SSHListen != "" && !a.Skips(setup.StepSSH) }

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
