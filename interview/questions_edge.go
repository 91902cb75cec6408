package interview

import (
	"time"

	"bitgate/internal/edge"
	"bitgate/setup"
)

// edgeQuestions are about what stands around the front. None of them is asked: they
// are reached by flag, answers file or the list of all answers.
func edgeQuestions() []Question {
	list := func(q Question, field func(*setup.Answers) *[]string, valid func(string) error) Question {
		q.Step = setup.StepHAProxy
		return listField(q, field, valid)
	}
	return []Question{
		list(Question{
			ID: "trusted-proxy", Title: "Balancers in front", Arg: "NETWORK", Example: "10.0.0.0/8",
			Why:  "A balancer in front says in X-Forwarded-For who asks; whoever else says so is not believed.",
			Help: "network of a balancer in front, whose X-Forwarded-For is believed (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.TrustedProxies }, edge.ValidProxy),
		yesField(Question{
			ID: "proxy-protocol", Step: setup.StepHAProxy, Title: "PROXY protocol of the balancers",
			Why:     "With the PROXY protocol a balancer says who connects before TLS begins, for SSH too.",
			Help:    "the balancers of --trusted-proxy speak the PROXY protocol to the front, on every port, and must",
			Default: "no",
		}, func(a *setup.Answers) *bool { return &a.ProxyProtocol }),
		durationField(Question{
			ID: "keep-alive", Step: setup.StepHAProxy, Title: "How long idle clients are kept", Arg: "DURATION",
			Why:     "A balancer in front must close idle connections first, or it answers 502 now and then.",
			Help:    "how long an idle client is kept; longer than a balancer in front keeps idle connections",
			Default: "75s",
		}, func(a *setup.Answers) *time.Duration { return &a.KeepAlive }),
		list(Question{
			ID: "redirect-host", Title: "Names that lead to the public one", Arg: "NAME", Example: "stash.example.com",
			Why:  "A former or a short name of the server sends its clients on to the public URL; the certificate has to hold it.",
			Help: "another name of the server, whose requests are sent on to the public URL (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.RedirectHosts }, edge.ValidHost),
		list(Question{
			ID: "serve-host", Title: "Names that are served like the public one", Arg: "NAME", Example: "git.intern.example.com",
			Why:  "Requests for these names are answered as those for the public URL are; the certificate has to hold them.",
			Help: "another name of the server, served as the public one is (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.ServeHosts }, edge.ValidHost),
		list(Question{
			ID: "allow", Title: "Who may ask for a path", Arg: "PATH=NETWORK", Example: "/admin=10.0.0.0/8",
			Why:  "The administration can be kept to some networks, at /admin and /rest/api/1.0/admin for one.",
			Help: "only this network may ask for PATH below the context path and what is below it; / is everything (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.Allow }, edge.ValidRule),
		list(Question{
			ID: "deny", Title: "Who may not ask for a path", Arg: "PATH=NETWORK", Example: "/=203.0.113.0/24",
			Why:  "Networks can be kept out of Bitbucket, or of some of its paths.",
			Help: "this network may not ask for PATH below the context path and what is below it (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.Deny }, edge.ValidRule),
		list(Question{
			ID: "response-header", Title: "Headers of every answer", Arg: `"NAME: VALUE"`, Example: "X-Frame-Options: DENY", sep: " | ",
			Why:  "What an organisation wants in every answer is set by the front, in place of what Bitbucket says.",
			Help: "header to set in every answer (repeat)",
		}, func(a *setup.Answers) *[]string { return &a.ResponseHeaders }, edge.ValidHeader),
		durationField(Question{
			ID: "hsts", Step: setup.StepHAProxy, Title: "How long browsers come over HTTPS only", Arg: "DURATION", Example: "8760h",
			Why:     "Browsers that were told so (HSTS) open no plain HTTP under this name, and cannot be made to forget it.",
			Help:    "how long browsers come over HTTPS only, 8760h for a year; they cannot be made to forget it",
			Default: "off",
		}, func(a *setup.Answers) *time.Duration { return &a.HSTS }),
		numberField(Question{
			ID: "max-header", Step: setup.StepHAProxy, Title: "Largest head of a request", Arg: "BYTES",
			Why:     "Kerberos tickets and single sign-on make heads that are larger than usual; the front must take what Bitbucket takes.",
			Help:    "bytes of a request's line and headers that the front takes",
			Default: "what Bitbucket's own files say, else 65536",
		}, func(a *setup.Answers) *int { return &a.MaxHeader }, edge.LeastHeader, edge.MostHeader),
		pathField(Question{
			ID: "client-ca", Step: setup.StepHAProxy, Title: "Authorities of clients' certificates",
			Why:  "With it clients are asked for certificates, and Bitbucket is told whose they are (X-SSL-Client-S-DN, Client-Cert).",
			Help: "PEM with the authorities of clients' certificates; clients are asked for one",
		}, func(a *setup.Answers) *string { return &a.ClientCA }),
		choiceField(Question{
			ID: "client-cert", Step: setup.StepHAProxy, Title: "Clients without a certificate", Arg: "required|optional",
			Why:     "Git, CI and browsers all need a certificate where one is required.",
			Help:    "whether clients must have a certificate of --client-ca: required or optional",
			Default: edge.Required,
			Options: []Option{{edge.Required, "are turned away"}, {edge.Optional, "are let in, and Bitbucket is told"}},
		}, func(a *setup.Answers) *string { return &a.ClientCert }),
		pathField(Question{
			ID: "maintenance-page", Step: setup.StepHAProxy, Title: "Page for the time when Bitbucket is down",
			Why:  "Browsers get this page while Bitbucket is down; Git and REST clients are told in their own words.",
			Help: "HTML file of up to 15 KiB that browsers get while Bitbucket is down",
		}, func(a *setup.Answers) *string { return &a.MaintenancePage }),
		pathField(Question{
			ID: "upstream-ca", Step: setup.StepHAProxy, Title: "Authorities of Bitbucket's own certificate",
			Why:     "Where Bitbucket does TLS itself, on another machine for one, the front must know that it is the right one.",
			Help:    "PEM with the authorities of Bitbucket's own certificate, with --upstream https:// or with nodes that do TLS",
			Default: "those that this machine trusts",
		}, func(a *setup.Answers) *string { return &a.UpstreamCA }),
		textField(Question{
			ID: "upstream-name", Step: setup.StepHAProxy, Title: "Name in Bitbucket's own certificate", Kind: Text, Arg: "NAME", Example: "bitbucket.example.com",
			Why:     "Where Bitbucket does TLS itself, its certificate may be for another name than the one it is reached at.",
			Help:    "name that Bitbucket's own certificate is for, with --upstream https://",
			Default: "the one in --upstream, or the public one where that is an address",
		}, func(a *setup.Answers) *string { return &a.UpstreamName }, edge.ValidHost),
		textField(Question{
			ID: "plain-listen", Step: setup.StepHAProxy, Title: "Address for balancers that end TLS", Kind: Text, Arg: "ADDR", Example: ":8080",
			Why:  "A balancer that ends TLS itself speaks plain HTTP there and says in X-Forwarded-Proto how its client came; nobody else is let in.",
			Help: "address where the balancers of --trusted-proxy that end TLS themselves speak plain HTTP",
		}, func(a *setup.Answers) *string { return &a.PlainListen }, listenAddress),
		textField(Question{
			ID: "health-listen", Step: setup.StepHAProxy, Title: "Address for health checks", Kind: Text, Arg: "ADDR", Example: ":8080",
			Why:  "Balancers and monitors ask there whether Bitbucket can be reached, without a name and without TLS.",
			Help: "address that answers /healthz, 200 while Bitbucket is up, else 503, and nothing else",
		}, func(a *setup.Answers) *string { return &a.HealthListen }, listenAddress),
	}
}
