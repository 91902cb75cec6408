package machine

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// helped are the commands whose help has examples.
var helped = []string{
	"", "apply", "cert bundle", "cert deploy", "cert dev", "cert import", "cert inspect", "cert renew", "cert request", "cert status", "cert trust", "demo", "history", "man", "plan", "proxy",
	"rehearse", "render", "report", "setup", "verify",
}

// atOtherPlaces are examples that another test runs, or nobody can here.
var atOtherPlaces = map[string]string{
	"bitgate": "TestWizardOpens of cmd/bitgate", "bitgate setup": "TestWizardOpens of cmd/bitgate", "bitgate setup --answers answers.yaml": "TestWalk... of e2e, with flags",
	"bitgate demo": "TestDemo of cmd/bitgate", "bitgate demo --yes": "TestDemo of cmd/bitgate", "bitgate demo --yes --front haproxy": "TestDemo of cmd/bitgate",
	"bitgate undo": "README's", "sudo bitgate report": "README's", "bitgate history 20261130-1": "a run of that day",
	"bitgate cert import git.cer --fetch-chain":                                       "TestFetchChain of cmd/bitgate",
	"acme.sh --install-cert -d git.example.com --reloadcmd 'bitgate cert deploy' ...": "TestRenewalHook of cmd/bitgate",
}

// examples are the steps of an administrator who tries what help shows, in the folder
// of readme. A command may fail where says is what it finds.
var examples = []struct{ before, command, says string }{
	{"", "bitgate cert dev --dir certs git.test", "certs/ca.pem"},
	{"", "bitgate cert inspect --cert fullchain.pem --key privkey.pem --host git.example.com", "git.example.com"},
	{"openssl pkcs12 -export -in fullchain.pem -inkey privkey.pem -out server.pfx -passout pass:; ", "bitgate cert inspect --cert server.pfx", "git.example.com"},
	{"", "bitgate cert import server.pfx", "bitgate cert deploy"},
	{"openssl x509 -in fullchain.pem -out cert.pem; cp ca.pem chain.pem; ", "bitgate cert bundle --cert cert.pem --chain chain.pem --key privkey.pem -o /etc/haproxy/git.pem", "/etc/haproxy/git.pem"},
	{"", `bitgate cert request --host git.example.com --subject "O=Example Ltd,C=GB" -o git.csr`, "Send the request"},
	{
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout corp.key -out corp-root.pem -days 9 -subj /CN=Corp 2>/dev/null; echo subjectAltName=DNS:git.example.com >ext; " +
			"openssl x509 -req -in git.csr -CA corp-root.pem -CAkey corp.key -set_serial 8 -days 9 -extfile ext -outform DER -out git.cer 2>/dev/null; openssl crl2pkcs7 -nocrl -certfile corp-root.pem -out chain.p7b; ",
		"bitgate cert import git.cer chain.p7b", "git.example.com, until",
	},
	{"", "bitgate cert trust corp-root.pem --url https://git.example.com", "update-ca-certificates"},
	{"mkdir -p /srv/lib/security; keytool -importcert -noprompt -alias one -file ca.pem -keystore /srv/lib/security/cacerts -storepass changeit; ", "bitgate cert trust corp-root.pem -o /etc/bitgate/truststore.p12", "truststore.p12"},
	{"", "bitgate plan --url https://git.example.com --cert fullchain.pem --key privkey.pem", "Plan for https://git.example.com"},
	{"", "bitgate plan --url https://git.example.com/bitbucket --cert fullchain.pem --key privkey.pem", "the context path changes"},
	{"cp /root/password password; ", `bitgate apply --url https://git.example.com --cert fullchain.pem --key privkey.pem --admin-user admin --admin-password-file - --yes < password`, "is done"},
	{"", "bitgate verify", "ok  Clone addresses: https://git.example.com/scm/"},
	{"ip address add 10.0.0.5/32 dev lo; ", "bitgate verify --url https://git.example.com --connect 10.0.0.5:443", "connected to 10.0.0.5:443"},
	{"", "bitgate verify --url https://git.example.com/bitbucket --repo PROJ/repo", "Bitbucket serves /"},
	{"", "bitgate cert status", "/etc/bitgate/bitgate-git.example.com.pem"},
	{"mkdir -p /var/lib/prometheus/node-exporter; ", "bitgate cert status --metrics > /var/lib/prometheus/node-exporter/bitgate.prom", ""},
	{"", "bitgate cert renew --dry-run", "has the certificate of its source"},
	{"", "systemctl list-timers bitgate-renew.timer", "bitgate-renew.timer"},
	{"mkdir -p /etc/letsencrypt/renewal-hooks/deploy; ", `printf '%s\n' '#!/bin/sh' 'exec bitgate cert deploy' > /etc/letsencrypt/renewal-hooks/deploy/bitgate`, ""},
	{"", "bitgate history", "committed"},
	{"", "bitgate rehearse --proxy-config /etc/bitgate/proxy.yaml", "rehearsed:"},
	{"", "bitgate rehearse --url https://git.example.com/bitbucket", "requests reach Bitbucket"},
	{"", "cp /etc/haproxy/haproxy.cfg new.cfg && editor new.cfg", ""},
	{"", "bitgate rehearse --haproxy-cfg /etc/haproxy/haproxy.cfg --candidate new.cfg --url https://git.example.com", "requests reach Bitbucket"},
	{"", "bitgate render haproxy --url https://git.example.com/bitbucket --pem /etc/haproxy/git.pem", "bitgate_bitbucket_https"},
	{"bitgate render haproxy --url https://git.example.com --pem /etc/haproxy/git.pem >>/etc/haproxy/haproxy.cfg; ", "bitgate render haproxy --remove > haproxy.cfg.new", ""},
	{"", "bitgate report --file - --url https://git.example.com/bitbucket", "== Left out"},
	{"systemctl stop bitgate-proxy; (sleep 2; pkill -TERM -x -P $$ bitgate) & ", "bitgate proxy --config /etc/bitgate/proxy.yaml", "git.example.com"},
	{"cp /etc/haproxy/git.pem git.pem; (sleep 2; pkill -TERM -x -P $$ bitgate) & ", "bitgate proxy --url https://git.example.com --upstream http://127.0.0.1:7990 --pem git.pem", "git.example.com"},
	{"systemctl start bitgate-proxy; sed -i 's/^skip:.*/keep-alive: 90s/' answers.yaml; ", "bitgate plan --answers answers.yaml -o plan.json && bitgate apply plan.json", "is done"},
	{"", "bitgate apply --answers answers.yaml --yes", "Nothing to do"},
	{"", "bitgate apply plan.json", "since the plan was made"},
	{"", "bitgate setup --plain", "Enter takes the answer in brackets"},
	{"", "bitgate man | man -l -", ""},
	{"", "bitgate man proxy.yaml | man -l -", ""},
	{"", "bitgate man --dir /usr/local/share/man", ""},
}

