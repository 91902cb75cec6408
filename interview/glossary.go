package interview

import "bitgate/setup"

// Term is a word of the field as help explains it.
type Term struct{ Name, Means string }

var terms = map[string]string{
	"application link":                     "Ties Bitbucket to Jira, Bamboo or Confluence. Each side asks the other for its manifest, a small page that says under which address it wants to be known.",
	"base URL":                             "The address that Bitbucket writes into links, mails and clone addresses. It is a setting of Bitbucket, and must be what people type.",
	"bundle":                               "One file with certificate, chain and key, as HAProxy reads it. bitgate makes it of your files and leaves those alone.",
	"chain":                                "The certificates between yours and an authority that clients know. Without them browsers may manage and git does not.",
	"connector":                            "The part of Tomcat, the web server inside Bitbucket, that listens on a port. Bitbucket's own is plain HTTP, usually on 7990.",
	"context path":                         "What stands between host name and pages in every address: /bitbucket in https://git.example.com/bitbucket, nothing where it is the root.",
	"front":                                "The program that clients connect to, here HAProxy or bitgate's own proxy. It speaks HTTPS with them and plain HTTP with Bitbucket behind it.",
	"HSTS":                                 "A header by which browsers remember to use HTTPS only for a name. Until it has run out, they do not open plain HTTP under that name.",
	"journal":                              "What a run notes before and after each change, beside the backups. With it a run can be taken back or settled after a power cut.",
	"PEM":                                  "Certificates and keys as text, between lines of BEGIN and END. Files that end in .p12, .pfx, .jks, .p7b or .der hold the same in other forms, and are read too.",
	"proxyName, proxyPort, scheme, secure": "The connector's settings that tell Bitbucket how clients reach it through the front. Without them its redirects lead to plain HTTP, and logins may be refused.",
	"redirect":                             "An answer that sends a client to another address. Browsers follow it everywhere, git only at the start of a fetch or push, and other programs often not at all.",
	"SNI":                                  "The host name that a client says before it gets a certificate. By it one address can serve several names.",
	"terminates TLS":                       "Where encryption ends: the front has certificate and key, decrypts, and hands plain HTTP on.",
	"upstream":                             "Where the front hands requests on to: Bitbucket's own address and port.",
}

// Terms explains the words that a step uses.
func Terms(step string) []Term {
	var names []string
	switch step {
	case StepBitbucket:
		names = []string{"front", "upstream", "context path", "base URL"}
	case setup.StepContextPath:
		names = []string{"context path", "base URL", "redirect"}
	case setup.StepBaseURL:
		names = []string{"base URL", "application link"}
	case setup.StepConnector:
		names = []string{"connector", "proxyName, proxyPort, scheme, secure", "upstream"}
	case setup.StepHAProxy:
		names = []string{"front", "terminates TLS", "PEM", "chain", "bundle", "SNI", "HSTS"}
	case setup.StepSSH:
		names = []string{"front", "upstream", "base URL"}
	case StepReview:
		names = []string{"connector", "upstream", "bundle", "journal", "redirect"}
	}
	out := make([]Term, 0, len(names))
	for _, n := range names {
		out = append(out, Term{n, terms[n]})
	}
	return out
}
