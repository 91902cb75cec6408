package interview

import (
	"errors"
	"strings"

	"bitgate/setup"
)

// orderQuestions are about a certificate that an authority issues by itself (ACME).
func orderQuestions() []Question {
	ordered := func(iv *Interview) bool { return iv.Answers.Orders() }
	return []Question{
		textField(Question{
			ID: "acme-ca", Step: setup.StepHAProxy, Title: "Authority", Kind: Choice, Free: true, Arg: "CA|URL", Example: "https://ca.example.com/acme/acme/directory",
			Why:   "It issues the certificate and renews it without anybody's doing. Any authority that speaks ACME will do, also a company's own, by the URL of its directory.",
			Help:  "order the certificate from an authority (ACME): letsencrypt, zerossl, google, letsencrypt-staging, or the URL of a directory",
			Asked: "when the certificate is ordered", Looks: true, required: true,
			Options: []Option{
				{"letsencrypt", "Let's Encrypt, free of charge, for names in public DNS"},
				{"zerossl", "ZeroSSL, for those with an account there"},
				{"google", "Google Trust Services, for those with an account there"},
				{"letsencrypt-staging", "Let's Encrypt's rehearsal, which no client accepts"},
			},
			rare: []string{"letsencrypt-staging"},
			when: ordered,
		}, func(a *setup.Answers) *string { return &a.ACME }, func(text string) error {
			_, err := setup.Directory(text)
			return err
		}),
		termsQuestion(),
		choiceField(Question{
			ID: "acme-challenge", Step: setup.StepHAProxy, Title: "How the name is shown to be yours", Arg: "TYPE",
			Why:     "The authority looks whether whoever orders a certificate for the name has it.",
			Help:    "how the authority is shown whose the name is: auto, http-01, tls-alpn-01, dns-01 or dns-persist-01",
			Default: "auto: http-01, or dns-01 with --acme-dns-hook", Asked: "when the certificate is ordered",
			Options: []Option{
				{setup.Auto, "whatever works here"},
				{setup.HTTP01, "it asks on port 80, from the Internet where it is a public one"},
				{setup.TLSALPN01, "it asks on port 443; with the built-in proxy only"},
				{setup.DNS01, "a program of yours sets a record in DNS at each renewal"},
				{setup.DNSPersist01, "a record in DNS that you set once"},
			},
			when: ordered, refuse: refuseHandshake,
		}, func(a *setup.Answers) *string { return &a.ACMEChallenge }),
		pathField(Question{
			ID: "acme-dns-hook", Step: setup.StepHAProxy, Title: "Program that sets the DNS record", Example: "/usr/local/sbin/dns-record",
			Why:   "It is run as PROGRAM present|cleanup FQDN VALUE, as lego runs such programs, and should end once all servers of the zone have the record.",
			Help:  "program that sets and removes the record of dns-01: PROGRAM present|cleanup FQDN VALUE",
			Asked: "for dns-01", required: true,
			when: func(iv *Interview) bool { return ordered(iv) && iv.Answers.ACMEChallenge == setup.DNS01 },
		}, func(a *setup.Answers) *string { return &a.ACMEHook }),
		textField(Question{
			ID: "acme-eab-id", Step: setup.StepHAProxy, Title: "Key id of your account at the authority", Kind: Text, Arg: "ID",
			Why:   "The authority issues only for those who have an account with it; its pages show a key id and a key (external account binding).",
			Help:  "key id of an account that one has at the authority already (external account binding)",
			Asked: "when the authority wants it", required: true, when: bound,
		}, func(a *setup.Answers) *string { return &a.ACMEBindingID }, nil),
		pathField(Question{
			ID: "acme-eab-file", Step: setup.StepHAProxy, Title: "File with the key of that account",
			Why:   "The key is never given as a flag's value: other users could read it in the process list.",
			Help:  "file with the key (HMAC, base64) that belongs to --acme-eab-id",
			Asked: "when the authority wants it", required: true, when: bound,
		}, func(a *setup.Answers) *string { return &a.ACMEBindingFile }),
		textField(Question{
			ID: "acme-profile", Step: setup.StepHAProxy, Title: "Profile of the certificate", Kind: Text, Arg: "NAME", Example: "shortlived",
			Why:  "Authorities offer certificates of several kinds and lives under names of their own.",
			Help: "profile of the authority, such as shortlived",
		}, func(a *setup.Answers) *string { return &a.ACMEProfile }, oneLine),
		choiceField(Question{
			ID: "acme-key", Step: setup.StepHAProxy, Title: "Type of the key", Arg: "TYPE",
			Why:     "Every client of the last ten years knows ECDSA, whose handshakes are cheaper.",
			Help:    "type of the certificate's key: ecdsa or rsa",
			Default: "ecdsa",
			Options: []Option{{"ecdsa", "ECDSA P-256"}, {"rsa", "RSA 2048, for very old clients"}},
		}, func(a *setup.Answers) *string { return &a.ACMEKey }),
	}
}

// authoritySeen reports whether what is known is about the authority that is named.
func (iv *Interview) authoritySeen() bool {
	if !iv.Answers.Orders() || iv.Facts.Scope == nil {
		return iv.Answers.Orders()
	}
	seen, _, _ := strings.Cut(iv.Facts.Scope.Order, " ")
	return seen == iv.Answers.Order().Directory
}

// bound: the authority wants an account of its own to be named.
func bound(iv *Interview) bool {
	return iv.authoritySeen() && iv.Facts.Authority.Bound && iv.Facts.Authority.Account == ""
}

// refuseHandshake: not every front answers an authority in the handshake.
func refuseHandshake(iv *Interview, text string) error {
	switch a := iv.Answers; {
	case text != setup.TLSALPN01:
	case a.Front == setup.FrontHAProxy:
		return errors.New("tls-alpn-01 works with the built-in proxy alone: HAProxy answers no handshake of an authority; choose another")
	case !a.URL.IsZero() && a.URL.Port() != 443:
		return errors.New("tls-alpn-01 asks on port 443, and the public URL has another; choose another")
	}
	return nil
}

// termsQuestion is asked as yes or no; what is kept are the terms that were agreed to,
// so that others are asked about anew.
func termsQuestion() Question {
	return textField(Question{
		ID: "acme-terms", Step: setup.StepHAProxy, Title: "Agree to the authority's terms of service", Kind: Text, prompt: Confirm, Arg: "URL",
		Why:   "The authority makes an account only for those who agree to its terms.",
		Help:  "URL of the authority's terms of service, by which you agree to them; or agree, to whatever they are",
		Asked: "when the authority has terms",
		when: func(iv *Interview) bool {
			f := iv.Facts.Authority
			return iv.authoritySeen() && f.Terms != "" && f.Account == ""
		},
		show: func(f setup.Facts, a setup.Answers) string { return yesNo(a.ACMETerms != "" && f.Agreed(a)) },
		Because: func(f setup.Facts, _ setup.Answers) string {
			if f.Authority.Terms == "" {
				return ""
			}
			return "read them: " + f.Authority.Terms
		},
		enter: func(f setup.Facts, a *setup.Answers, text string) error {
			yes, err := parseYes(text)
			if err != nil {
				return err
			}
			if !yes {
				return errors.New("without that nothing can be ordered there; esc leads back to another authority or another certificate")
			}
			a.ACMETerms = f.Authority.Terms
			return nil
		},
	}, func(a *setup.Answers) *string { return &a.ACMETerms }, func(text string) error {
		if text != setup.AgreeTerms && !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "data:") {
			return errors.New("give the URL of the terms")
		}
		return oneLine(text)
	})
}
