package interview

import (
	"slices"
	"strings"

	"bitgate/setup"
)

// questions is the list, in the order in which they are asked. Those whose
// Asked is empty are reached by flag, answers file or the list of all answers.
var questions = slices.Concat(
	bitbucketQuestions(),
	pathQuestions(),
	baseURLQuestions(),
	connectorQuestions(),
	frontQuestions(),
	certificateQuestions(),
	orderQuestions(),
	sshQuestions(),
	runQuestions(),
	edgeQuestions(),
)

func bitbucketQuestions() []Question {
	return []Question{
		pathField(Question{
			ID: "home", Step: StepBitbucket, Title: "Bitbucket home directory", Arg: "DIR", Example: "/var/atlassian/application-data/bitbucket",
			Why:     "Bitbucket keeps its connector and context path in the shared folder of its home directory.",
			Help:    "Bitbucket (or Stash) home directory",
			Default: "found from the running process, the start scripts or the usual places", Asked: "when it was not found",
			Looks: true, required: true, when: func(iv *Interview) bool {
				return iv.Answers.EditsBitbucket() && (iv.Facts.Bitbucket.Home == "" || iv.Facts.Bitbucket.Doubt != "")
			},
		}, func(a *setup.Answers) *string { return &a.Home }),
		pathField(Question{
			ID: "install", Step: StepBitbucket, Title: "Bitbucket installation directory", Arg: "DIR",
			Why:     "Versions before 3.8 keep server.xml in the installation directory.",
			Help:    "Bitbucket installation directory (needed before 3.8 only)",
			Default: "found from the running process or the usual places", Looks: true,
		}, func(a *setup.Answers) *string { return &a.Install }),
		textField(Question{
			ID: "bitbucket-version", Step: StepBitbucket, Title: "Bitbucket version", Kind: Text, Arg: "V", Example: "8.19.1",
			Why:     "Up to 4.x the connector is in server.xml, from 5.0 in bitbucket.properties.",
			Help:    "Bitbucket version, where it cannot be found",
			Default: "asked from the running instance or read from its files", Asked: "when it was not found",
			Looks: true, required: true, when: func(iv *Interview) bool {
				return iv.Answers.EditsBitbucket() && iv.Facts.Bitbucket.Version == "" && iv.Facts.Instance.Version == ""
			},
		}, func(a *setup.Answers) *string { return &a.Version }, nil),
		textField(Question{
			ID: "upstream", Step: StepBitbucket, Title: "Bitbucket's own address", Kind: Text, Arg: "URL", Example: "http://127.0.0.1:7990",
			Why:     "This is the connector the front passes requests to; 127.0.0.1 and not localhost, which may mean IPv6.",
			Help:    "Bitbucket's own connector, without the context path",
			Default: "the port in its configuration, http://127.0.0.1:7990", Slow: true, Looks: true,
		}, func(a *setup.Answers) *string { return &a.Upstream }, upstreamURL),
		nodesQuestion(),
	}
}

func pathQuestions() []Question {
	return []Question{
		urlQuestion(),
		pathQuestion(),
		oldPathQuestion(),
	}
}

func baseURLQuestions() []Question {
	return []Question{
		choiceField(Question{
			ID: "base-url-method", Step: setup.StepBaseURL, Title: "How the base URL is changed", Arg: "METHOD",
			Why:     "Bitbucket writes its base URL into e-mails, clone addresses and links; it is a server setting in the administration, not in a file.",
			Help:    "how the base URL is changed: auto, confapi, form, manual or skip",
			Default: "auto", Asked: "when three passwords were refused",
			Options: []Option{
				{setup.Auto, "bitgate signs in and changes it"},
				{setup.Manual, "I change it by hand when bitgate asks for it"},
				{setup.MethodSkip, "I leave the base URL as it is"},
				{"confapi", "through the ConfAPI plugin only"},
				{"form", "through the administration form only"},
			},
			rare:   []string{"confapi", "form"},
			when:   func(iv *Interview) bool { return iv.needsLogin(setup.Auto) && iv.Refusals >= MaxRefusals },
			refuse: refuseLocked,
		}, func(a *setup.Answers) *string { return &a.BaseURLMethod }),
		textField(Question{
			ID: "admin-user", Step: setup.StepBaseURL, Title: "Administrator", Kind: Text, Arg: "NAME", Example: "admin",
			Why:   "Bitbucket writes its base URL into e-mails, clone addresses and links; an account with the administrator permission changes it, access tokens cannot. Type - to change it by hand when bitgate asks for it.",
			Help:  "Bitbucket administrator who changes the base URL",
			Asked: "when the base URL differs, or cannot be read", required: true, Dash: true, keys: []string{"admin-user", "base-url-method"},
			when: func(iv *Interview) bool {
				byHand := iv.Answers.BaseURLMethod == setup.Manual && iv.given("base-url-method")
				return iv.needsLogin(setup.Auto) && iv.Answers.BaseURLMethod != setup.MethodSkip && !byHand && iv.Refusals < MaxRefusals
			},
			enter: func(_ setup.Facts, a *setup.Answers, text string) error {
				a.AdminUser = strings.TrimSpace(text)
				switch {
				case a.AdminUser == "-":
					a.AdminUser, a.BaseURLMethod = "", setup.Manual
				case a.BaseURLMethod == setup.Manual:
					a.BaseURLMethod = setup.Auto
				}
				return nil
			},
			show: func(_ setup.Facts, a setup.Answers) string {
				if a.BaseURLMethod == setup.Manual {
					return "-"
				}
				return a.AdminUser
			},
		}, func(a *setup.Answers) *string { return &a.AdminUser }, nil),
		{
			ID: PasswordID, Virtual: true, Step: setup.StepBaseURL, Title: "Password", Kind: Password,
			Why:   "It is used for one sign-in at Bitbucket on this machine and is kept nowhere.",
			Asked: "when bitgate changes the base URL and no password file is given", required: true,
			Get: func(setup.Answers) string { return "" }, Set: func(*setup.Answers, string) error { return nil },
			when: func(iv *Interview) bool { return iv.wantsPassword() },
		},
		pathField(Question{
			ID: "admin-password-file", Step: setup.StepBaseURL, Title: "Password file",
			Why:  "A password is never given as a flag's value: other users could read it in the process list.",
			Help: "file with the administrator's password, - for standard input",
		}, func(a *setup.Answers) *string { return &a.AdminPasswordFile }),
	}
}

