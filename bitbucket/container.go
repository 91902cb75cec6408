package bitbucket

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/child"
	"bitgate/internal/hostport"
	"bitgate/internal/mountinfo"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// Container is where a Bitbucket runs whose paths are not those of this machine:
// its environment is the place for settings, and its home is found through the
// process that mounts it.
type Container struct {
	ID      string // "" where the control group does not tell
	Manager string // who made it, as far as that is known
	Home    string // as the process names it, a path inside
	Why     string // how it shows
	// Published are the addresses of this machine that lead to ports inside, as the
	// engine tells: "7990" to "127.0.0.1:8990".
	Published map[string]string
}

// Managers of containers. "" is unknown.
const (
	ByCompose    = "compose"
	ByKubernetes = "kubernetes"
	BySwarm      = "swarm"
	ByHand       = "docker run" // or podman run
)

// imageUID is the user in Atlassian's container images (atlassian/bitbucket).
const imageUID = 2003

var (
	// containerGroup matches Docker, Kubernetes, containerd, CRI-O and Podman;
	// LXC and nspawn are left out, they are run like machines.
	containerGroup = pattern.Lazy(`(?i)(docker|kubepods|containerd|crio|libpod)`)
	containerID    = pattern.Lazy(`[0-9a-f]{64}`)
)

