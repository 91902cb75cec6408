package setup

import (
	"cmp"
	"fmt"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/tomcat"
)

// container refuses what would be lost or have no effect in a container: a file that
// only this machine would read, or one that goes with the container, or an address
// that the engine cannot reach.
func (b *builder) container() error {
	c := b.f.Bitbucket.Container
	if c == nil || !b.a.EditsBitbucket() {
		return nil
	}
	found := fmt.Sprintf("Bitbucket (process %d) runs in a container", b.f.Bitbucket.PID)
	afterwards := "; then do the rest here with --skip context-path,connector"
	set := "set " + strings.Join(b.containerVariables(), " ")
	switch {
	case c.Manager == bitbucket.ByKubernetes:
		return problem.New(found+" of Kubernetes", "its environment overrides its files, and what is written into a pod goes with it",
			set+" in the chart's values or the pod's template, and lead the Ingress or a Service of its own to it"+afterwards)
	case c.Manager == bitbucket.BySwarm:
		return problem.New(found+" of a swarm", "its environment overrides its files, and the swarm makes it anew, perhaps on another machine",
			set+" in its stack file or with docker service update"+afterwards)
	case c.Manager == bitbucket.ByHand:
		return problem.New(found+" that was made by docker run or podman run", "its environment overrides its files and cannot be changed while there is a container",
			"remove it and run it again with the same volumes and "+b.runFlags()+afterwards)
	case b.f.Bitbucket.Home == "":
		return problem.New(found+", and "+cmp.Or(c.Home, "its home")+" is a path inside it",
			"no folder of this machine is mounted there, so nothing that is written here reaches it",
			set+" in its environment (compose: under environment), or name the folder that is its volume with --home"+afterwards)
	case b.a.LocalOnly:
		return problem.New("--local-only, and "+found, "inside the container 127.0.0.1 is the container's own, so that a published port would lead nowhere",
			"leave it out, and publish the port on the loopback address of this machine: 127.0.0.1:7990:7990")
	}
	return nil
}

func (b *builder) containerProperties() []tomcat.Property {
	return append([]tomcat.Property{tomcat.ContextPathProperty(b.a.URL.PropertyPath())}, tomcat.ConnectorProperties(b.wantedConnector())...)
}

// containerVariables are what the connector needs, as Atlassian's image takes it.
func (b *builder) containerVariables() []string {
	var out []string
	for _, p := range b.containerProperties() {
		if name := b.f.Bitbucket.Variable(p.Key); name != "" && p.Key != "server.address" {
			out = append(out, name+"="+p.Value)
		}
	}
	return out
}

func (b *builder) runFlags() string { return "-e " + strings.Join(b.containerVariables(), " -e ") }