func connectorQuestions() []Question {
	return []Question{
		yesField(Question{
			ID: "local-only", Step: setup.StepConnector, Title: "Close Bitbucket's own port",
			Why:     "The connector gets proxyName, proxyPort, scheme and secure, so that Bitbucket builds its links for the public URL. Its own port stays open to the network unless it is bound to 127.0.0.1.",
			Help:    "bind Bitbucket's own port to 127.0.0.1",
			Default: "no",
			Options: []Option{{"no", "No, other machines may reach it too"}, {"yes", "Yes, only this machine may reach it"}},
		}, func(a *setup.Answers) *bool { return &a.LocalOnly }),
		choiceField(Question{
			ID: "restart", Step: setup.StepConnector, Title: "How Bitbucket is restarted", Free: true, Arg: "auto|manual|never|CMD",
			Why:     "Bitbucket reads its connector only when it starts.",
			Help:    "how Bitbucket is restarted: auto, manual, never or a command (run for each node, with BITGATE_NODE and BITGATE_NODE_ADDRESS set)",
			Default: "auto: its systemd unit or init script; manual with several nodes or a home on NFS", Asked: "when no service was found",
			Options: []Option{
				{setup.Manual, "I restart it when bitgate asks for it"},
				{setup.Never, "not now: bitgate writes the files only"},
				{setup.Auto, "through its systemd unit or init script"},
			},
			when:   func(iv *Interview) bool { return iv.Answers.EditsBitbucket() && iv.Facts.BitbucketCtl.How == "" },
			show:   func(f setup.Facts, a setup.Answers) string { return unlessAuto(a.Restart, setup.Manual) },
			refuse: refuseAuto(func(f setup.Facts) bool { return f.BitbucketCtl.How == "" }, "no systemd unit and no init script of Bitbucket was found"),
		}, func(a *setup.Answers) *string { return &a.Restart }),
		durationField(Question{
			ID: "restart-timeout", Step: setup.StepConnector, Title: "How long Bitbucket may take to start", Arg: "DURATION",
			Why:     "A large instance takes minutes; after this time the run is taken back.",
			Help:    "how long Bitbucket may take to start",
			Default: "15m",
		}, restartTimeout),
	}
}

func runQuestions() []Question {
	return []Question{
		choiceField(Question{
			ID: "on-failure", Step: StepReview, Title: "What happens when a change fails", Arg: "back|keep",
			Why:     "A run that fails half way is taken back in reverse order, unless a person or this answer says otherwise.",
			Help:    "when a change fails: back (take everything back) or keep",
			Default: "back",
			Options: []Option{{setup.FailBack, "take everything back"}, {setup.FailKeep, "keep what was done"}},
		}, func(a *setup.Answers) *string { return &a.OnFailure }),
		pathField(Question{
			ID: "ca-file", Step: StepReview, Title: "Additional certificate authority",
			Why:  "For the final checks, where the certificate comes from an authority that this machine does not know.",
			Help: "PEM with additional certificate authorities to trust in the checks",
		}, func(a *setup.Answers) *string { return &a.CAFile }),
		listField(Question{
			ID: "skip", Step: StepReview, Title: "Steps to leave out", Arg: "STEP",
			Why:  "A step that is left out is not looked at and not changed.",
			Help: "leave a step out: context-path, base-url, connector, haproxy or ssh (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.Skip }, stepID),
		listField(Question{
			ID: "accept", Step: StepReview, Title: "Findings to accept", Arg: "ID",
			Why:  "What a rehearsal finds stops the run. A person who knows better accepts it by its id, which holds for that finding alone.",
			Help: "accept what a rehearsal found, by its id, e.g. rehearsal-1f3a9c20; the journal keeps it (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.Accept }, FindingID),
	}
}
