package interview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

func certificateQuestions() []Question {
	return []Question{
		choiceField(Question{
			ID: "cert-source", Step: setup.StepHAProxy, Title: "Where the certificate comes from", Arg: "file|bitbucket|request",
			Why:  "The front needs a certificate and its key. Bitbucket serves one itself today, which can move to the front.",
			Help: "where the certificate comes from", Default: "file",
			Asked: "when Bitbucket serves a key store itself, and no certificate is named", Looks: true,
			Options: []Option{
				{setup.SourceBitbucket, "The one that Bitbucket serves itself today"},
				{setup.SourceFile, "Files that I name"},
				{setup.SourceRequest, "My company's authority: requested with cert request, a placeholder until it comes"},
			},
			when: func(iv *Interview) bool {
				return iv.Facts.OwnStore.Path != "" && iv.Answers.Front != setup.FrontTomcat && !iv.Answers.Orders() && iv.inputSources["cert"].From == "" && iv.inputSources["pem"].From == ""
			},
			show: func(f setup.Facts, a setup.Answers) string { return cmp.Or(a.CertSource, setup.SourceBitbucket) },
			Because: func(f setup.Facts, a setup.Answers) string {
				if a.CertSource == "" && f.OwnStore.Path != "" {
					return "found: " + f.OwnStore.Path + " (" + f.OwnStore.Why + ")"
				}
				return ""
			},
		}, func(a *setup.Answers) *string { return &a.CertSource }),
		choiceField(Question{
			ID: "own-tls", Step: setup.StepHAProxy, Title: "TLS of Bitbucket's own", Arg: "off|keep",
			Why:  "Once the front does TLS, Bitbucket's own TLS connector is of no use, and a way around the front. Where it is the only one, Bitbucket gets a plain one beside it, on 127.0.0.1 for the front alone.",
			Help: "whether Bitbucket's own TLS connector is turned off or kept, with --cert-source bitbucket; keep gives a Bitbucket without a plain connector one on 127.0.0.1", Default: "off",
			Options: []Option{{setup.TLSOff, "Turn it off"}, {setup.TLSKeep, "Keep it"}},
			Asked:   "when Bitbucket has no plain connector", keys: []string{"own-tls", "upstream"}, given: []string{"own-tls", "upstream"},
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				if text == setup.TLSKeep && f.LacksPlain() && a.Upstream == f.Instance.Upstream {
					a.Upstream = f.PlainUpstream()
				}
				a.OwnTLS = text
				return nil
			},
			when: func(iv *Interview) bool { return iv.Facts.LacksPlain() && iv.Answers.Front != setup.FrontTomcat },
			show: func(f setup.Facts, a setup.Answers) string {
				if a.OwnTLS == "" && f.LacksPlain() {
					return setup.TLSKeep
				}
				return a.OwnTLS
			},
			Because: func(f setup.Facts, a setup.Answers) string {
				if f.LacksPlain() {
					return "found: " + f.OwnTLS.Why
				}
				return ""
			},
		}, func(a *setup.Answers) *string { return &a.OwnTLS }),
		pathField(Question{
			ID: "cert", Step: setup.StepHAProxy, Title: "Certificate file", Example: "/etc/letsencrypt/live/git.example.com/fullchain.pem",
			Why:   "The certificate must be on this machine. PEM, PKCS#12 (.pfx, .p12), JKS, .p7b and DER are read; one file with certificate, chain and key is fine too. Type - to have one ordered, and renewed, from an authority such as Let's Encrypt (ACME).",
			Help:  "certificate with or without its chain (PEM, DER, PKCS#7), or a key store with its key (PKCS#12, JKS, JCEKS)",
			Asked: "unless it comes from elsewhere", keys: []string{"cert", "pem", "key", "chain", "acme-ca"}, given: []string{"cert", "pem", "acme-ca"}, Slow: true, Looks: true, required: true, Dash: true,
			when: func(iv *Interview) bool {
				s := iv.Answers.CertSource
				return s != setup.SourceBitbucket && s != setup.SourceRequest
			},
			show: func(f setup.Facts, a setup.Answers) string {
				if a.Orders() {
					return "-"
				}
				if named := a.Cert + a.PEM; named != "" {
					return named
				}
				if found := f.CertificatesFor(a.URL.Host()); len(found) > 0 {
					return found[0].Cert
				}
				return ""
			},
			Because: func(f setup.Facts, a setup.Answers) string {
				if found := f.CertificatesFor(a.URL.Host()); a.Cert+a.PEM == "" && len(found) > 0 && !a.Orders() {
					return "found: " + certificateWords(found[0])
				}
				return ""
			},
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				if text = strings.TrimSpace(text); text == "-" {
					a.Cert, a.PEM, a.Key, a.Chain = "", "", "", ""
					a.ACME = cmp.Or(a.ACME, "letsencrypt")
					return nil
				}
				if a.ACME = ""; text != a.PEM {
					a.Cert, a.PEM = text, ""
				}
				if f.KeyOf(text) != "" {
					a.Key = "" // what was found is its key
				}
				return oneLine(text)
			},
		}, func(a *setup.Answers) *string { return &a.Cert }),
		{
			ID: CertPasswordID, Virtual: true, Step: setup.StepHAProxy, Title: "Password of the certificate's files", Kind: Password,
			Why:   "It opens the key store or the key on this machine, and is kept nowhere. The front gets a copy without it that only root can read.",
			Asked: "when the files are under a password and none is given", required: true,
			Get: func(setup.Answers) string { return "" }, Set: func(*setup.Answers, string) error { return nil },
			when: func(iv *Interview) bool {
				return iv.machine.Unlocks && iv.Facts.Certificate.Locked && iv.certificateSeen() && iv.Answers.CertPasswordFile == ""
			},
		},
		textField(Question{
			ID: "cert-alias", Step: setup.StepHAProxy, Title: "Which key of the store", Arg: "NAME", Kind: Text,
			Why:   "A key store may hold several keys. The front serves one of them.",
			Help:  "name of the key in a key store that has several",
			Asked: "when a key store has several keys, none or several of them for the public URL's host", Slow: true, Looks: true, required: true,
			when: func(iv *Interview) bool { return len(iv.Facts.Certificate.Aliases) > 0 && iv.certificateSeen() },
			show: func(f setup.Facts, a setup.Answers) string {
				if a.CertAlias == "" && len(f.Certificate.Aliases) > 0 {
					return f.Certificate.Aliases[0].Alias
				}
				return a.CertAlias
			},
			Because: func(f setup.Facts, _ setup.Answers) string {
				var all []string
				for _, k := range f.Certificate.Aliases {
					all = append(all, k.Alias+" ("+strings.Join(k.Names, ", ")+", until "+k.NotAfter+")")
				}
				return strings.Join(all, "; ")
			},
		}, func(a *setup.Answers) *string { return &a.CertAlias }, oneLine),
		pathField(Question{
			ID: "cert-password-file", Step: setup.StepHAProxy, Title: "File with the password",
			Why:  "A password is never given as a flag's value: other users could read it in the process list. A key with a password of its own has it on a second line.",
			Help: "file with the password of the certificate's files, - for standard input", Looks: true,
		}, func(a *setup.Answers) *string { return &a.CertPasswordFile }),
		pathField(Question{
			ID: "key", Step: setup.StepHAProxy, Title: "Private key file", Example: "empty when the key is in the certificate file",
			Why:   "The front signs with this key. Its bytes never appear on the screen, in a plan or in a log.",
			Help:  "private key (PEM, DER), where it is not in the certificate's file",
			Asked: "when it was not found beside the certificate", keys: []string{"key", "cert", "pem"}, given: []string{"key", "pem"}, Slow: true, Looks: true,
			when: func(iv *Interview) bool {
				return !iv.Answers.Orders() && iv.Answers.CertSource != setup.SourceRequest && iv.Facts.KeyOf(iv.Answers.Cert+iv.Answers.PEM) == "" && !(iv.certificateSeen() && iv.Facts.Certificate.WithKey)
			},
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
		{
			ID: FetchChainID, Virtual: true, Step: setup.StepHAProxy, Title: "Fetch the missing intermediate certificate?", Kind: Choice,
			Why: "Git and Java clients refuse a certificate whose intermediate certificates are missing. Its authority says in it where they are; what did not sign it is not taken.",
			Options: []Option{
				{"no", "No"},
				{FetchPublic, "Yes, from that address"},
				{FetchPrivate, "Yes, also where that is a machine of your own network"},
			},
			Asked: "when the certificate lacks its intermediate and says where it is",
			Get:   func(setup.Answers) string { return "" }, Set: func(*setup.Answers, string) error { return nil },
			show: func(setup.Facts, setup.Answers) string { return "no" },
			when: func(iv *Interview) bool {
				return iv.machine.Fetches && iv.Facts.Certificate.Missing != "" && iv.certificateSeen() && iv.Answers.Chain == "" && iv.Answers.CertSource != setup.SourceRequest
			},
			refuse: func(_ *Interview, text string) error {
				if text != "" && text != "no" && !Fetches(text) {
					return fmt.Errorf("%q is not one of no, %s, %s", text, FetchPublic, FetchPrivate)
				}
				return nil
			},
		},
		pathField(Question{
			ID: "chain", Step: setup.StepHAProxy, Title: "Chain file", Example: "empty when the certificate file has the chain",
			Why:   "Git and Java clients refuse a certificate whose intermediate certificates are missing, even where browsers do not.",
			Help:  "intermediate certificates (PEM, DER, PKCS#7), where the certificate file has none",
			Asked: "when the certificate file has no chain", Slow: true, Looks: true,
			when: func(iv *Interview) bool {
				return iv.Answers.PEM == "" && !iv.Answers.Orders() && chainMissing(iv.Facts, iv.Answers)
			},
		}, func(a *setup.Answers) *string { return &a.Chain }),
		pathField(Question{
			ID: "pem", Step: setup.StepHAProxy, Title: "Bundle file",
			Why:  "HAProxy's crt takes one file with certificate, chain and key.",
			Help: "one PEM with certificate, chain and key, instead of --cert and --key", Slow: true, Looks: true,
		}, func(a *setup.Answers) *string { return &a.PEM }),
	}
}

// Words of the consent to fetch intermediate certificates.
const (
	FetchPublic  = "public"
	FetchPrivate = "private"
)

// Fetches reports whether an answer is that consent.
func Fetches(text string) bool { return text == FetchPublic || text == FetchPrivate }

// certificateSeen reports whether what is known is about the certificate that is named.
func (iv *Interview) certificateSeen() bool {
	s := iv.Facts.Scope
	return iv.Facts.Certificate.Given && s != nil && s.Cert == setup.CertPaths(iv.Answers)
}

// chainMissing reports whether the look at this certificate missed an intermediate.
func chainMissing(f setup.Facts, a setup.Answers) bool {
	if _, looked := f.Certificate.Sources[a.Cert]; !looked {
		return false // what is known is about another one
	}
	return slices.ContainsFunc(f.Certificate.Findings, func(n problem.Finding) bool {
		return n.Level != problem.OK && strings.Contains(n.Found+n.Why, "intermediate")
	})
}

// certificateWords says what a found certificate is for and where its key lies.
func certificateWords(c setup.CertificateFile) string {
	key := "its key is " + c.Key
	if c.Key == c.Cert {
		key = "with its key"
	}
	return strings.Join(c.Names, ", ") + ", until " + c.NotAfter + ", " + key
}
