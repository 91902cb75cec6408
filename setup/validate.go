package setup

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// missingForPlan is Missing without what only apply needs.
func missingForPlan(f Facts, a Answers) []string {
	return slices.DeleteFunc(Missing(f, a), func(flag string) bool {
		return flag == "admin-user" || flag == "admin-password-file"
	})
}

// validate checks the words of the answers, so that a typo never becomes a plan.
func validate(a Answers) error {
	var bad []string
	oneOf := func(key, value string, words ...string) {
		if value != "" && !slices.Contains(words, value) {
			bad = append(bad, fmt.Sprintf("--%s %q: use %s", key, value, strings.Join(words, ", ")))
		}
	}
	if a.NoSSH && a.SSHListen != "" {
		bad = append(bad, "--no-ssh and --ssh-listen: give one of them")
	}
	oneOf("front", a.Front, FrontHAProxy, FrontBuiltin, FrontTomcat)
	oneOf("haproxy-by-hand", a.HandMade, Leave, Adopt)
	oneOf("http-redirect", a.HTTPRedirect, Auto, Always, Never)
	oneOf("base-url-method", a.BaseURLMethod, Auto, "confapi", "form", Manual, MethodSkip)
	oneOf("on-failure", a.OnFailure, FailBack, FailKeep)
	oneOf("acme-challenge", a.ACMEChallenge, Auto, HTTP01, TLSALPN01, DNS01, DNSPersist01)
	oneOf("acme-key", a.ACMEKey, "ecdsa", "rsa")
	bad = append(bad, validateOrder(a)...)
	for _, s := range a.Skip {
		oneOf("skip", s, StepContextPath, StepBaseURL, StepConnector, StepHAProxy, StepSSH)
	}
	bad = append(bad, validateAddresses(a)...)
	bad = append(bad, validateNodes(a)...)
	bad = append(bad, validateTomcat(a)...)
	for _, m := range a.Mistakes(a.URL.Host()) {
		bad = append(bad, "--"+m.Key+": "+m.Text)
	}
	if len(bad) > 0 {
		return problem.New(strings.Join(bad, "\n"), "", "see bitgate setup --help").WithKind(problem.Usage)
	}
	return nil
}

// validPort: none is the scheme's own.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// MostMaxConn is the largest maxconn of a front.
func MostMaxConn(front string) int {
	if front == FrontBuiltin {
		return config.MostMaxConn
	}
	return 100_000
}

func validateAddresses(a Answers) (bad []string) {
	if a.Upstream != "" {
		u, err := url.Parse(a.Upstream)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || !validPort(u.Port()) {
			bad = append(bad, fmt.Sprintf("--upstream %q: give Bitbucket's own connector, e.g. http://127.0.0.1:7990, without a path", a.Upstream))
		}
	}
	if _, secure := a.UpstreamAt(); !secure && a.UpstreamCA+a.UpstreamName != "" {
		bad = append(bad, "--upstream-ca and --upstream-name are for a Bitbucket that does TLS itself: --upstream https://..., or --node with --upstream-ca")
	}
	if most := MostMaxConn(a.Front); a.MaxConn < 0 || a.MaxConn > most {
		bad = append(bad, fmt.Sprintf("--maxconn %d: give a number from 1 to %d", a.MaxConn, most))
	}
	if _, err := publicurl.ParsePath(a.RedirectOldPath); err != nil {
		bad = append(bad, fmt.Sprintf("--redirect-old-path %q: %v", a.RedirectOldPath, err))
	}
	if a.PEM != "" && (a.Cert != "" || a.Key != "" || a.Chain != "") {
		bad = append(bad, "--pem holds certificate and key already: leave out --cert, --key and --chain")
	}
	for key, list := range map[string][]string{"listen": a.Listen, "ssh-listen": one(a.SSHListen), "ssh-upstream": one(a.SSHUpstream)} {
		for _, l := range list {
			if _, err := hostport.Listen(l); err != nil {
				bad = append(bad, fmt.Sprintf("--%s %q: give ADDRESS:PORT or :PORT", key, l))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
