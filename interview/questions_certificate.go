package interview

import (
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

func certificateQuestions() []Question {
	return []Question{
		pathField(Question{
			ID: "cert", Step: setup.StepHAProxy, Title: "Certificate file", Example: "/etc/letsencrypt/live/git.example.com/fullchain.pem",
			Why:   "The certificate must be on this machine, as PEM. One file with certificate, chain and key is fine too.",
			Help:  "certificate (PEM), with or without its chain",
			Asked: "always", keys: []string{"cert", "pem", "key"}, Slow: true, Looks: true, required: true,
			when: func(*Interview) bool { return true },
			show: func(f setup.Facts, a setup.Answers) string {
				if named := a.Cert + a.PEM; named != "" {
					return named
				}
				if found := f.CertificatesFor(a.URL.Host()); len(found) > 0 {
					return found[0].Cert
				}
				return ""
			},
			Because: func(f setup.Facts, a setup.Answers) string {
				if found := f.CertificatesFor(a.URL.Host()); a.Cert+a.PEM == "" && len(found) > 0 {
					return "found: " + certificateWords(found[0])
				}
				return ""
			},
			enter: func(f setup.Facts, a *setup.Answers, text string) error {
				if text = strings.TrimSpace(text); text != a.PEM {
					a.Cert, a.PEM = text, ""
				}
				if f.KeyOf(text) != "" {
					a.Key = "" // what was found is its key
				}
				return oneLine(text)
			},
		}, func(a *setup.Answers) *string { return &a.Cert }),
		pathField(Question{
			ID: "key", Step: setup.StepHAProxy, Title: "Private key file", Example: "empty when the key is in the certificate file",
			Why:   "The front signs with this key. Its bytes never appear on the screen, in a plan or in a log.",
			Help:  "private key (PEM)",
			Asked: "when it was not found beside the certificate", keys: []string{"key", "cert", "pem"}, Slow: true, Looks: true,
			when: func(iv *Interview) bool { return iv.Facts.KeyOf(iv.Answers.Cert+iv.Answers.PEM) == "" },
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
			Asked: "when the certificate file has no chain", Slow: true, Looks: true,
			when: func(iv *Interview) bool { return iv.Answers.PEM == "" && chainMissing(iv.Facts, iv.Answers) },
		}, func(a *setup.Answers) *string { return &a.Chain }),
		pathField(Question{
			ID: "pem", Step: setup.StepHAProxy, Title: "Bundle file",
			Why:  "HAProxy's crt takes one file with certificate, chain and key.",
			Help: "one PEM with certificate, chain and key, instead of --cert and --key", Slow: true, Looks: true,
		}, func(a *setup.Answers) *string { return &a.PEM }),
	}
}

// chainMissing reports whether the look at this certificate missed an intermediate.
func chainMissing(f setup.Facts, a setup.Answers) bool {
	if _, looked := f.Certificate.Sources[a.Cert]; !looked {
		return false // what is known is about another one
	}
	for _, n := range f.Certificate.Findings {
		if n.Level != problem.OK && strings.Contains(n.Found+n.Why, "intermediate") {
			return true
		}
	}
	return false
}

// certificateWords says what a found certificate is for and where its key lies.
func certificateWords(c setup.CertificateFile) string {
	key := "its key is " + c.Key
	if c.Key == c.Cert {
		key = "with its key"
	}
	return strings.Join(c.Names, ", ") + ", until " + c.NotAfter + ", " + key
}