// Variable is the variable by which Atlassian's image takes a property: 5.0 and later
// give the environment to Spring, those before know five settings of the connector.
func (in Install) Variable(key string) string {
	if r, ok := parseRelease(in.Version); ok && r.before(5, 0) {
		return map[string]string{
			"server.proxy-name": "CATALINA_CONNECTOR_PROXYNAME", "server.proxy-port": "CATALINA_CONNECTOR_PROXYPORT",
			"server.scheme": "CATALINA_CONNECTOR_SCHEME", "server.secure": "CATALINA_CONNECTOR_SECURE",
			"server.context-path": "CATALINA_CONTEXT_PATH",
		}[key]
	}
	return strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// container describes the container of p, nil where it runs in none. The error is that
// of an engine that does not answer.
func (p *process) container(ctx context.Context) (c *Container, err error) {
	if p.contained == "" {
		return nil, nil
	}
	c = &Container{ID: containerID().FindString(p.group), Home: p.home, Why: p.contained}
	switch {
	case strings.Contains(p.group, "kubepods") || p.variable("KUBERNETES_SERVICE_HOST") != "":
		c.Manager = ByKubernetes
	case c.ID != "":
		c.Manager, c.Published, err = inspect(ctx, c.ID, inspectTime)
	}
	return c, err
}

// engineGroup is the control group of the container, "" where only a file says that
// there is one, which anybody can make.
func (p *process) engineGroup() string {
	_, group, _ := strings.Cut(p.group, ":/")
	if group == "" {
		return ""
	}
	return "/" + group
}

// inspectTime is how long each container engine may take to answer.
const inspectTime = 30 * time.Second

// inspected is what an engine tells of a container.
type inspected struct {
	Config          struct{ Labels map[string]string }
	NetworkSettings struct {
		Ports map[string][]struct{ HostIp, HostPort string } //nolint:revive // as the engines spell it
	}
}

// inspect asks the engines for the labels of a container, by which it shows what made
// it, and for its ports. An engine that has not answered within the limit may know it.
func inspect(ctx context.Context, id string, limit time.Duration) (manager string, published map[string]string, err error) {
	for _, engine := range []string{"docker", "podman"} {
		asked, cancel := context.WithTimeout(ctx, limit)
		out, err := child.Output(asked, engine, "inspect", "--type", "container", id)
		late := asked.Err() != nil
		cancel()
		if err != nil && ctx.Err() == nil && late {
			return "", nil, problem.Wrap(err, fmt.Sprintf("Bitbucket runs in a container, and %s has not told of it within %s", engine, limit),
				"who made the container and which ports it publishes decide what can be set up", engine+" inspect "+id+" must answer: look at the engine's service, or wait until this machine has less to do")
		}
		var all []inspected
		if err != nil || json.Unmarshal(out, &all) != nil || len(all) != 1 {
			continue // it is not installed, or does not know that container
		}
		return all[0].manager(), all[0].published(), nil
	}
	return "", nil, ctx.Err()
}

func (c inspected) manager() string {
	labels := c.Config.Labels
	switch {
	case labels["com.docker.swarm.service.name"] != "":
		return BySwarm
	case labels["io.kubernetes.pod.name"] != "":
		return ByKubernetes
	case labels["com.docker.compose.project"] != "" || labels["io.podman.compose.project"] != "":
		return ByCompose
	case labels["PODMAN_SYSTEMD_UNIT"] != "":
		return "" // a unit, as Quadlet writes them
	}
	return ByHand
}

// published are the TCP ports; one on all addresses is reached on loopback.
func (c inspected) published() map[string]string {
	out := map[string]string{}
	for port, hosts := range c.NetworkSettings.Ports {
		inside, isTCP := strings.CutSuffix(port, "/tcp")
		for _, h := range hosts {
			n, err := strconv.Atoi(h.HostPort)
			at := hostport.Addr{Host: h.HostIp, Port: n}
			if at.Wildcard() {
				at.Host = "127.0.0.1"
			}
			if isTCP && err == nil && n > 0 && (out[inside] == "" || at.Host == "127.0.0.1") {
				out[inside] = at.String()
			}
		}
	}
	return out
}

// containerOf says by what a process shows that it runs in a container, or "";
// group is its control group.
func containerOf(dir string) (group, why string) {
	for line := range strings.Lines(readLimited(filepath.Join(dir, "cgroup"), 64<<10)) {
		line = strings.TrimSpace(line)
		// host services such as docker.service itself are no containers
		if m := containerGroup().FindString(line); m != "" && !strings.HasSuffix(line, ".service") {
			return line, "control group of the process (" + line + ")"
		}
	}
	for _, mark := range []string{".dockerenv", "run/.containerenv"} {
		if isFile(filepath.Join(dir, "root", mark)) {
			return "", "/" + mark + " in the root directory of the process"
		}
	}
	return "", ""
}

// hasOurRoot reports whether p's paths are those of this program: where bitgate runs
// in a container itself, what shares it with bitgate is in no other one. The same
// root directory is not enough, for others may be mounted below it.
func (p *process) hasOurRoot() bool {
	self := filepath.Join(p.proc, "self")
	own, err := os.Stat(filepath.Join(self, "root") + "/")
	if err != nil {
		return false
	}
	if theirs, err := os.Stat(p.inside("/")); err != nil || !os.SameFile(own, theirs) {
		return false
	}
	ours, err := os.Readlink(filepath.Join(self, "ns/mnt"))
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(filepath.Join(p.proc, strconv.Itoa(p.pid), "ns/mnt"))
	return err == nil && ours == theirs || p.home != "" && p.knows(p.home, p.home)
}

// inside is a path of p's as this machine reaches it while p runs.
func (p *process) inside(path string) string {
	return filepath.Join(p.proc, strconv.Itoa(p.pid), "root") + path
}

// pathHere finds the folder of this machine that p knows as path, "" where there is
// none: below its own root directory where it has only that (chroot(2)), else by the
// file system that is mounted there, which is mounted here too. It is the right one
// only if it is the same inode.
func (p *process) pathHere(path string) string {
	if path == "" {
		return ""
	}
	dir := filepath.Join(p.proc, strconv.Itoa(p.pid))
	if root, err := os.Readlink(filepath.Join(dir, "root")); err == nil && root != "/" && p.knows(path, filepath.Join(root, path)) {
		return filepath.Join(root, path)
	}
	theirs, ok := mountinfo.Of(mountinfo.Read(filepath.Join(dir, "mountinfo")), path)
	rest, _ := mountinfo.Below(path, theirs.Point)
	for _, ours := range mountinfo.Read(filepath.Join(p.proc, "self", "mountinfo")) {
		sub, below := mountinfo.Below(theirs.Root, ours.Root)
		if candidate := filepath.Join(ours.Point, sub, rest); ok && below && ours.Device == theirs.Device && p.knows(path, candidate) {
			return candidate
		}
	}
	return ""
}

// knows reports whether what p knows as path is here on this machine.
func (p *process) knows(path, here string) bool {
	there, err := os.Stat(p.inside(path))
	if err != nil {
		return false
	}
	info, err := os.Stat(here)
	return err == nil && os.SameFile(there, info)
}

// at reports whether p can be the instance that the administrator named. One in a
// container names the same folders by other paths.
func (p *process) at(s Search) bool {
	place := func(theirs, given string) bool {
		if p.contained != "" {
			return given == "" || theirs != "" && p.knows(theirs, given)
		}
		return agree(theirs, given)
	}
	return place(p.home, s.Home) && place(p.systemProperty("bitbucket.install"), s.Install)
}
