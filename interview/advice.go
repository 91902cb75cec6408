package interview

import (
	"cmp"
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Advice is what the documented page wants an administrator to know at a
// question, made concrete by the facts: candidate are the answers as typed.
func Advice(q Question, f setup.Facts, candidate setup.Answers) []problem.Finding {
	switch q.ID {
	case "url":
		return urlAdvice(f, candidate)
	case "path":
		return pathAdvice(f, candidate)
	case "redirect-old-path":
		return redirectAdvice(f, candidate)
	case "base-url-method", "admin-user":
		return []problem.Finding{baseURLAdvice(f, candidate), linksAdvice(f, candidate)}
	case "cert":
		return certificateAdvice(f, candidate)
	case FetchChainID:
		return []problem.Finding{{Level: problem.Warn, Found: "an intermediate certificate is missing; the authority has it at " + f.Certificate.Missing}}
	case "local-only":
		return connectorAdvice(f, candidate)
	case "front":
		if candidate.Front == setup.FrontTomcat {
			return append([]problem.Finding{portAdvice(f, candidate)}, withoutFront(candidate)...)
		}
		return []problem.Finding{portAdvice(f, candidate), {Level: problem.Note, Found: "Atlassian's support does not cover HAProxy"}}
	case "listen":
		if l, taken := portHolder(f, candidate); taken {
			return []problem.Finding{{Level: problem.Warn, Found: heldBy(l), Do: "stop it, or take another port"}}
		}
	case "ssh":
		return sshAdvice(f, candidate)
	}
	return nil
}

// withoutFront says what is lost where Bitbucket terminates TLS itself.
func withoutFront(a setup.Answers) []problem.Finding {
	var out []problem.Finding
	for _, lost := range setup.WithoutFront() {
		out = append(out, problem.Finding{Level: problem.Warn, Found: lost})
	}
	if !a.URL.IsZero() && a.URL.Port() < 1024 {
		out[1].Do = "go back and give the public URL a port, such as https://" + a.URL.Host() + ":8443"
	}
	return out
}

// portAdvice says whether the front can have its port.
func portAdvice(f setup.Facts, a setup.Answers) problem.Finding {
	l, taken := portHolder(f, a)
	switch port := a.URL.ProxyPort(); {
	case taken:
		return problem.Finding{Level: problem.Warn, Found: heldBy(l), Do: "the next question asks for another port"}
	case a.URL.IsZero():
		return problem.Finding{Level: problem.Note, Found: "its port follows from the public URL"}
	case l.Address != "":
		return problem.Finding{Level: problem.OK, Found: "port " + port + " is the front's already"}
	default:
		return problem.Finding{Level: problem.OK, Found: "port " + port + " is free"}
	}
}

func heldBy(l setup.Listener) string {
	who := cmp.Or(l.Process, "another program")
	if l.PID > 0 {
		who = fmt.Sprintf("%s (process %d)", who, l.PID)
	}
	return l.Address + " is held by " + who
}

// urlAdvice says under which address people have Bitbucket now, and what is
// strange about the one that was typed.
func urlAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	var out []problem.Finding
	if host := a.URL.Host(); host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1" {
		out = append(out, problem.Finding{Level: problem.Warn, Found: "only this machine itself can reach " + host, Do: "give the name that other machines use"})
	}
	if !f.Instance.BaseURL.Set {
		return out
	}
	return append(out, problem.Finding{Level: problem.Note, Found: "people reach it at " + f.Instance.BaseURL.Value + " today" + SourceNote(f, f.Instance.BaseURL.Why)})
}

func pathAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	if !pathChanges(f, a) {
		return nil
	}
	old := SpellPath(f.ContextPath.Value)
	where := strings.TrimSuffix(cmp.Or(f.Instance.BaseURL.Value, f.Instance.Base, "http://HOST:7990"+f.ContextPath.Value), "/")
	return []problem.Finding{{
		Level: problem.Warn,
		Found: fmt.Sprintf("the path changes from %s to %s, and these addresses break:\nclones, CI jobs   %s/scm/...\nwebhooks, REST    %s/rest/...",
			old, SpellPath(a.URL.TomcatPath()), where, where),
		Do: sendsOn(a, where),
	}}
}

// sendsOn says which of the old addresses the front can redirect: those under the
// public name, but not those with another name or port, and none if there is no front.
func sendsOn(a setup.Answers, old string) string {
	if a.Front == setup.FrontTomcat {
		return "without a front nothing sends them on: git remote set-url, and change webhooks and CI jobs"
	}
	if root := a.URL.Origin(); old == root || strings.HasPrefix(old, root+"/") {
		return "the next question offers to send them on"
	}
	return "they have another name or port than the front, which cannot send them on: git remote set-url, and change webhooks and CI jobs"
}

// certificateAdvice lists the certificates that were found for the public name.
func certificateAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	var out []problem.Finding
	for _, c := range f.CertificatesFor(a.URL.Host()) {
		if c.Cert != a.Cert+a.PEM {
			out = append(out, problem.Finding{Level: problem.Note, Found: "also found: " + c.Cert + " (" + certificateWords(c) + ")"})
		}
	}
	return out
}

