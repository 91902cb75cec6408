package redact

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// Keys of proxy.yaml. Values of the first are shown where they are the path of a
// file, those of the second where they are one word.
var (
	pathKeys = pattern.Words(`pem cert key chain client-ca upstream-ca maintenance-page acme-challenges handover access-log`)
	wordKeys = pattern.Words(`url listen redirect-listen upstream upstream-name maxconn queue-timeout idle-timeout tunnel-timeout drain-timeout health-path health-interval
		ssh-listen ssh-upstream old-path user access-log-format metrics-listen certificates http2 hsts trusted-proxies proxy-protocol ssh-proxy-protocol
		nodes name address balance cookie maxqueue retries slowstart connect-timeout http-request-timeout http-keep-alive-timeout check-timeout
		health-fastinter health-downinter health-rise health-fall max-connections limit-connections max-header redirect-hosts hosts allow deny
		client-cert health-listen plain-listen acme-renewer limit-rate limit-burst acme-thumbprint acme-only`)
	yamlKey  = pattern.Lazy(`^(\s*(?:- +)?)([A-Za-z][\w.\-]*)(:(?:\s+|$))(.*)$`)
	yamlItem = pattern.Lazy(`^(\s*- +)(.*)$`)
)

// proxy shows the values of known keys, and the items of their lists.
func proxy(text string) []string {
	lines := strings.Split(text, "\n")
	top := ""
	for i, line := range lines {
		bare := strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(bare) == "" || config.OwnComment(bare) {
			continue
		}
		lead := indent(bare)
		shown := lead + Hidden
		if bare[len(lead)] == '#' {
			shown = lead + "# " + Hidden
		} else if m := yamlKey().FindStringSubmatch(bare); m != nil {
			if m[1] == "" {
				top = m[2]
			}
			inside := m[1] == "" || top == "nodes" || top == "certificates"
			shown = m[1] + m[2] + m[3] + yamlValue(m[2], m[4], inside)
		} else if m := yamlItem().FindStringSubmatch(bare); m != nil {
			shown = m[1] + yamlValue(top, m[2], true)
		}
		lines[i] = shown + end(line)
	}
	return lines
}

func yamlValue(key, value string, known bool) string {
	bare := value
	if len(bare) > 1 && (bare[0] == '"' || bare[0] == '\'') && bare[len(bare)-1] == bare[0] {
		bare = bare[1 : len(bare)-1]
	}
	switch {
	case value == "":
		return ""
	case !known || !oneWord(bare) || strings.ContainsAny(bare, `"'{}&*!|>`) || bare[:min(1, len(bare))] == "[":
		return Hidden
	case wordKeys()[key], pathKeys()[key] && (strings.HasPrefix(bare, "/") || bare == "-"):
		return problem.Mask(value)
	}
	return Hidden
}
