package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// Host is what this machine itself may have against the front: SELinux,
// which keeps HAProxy from Bitbucket's port, and a packet filter that keeps
// clients from the front's. Root prefixes /sys for tests. Reads only.
func Host(ctx context.Context, root string, a setup.Answers) []problem.Finding {
	if a.Skips(setup.StepHAProxy) {
		return []problem.Finding{elsewhere(a)}
	}
	var out []problem.Finding
	if f, ok := selinux(root, a); ok {
		out = append(out, f)
	}
	return append(out, packetFilter(ctx, a)...)
}

// elsewhere is for a front on another machine, which is a run of its own there.
func elsewhere(a setup.Answers) problem.Finding {
	return problem.Finding{
		ID: setup.StepHAProxy, Level: problem.Note, Found: "the front is not set up on this machine (--skip haproxy)",
		Why: "where it runs on another one, that machine needs a run of its own, and must reach " + a.Upstream + " here under an address that is not 127.0.0.1",
		Do:  "there: bitgate setup --skip context-path,base-url,connector --upstream http://THIS-MACHINE:" + fmt.Sprint(setup.UpstreamPort(a.Upstream)),
	}
}

// selinux: the targeted policy lets HAProxy connect to the usual web ports alone
// unless the boolean is on (haproxy_selinux(8)).
func selinux(root string, a setup.Answers) (problem.Finding, bool) {
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(root, "/sys/fs/selinux", name)) // absent without SELinux
		return strings.TrimSpace(string(data))
	}
	if a.Front != setup.FrontHAProxy || read("enforce") != "1" || strings.HasPrefix(read("booleans/haproxy_connect_any"), "1") {
		return problem.Finding{}, false
	}
	return problem.Warning("selinux", "SELinux is enforcing, and haproxy_connect_any is off",
		fmt.Sprintf("HAProxy may not connect to Bitbucket's port %d, and every request would be answered 503", setup.UpstreamPort(a.Upstream)),
		"setsebool -P haproxy_connect_any 1"), true
}

// frontPorts are the ports clients must reach, without those on loopback.
func frontPorts(a setup.Answers) []string {
	var out []string
	listens := append(slices.Clone(a.Listen), a.SSHListen)
	if a.Orders() && a.Challenge() == setup.HTTP01 {
		listens = append(listens, setup.RedirectAddresses(a)...)
	}
	for _, l := range listens {
		a, err := hostport.Parse(l)
		if port := strconv.Itoa(a.Port); err == nil && !a.IP().IsLoopback() && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}

// packetFilter asks firewalld, else nftables, whether they let the ports in.
func packetFilter(ctx context.Context, a setup.Answers) []problem.Finding {
	var out []problem.Finding
	if _, err := child.Output(ctx, "firewall-cmd", "--state"); err == nil {
		for _, port := range frontPorts(a) {
			if !firewalldOpen(ctx, port) {
				out = append(out, problem.Warning("firewall", "firewalld does not let port "+port+" in (default zone)", "clients on other machines cannot reach the front",
					fmt.Sprintf("firewall-cmd --permanent --add-port=%s/tcp && firewall-cmd --reload", port)))
			}
		}
		return out
	}
	rules, err := child.Output(ctx, "nft", "list", "ruleset") // fails without nftables, or without root
	if err != nil || !dropsInput(string(rules)) {
		return nil
	}
	for _, port := range frontPorts(a) {
		if names := regexp.MustCompile(`\b` + regexp.QuoteMeta(port) + `\b`); !names.Match(rules) {
			out = append(out, problem.Warning("firewall", "nftables drops what comes in unless a rule allows it, and no rule names port "+port,
				"clients on other machines may not reach the front", "allow tcp dport "+port+" in the chain with \"hook input\""))
		}
	}
	return out
}

func firewalldOpen(ctx context.Context, port string) bool {
	queries := []string{"--query-port=" + port + "/tcp"}
	switch port {
	case "443":
		queries = append(queries, "--query-service=https")
	case "22":
		queries = append(queries, "--query-service=ssh")
	}
	return slices.ContainsFunc(queries, func(query string) bool {
		_, err := child.Output(ctx, "firewall-cmd", query)
		return err == nil
	})
}

// dropsInput reports a base chain of the input hook whose policy is drop.
func dropsInput(rules string) bool {
	for line := range strings.Lines(rules) {
		if strings.Contains(line, "hook input") && strings.Contains(line, "policy drop") {
			return true
		}
	}
	return false
}