// sshAdvice shows the addresses of now and then, and what the change asks of people.
func sshAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	var out []problem.Finding
	note := func(level problem.Level, found, do string) {
		out = append(out, problem.Finding{Level: level, Found: found, Do: do})
	}
	now, then, taken := f.Instance.SSH.Value, setup.SSHBaseURL(a), f.ForwardsSSH()
	if now != "" {
		note(problem.Note, "clones use "+now+" today"+SourceNote(f, f.Instance.SSH.Why), "")
	}
	switch {
	case then != "" && then == now:
		note(problem.OK, "they keep it", "")
	case then != "":
		note(problem.Warn, "clones will use "+then, "its port must be open in the firewall, and every client confirms the host key of the new address once")
	case taken != "":
		note(problem.Warn, "the front stops taking SSH on "+taken+": whoever uses that address is cut off", "yes keeps it")
	default:
		note(problem.Note, "SSH stays as it is: the front is not involved", "")
	}
	return out
}

// redirectAdvice shows the redirect by an address of a repository.
func redirectAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	if a.RedirectOldPath == "" {
		return nil
	}
	root, err := a.URL.WithPath(f.ContextPath.Value)
	if err != nil {
		return nil
	}
	return []problem.Finding{{Level: problem.Note, Found: fmt.Sprintf("%s/scm/... leads to %s/scm/...", root.BaseURL(), a.URL.BaseURL())}}
}

func baseURLAdvice(f setup.Facts, a setup.Answers) problem.Finding {
	if !f.Instance.BaseURL.Set {
		return problem.Finding{Level: problem.Note, Found: "the current base URL cannot be read without signing in; it becomes " + a.URL.BaseURL()}
	}
	return problem.Finding{Level: problem.Note, Found: fmt.Sprintf("%s becomes %s", f.Instance.BaseURL.Value, a.URL.BaseURL())}
}

// linksAdvice names the application links, where they can be read.
func linksAdvice(f setup.Facts, a setup.Answers) problem.Finding {
	links := f.Instance.AppLinks
	if len(links) == 0 {
		return problem.Finding{
			Level: problem.Note, Found: "links from other applications (Jira, Bamboo, Confluence) must name the new URL afterwards",
			Do: "Administration, Application links, on both sides",
		}
	}
	noun := "application link uses"
	if len(links) > 1 {
		noun = "application links use"
	}
	return problem.Finding{
		Level: problem.Warn,
		Found: fmt.Sprintf("%d %s the old URL: %s", len(links), noun, links),
		Do:    "change them afterwards, on the other side; the review says on which page of each",
	}
}

func connectorAdvice(f setup.Facts, a setup.Answers) []problem.Finding {
	var out []problem.Finding
	if f.Bitbucket.UID == 0 && f.Bitbucket.Home != "" {
		out = append(out, problem.Finding{
			Level: problem.Warn, Found: "Bitbucket runs as root; a fault in it would own this machine",
			Do: "run it as a user of its own",
		})
	}
	if a.LocalOnly {
		out = append(out, problem.Finding{Level: problem.Note, Found: "scripts and build agents on other machines that use " + a.Upstream + " must use the public URL from then on"})
	} else if !f.Closed() {
		out = append(out, problem.Finding{Level: problem.Note, Found: "as long as the port is open, passwords can still cross the network in clear text"})
	}
	if f.BitbucketCtl.How != "" {
		out = append(out, problem.Finding{Level: problem.Note, Found: "Bitbucket restarts once, later: " + f.BitbucketCtl.String()})
	}
	return out
}

// Considerations are the page's important considerations as help shows them.
func Considerations(step string) []string {
	switch step {
	case StepBitbucket:
		return []string{"bitgate only reads at this point. If a directory is wrong, set it with --home or --install."}
	case setup.StepContextPath:
		return []string{
			"A changed context path changes every address: clones, webhooks, CI jobs, bookmarks and application links.",
			"The root path is kept as it is; the documented page's /bitbucket is a convention, not a need.",
		}
	case setup.StepBaseURL:
		return []string{
			"Application links from and to Jira, Bamboo and Confluence must name the new base URL afterwards.",
			"The base URL changes while Bitbucket still answers at its old address; after that it restarts.",
		}
	case setup.StepConnector:
		return []string{
			"Bitbucket should not run as root.", "Its own port can be closed to other machines once the front works.",
			"The restart is the only time without service; it is announced again before anything happens.",
		}
	case setup.StepHAProxy:
		return []string{
			"The certificate, its chain and its key must be on this machine.",
			"Tomcat can do TLS by itself, without a front.", "Atlassian's support does not cover HAProxy.",
		}
	case setup.StepSSH:
		return []string{
			"Securing SSH is a separate matter; the front passes its bytes on unread.",
			"Setups that use HTTPS only need no SSH forwarding.",
		}
	}
	return []string{
		"Every file is backed up before it is changed; bitgate undo takes the run back.",
	}
}
