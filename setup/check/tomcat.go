package check

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// checkTomcat: Bitbucket itself can have the port of its TLS connector.
func checkTomcat(f setup.Facts, p setup.Plan) []problem.Finding {
	if p.Answers.Front != setup.FrontTomcat || p.Empty() {
		return nil
	}
	listen := p.Answers.Listen[0]
	var out []problem.Finding
	if found, ok := absentAddress(listen); ok {
		out = append(out, found)
	}
	h, held := setup.Holder(f.Listeners, listen)
	upstream, _ := p.Answers.UpstreamAt()
	plain, _ := setup.Holder(f.Listeners, upstream)
	found := problem.Finding{ID: "port", Level: problem.OK, Found: "port " + listen + " is free"}
	switch {
	case !held:
	case h.PID > 0 && (h.PID == f.Bitbucket.PID || h.PID == plain.PID):
		found.Found = "port " + listen + " is Bitbucket's already"
	case h.Process == "haproxy" && leavesHAProxy(p):
		found.Found = "port " + listen + " is held by HAProxy, which gives it up in this run"
	default:
		do := "stop that program, or choose another port (--listen, with it in --url)"
		if h.Ours() {
			do = "stop the built-in proxy first, or take its run back (bitgate undo): systemctl stop bitgate-proxy.service; systemctl disable bitgate-proxy.service"
		}
		found = inUse(listen, h, "Bitbucket would not start", do)
	}
	return slices.Concat(out, []problem.Finding{found}, lowPort(f, p.Answers.URL.Host(), listen))
}

func leavesHAProxy(p setup.Plan) bool {
	return slices.ContainsFunc(p.Changes(), func(c setup.Change) bool { return c.Service != nil && c.Service.Target == "haproxy" })
}

// capNetBindService is the bit of the capability in /proc/PID/status
// (capabilities(7)).
const capNetBindService = 10

// lowPort: only root, or who has the capability, opens a port below the first
// unprivileged one (ip-sysctl, ip_unprivileged_port_start).
func lowPort(f setup.Facts, host, listen string) []problem.Finding {
	at, err := hostport.Parse(listen)
	if err != nil {
		return nil // judged by validate
	}
	first := 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			first = n
		}
	}
	if at.Port >= first || f.Bitbucket.UID == 0 || mayBind(f.Bitbucket.PID) {
		return nil
	}
	who := "user " + strconv.Itoa(f.Bitbucket.UID)
	if u, err := user.LookupId(strconv.Itoa(f.Bitbucket.UID)); err == nil {
		who = u.Username
	}
	do := fmt.Sprintf("give Bitbucket's unit the right and restart it: AmbientCapabilities=CAP_NET_BIND_SERVICE; or take a port from %d on (--url https://%s:8443); or choose a front", first, hostport.Bracket(host))
	return []problem.Finding{{
		ID: "low-port", Level: problem.Fail, Found: fmt.Sprintf("Bitbucket runs as %s, which may not open port %d", who, at.Port),
		Why: fmt.Sprintf("ports below %d are for root, and Bitbucket must not run as root: it would not start", first), Do: do,
	}}
}

// mayBind reports whether a process has the capability.
func mayBind(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil || pid == 0 {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if bits, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(bits), 16, 64)
			return err == nil && n&(1<<capNetBindService) != 0
		}
	}
	return false
}