// TestExamples: every example of help has its place above and, where tests are long, does
// on a machine what it is for, as it is printed.
func TestExamples(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	for _, of := range helped {
		help, err := exec.Command(program, append(strings.Fields(of), "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for command := range strings.SplitSeq(examplesOf(string(help)), "\n") {
			if command != "" && atOtherPlaces[command] == "" {
				left[command] = true
			}
		}
	}
	var s site
	if torture {
		s = newSite(t)
		s.workbench()
	}
	for _, e := range examples {
		if !left[e.command] {
			t.Errorf("help does not print %q any longer", e.command)
		}
		delete(left, e.command)
		if torture {
			s.example(e.before, e.command, e.says)
		}
	}
	if torture { // what verify says of a port 80 that was not free
		s.example("unset ${!BITGATE_*}; ", "bitgate apply --answers /var/lib/bitgate/answers.yaml --http-redirect always --yes", "Nothing to do")
	}
	for command := range left {
		t.Errorf("help prints %q, and no test runs it", command)
	}
}

const exampleEnvironment = "export BITGATE_FRONT=builtin BITGATE_CA_FILE=/root/get/ca.pem BITGATE_RESTART_TIMEOUT=2m BITGATE_ADMIN_USER=admin BITGATE_ADMIN_PASSWORD_FILE=/root/password; editor() { :; }; cd /root/get; "

func (s site) example(before, command, says string) {
	s.t.Helper()
	line := command
	switch {
	case strings.Contains(line, "&& bitgate apply"): // at a terminal
		line = "echo apply | script -qec '" + line + "' /dev/null"
	case !strings.Contains(line, "<"):
		line += " </dev/null"
	}
	out, err := s.Try("timeout", "120", "bash", "-c", exampleEnvironment+before+line)
	if !strings.Contains(out, says) || err != nil && says == "" {
		s.t.Errorf("%s: %v\n%s", command, err, out)
	}
	s.t.Logf("| %s | %q |", command, says)
}

// examplesOf are the commands of the examples in a help text, a line each.
func examplesOf(help string) string {
	_, part, _ := strings.Cut(help, "\nExamples:\n")
	part, _, _ = strings.Cut(part, "\n\n")
	part = regexp.MustCompile(`\s*\\\n\s+`).ReplaceAllString(part, " ")
	var out []string
	for line := range strings.SplitSeq(part, "\n") {
		command, _, _ := strings.Cut(strings.TrimSpace(line), "   ") // what it is for follows
		out = append(out, command)
	}
	return strings.Join(slices.Compact(out), "\n")
}
