package detect

import (
	"context"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// detectInstance finds the version, the files of its generation, and the
// address under which the instance answers now.
func (f *facts) detectInstance(ctx context.Context, p Probe) error {
	up := p.Said.Upstream
	if f.Bitbucket.Version == "" {
		guess := up
		if guess == "" {
			guess = "http://127.0.0.1:" + setup.DefaultPort
		}
		f.Bitbucket.Version = askVersion(ctx, guess, f.contextCandidates(p))
		if f.Bitbucket.Version != "" {
			f.whyVersion("the instance at " + guess)
		}
	}
	if f.Bitbucket.Version != "" && f.Bitbucket.Home != "" {
		layout, err := f.Bitbucket.Layout()
		if err != nil {
			return err
		}
		f.Layout = layout
		if err := f.readUpstreamFiles(); err != nil {
			return err
		}
	}
	if up == "" {
		port := setup.DefaultPort
		if f.Port.Set {
			port = f.Port.Value
		}
		up = "http://127.0.0.1:" + port
	}
	if nodes := p.Said.NodeList(); len(nodes) > 0 {
		f.Nodes = askNodes(ctx, nodes, f.contextCandidates(p))
		if p.Said.Upstream == "" {
			up = nodeUpstream(nodes, f.Nodes)
		}
	}
	f.Instance = askInstance(ctx, strings.TrimRight(up, "/"), f.contextCandidates(p))
	f.detectCluster(p.Proc)
	return nil
}

func (f *facts) whyVersion(why string) {
	if f.Bitbucket.Why == nil {
		f.Bitbucket.Why = map[string]string{}
	}
	f.Bitbucket.Why["Version"] = why
}

// contextCandidates are the paths under which the instance may answer now, the
// likeliest first: what its file says, the wanted one, the root.
func (f *facts) contextCandidates(p Probe) []string {
	var out []string
	add := func(path string) {
		for _, have := range out {
			if have == path {
				return
			}
		}
		out = append(out, path)
	}
	for _, o := range f.Bitbucket.Overrides {
		if o.Key == "server.context-path" && o.Value != "" {
			if path, err := publicurl.ParsePath(o.Value); err == nil {
				add(path)
			}
		}
	}
	if f.ContextPath.Set {
		add(f.ContextPath.Value)
	}
	if !p.Said.URL.IsZero() {
		add(p.Said.URL.TomcatPath())
	}
	if old, err := publicurl.ParsePath(p.Said.RedirectOldPath); err == nil {
		add(old)
	}
	add("")
	return out
}

func askVersion(ctx context.Context, upstream string, paths []string) string {
	for _, path := range paths {
		c, err := bitbucket.NewClient(upstream+path, bitbucket.Options{})
		if err != nil {
			return ""
		}
		if v, _, err := c.Version(ctx); err == nil && v != "" {
			return v
		}
	}
	return ""
}

// askInstance finds the context path that answers and reads what is public.
func askInstance(ctx context.Context, upstream string, paths []string) setup.Instance {
	in := setup.Instance{Upstream: upstream, Base: upstream + paths[0], State: bitbucket.Unreachable}
	for _, path := range paths {
		c, err := bitbucket.NewClient(upstream+path, bitbucket.Options{})
		if err != nil {
			in.Detail = err.Error()
			return in
		}
		state, detail := c.Status(ctx)
		if state == bitbucket.Unreachable {
			if in.Detail == "" {
				in.Detail = detail
			}
			continue
		}
		in.Base, in.State, in.Detail = upstream+path, state, detail
		in.Version, _, _ = c.Version(ctx)
		if url, known := c.PublicBaseURL(ctx); known {
			in.BaseURL = setup.Known{Value: url, Set: true, Why: "the application links manifest of " + in.Base}
		}
		return in
	}
	return in
}
