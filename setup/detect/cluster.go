package detect

import (
	"context"
	"path/filepath"
	"strings"
	"sync"

	"bitgate/bitbucket"
	"bitgate/internal/hostport"
	"bitgate/internal/mountinfo"
	"bitgate/internal/node"
	"bitgate/internal/sockets"
	"bitgate/setup"
	"bitgate/tomcat"
)

// askNodes asks every node under the paths it may have.
func askNodes(ctx context.Context, nodes []node.Node, paths []string) []setup.NodeState {
	out := make([]setup.NodeState, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			in := askInstance(ctx, "http://"+n.Address, paths)
			out[i] = setup.NodeState{Name: n.Name, Base: in.Base, State: in.State, Detail: in.Detail}
		})
	}
	all.Wait()
	return out
}

// AskNodes looks at the nodes of a under the paths that f knows of.
func AskNodes(ctx context.Context, f setup.Facts, a setup.Answers) []setup.NodeState {
	return askNodes(ctx, a.NodeList(), (&facts{Facts: f}).contextCandidates(Probe{Input: a}))
}

// nodeUpstream is the node through which the base URL is read and changed: the
// one on this machine, because a password does not go over the network in
// clear text; else the first that answers.
func nodeUpstream(nodes []node.Node, states []setup.NodeState) string {
	best, rank := "", 0
	for i, n := range nodes {
		r := 1
		if states[i].State != bitbucket.Unreachable {
			r = 2
			if isHere(n) {
				r = 3
			}
		}
		if r > rank {
			best, rank = "http://"+n.Address, r
		}
	}
	return best
}

// isHere reports whether the node has an address of this machine.
func isHere(n node.Node) bool {
	if setup.Loopback(n) {
		return true
	}
	at, err := hostport.Parse(n.Address)
	if err != nil {
		return false
	}
	own, _ := sockets.Own(at.IP()) // else it is not known to be here
	return own
}

// detectCluster looks for signs that this is one node of several: a shared home
// on NFS, settings of the cluster's network.
func (f *facts) detectCluster(proc string) {
	shared := filepath.Join(f.Bitbucket.Home, "shared")
	if real, err := filepath.EvalSymlinks(shared); err == nil {
		shared = real
	}
	if f.Bitbucket.Home != "" && onNFS(proc, shared) {
		f.NFS = setup.Known{Value: shared, Set: true, Why: shared + " is on NFS"}
		f.Cluster = f.NFS
		return
	}
	if f.Properties.Path == "" || f.Properties.Absent {
		return
	}
	props, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
	if err != nil {
		return
	}
	for _, key := range props.Keys() {
		if strings.HasPrefix(key, "hazelcast.") {
			v, _ := props.Get(key)
			f.Cluster = setup.Known{Value: "yes", Set: true, Why: at(key, f.Properties.Path, v.Line)}
			return
		}
	}
}

// onNFS asks the mount table for the file system of path.
func onNFS(proc, path string) bool {
	m, _ := mountinfo.Of(mountinfo.Read(filepath.Join(proc, "self", "mountinfo")), path)
	return m.Type == "nfs" || m.Type == "nfs4"
}
