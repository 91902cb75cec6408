package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// detectInstance finds the version, the files of its generation, and the
// address under which the instance answers now.
func (f *facts) detectInstance(ctx context.Context, p Probe) error {
	up := p.Input.Upstream
	if f.Bitbucket.Version == "" {
		guess := up
		if guess == "" {
			guess = "http://" + cmp.Or(f.published(), "127.0.0.1:"+setup.DefaultPort)
		}
		f.Bitbucket.Version = askVersion(ctx, guess, f.contextCandidates(p))
		if f.Bitbucket.Version != "" {
			if f.Bitbucket.Why == nil {
				f.Bitbucket.Why = map[string]string{}
			}
			f.Bitbucket.Why["Version"] = "the instance at " + guess
		}
	}
	if f.Bitbucket.Version != "" && f.Bitbucket.Home != "" {
		layout, err := f.Bitbucket.Layout()
		if err == nil {
			f.Layout = layout
			err = f.readUpstreamFiles()
		}
		if err != nil && f.Bitbucket.Container == nil { // Build says what to do about a container
			return err
		}
	}
	f.readOverrides()
	nodes := p.Input.NodeList()
	if up == "" && len(nodes) == 0 {
		if err := f.noPort(); err != nil {
			return err
		}
	}
	if up == "" {
		up = f.ownAddress()
	}
	if len(nodes) > 0 {
		f.Nodes = askNodes(ctx, nodes, f.contextCandidates(p))
		if p.Input.Upstream == "" {
			up = nodeUpstream(nodes, f.Nodes)
		}
	}
	f.Instance = askInstance(ctx, strings.TrimRight(up, "/"), f.contextCandidates(p))
	if f.LacksPlain() && f.Instance.State == bitbucket.Unreachable {
		own := askInstance(ctx, strings.Replace(f.ownAddress(), "http://", "https://", 1), f.contextCandidates(p))
		own.Upstream = f.Instance.Upstream
		f.Instance = own
	}
	f.detectCluster(p.Proc)
	return nil
}

// readOverrides lets what the process has been given beat what its file says. A port
// inside a container is not the one that is published.
func (f *facts) readOverrides() {
	if o, ok := f.Bitbucket.Effective("server.context-path"); ok {
		f.ContextPath = contextPath(o.Value, o.Where)
	}
	f.override("server.proxy-name", &f.ProxyName)
	if f.Bitbucket.Container != nil {
		return
	}
	f.override("server.port", &f.Port)
	f.override("server.address", &f.Address)
	f.override("server.ssl.enabled", &f.OwnTLS)
	var keys []string
	for _, o := range f.Bitbucket.Overrides {
		keys = append(keys, o.Key)
	}
	f.plainConnector(keys, func(key string) string {
		o, _ := f.Bitbucket.Effective(key)
		return o.Value
	})
	if f.OwnTLS.Set && !strings.EqualFold(f.OwnTLS.Value, "true") {
		f.OwnTLS = setup.Known{}
	}
	f.Address.Value = withoutPlaceholder(f.Address.Value)
	if port, ok := f.port(); ok {
		f.Port.Value = port
		return
	}
	if !strings.HasPrefix(f.Port.Value, "${") {
		return // noPort
	}
	f.Findings = append(f.Findings, problem.Warning("port", "Bitbucket's port is "+f.Port.Value+" ("+f.Port.Why+"), whose value is set elsewhere",
		"the front must be led to the port that it has", "name it: --upstream http://127.0.0.1:PORT"))
	f.Port = setup.Known{}
}

func (f *facts) override(key string, known *setup.Known) {
	if o, ok := f.Bitbucket.Effective(key); ok && o.Value != "" {
		*known = setup.Known{Value: o.Value, Set: true, Why: o.Where}
	}
}

// noPort refuses what is written as the port and is none: Bitbucket does not start
// with it, or takes a new one each time (0), and the front could not be led there.
func (f *facts) noPort() error {
	if _, ok := f.port(); ok || strings.HasPrefix(f.Port.Value, "${") {
		return nil
	}
	return problem.New(fmt.Sprintf("Bitbucket's port %q is no port (%s)", f.Port.Value, f.Port.Why),
		"the front must be led to the port that it has", "set a number from 1 to 65535 there, or name where it listens: --upstream http://127.0.0.1:PORT")
}

// withoutPlaceholder is the default of a placeholder such as ${PORT:7990} (Spring, Tomcat).
func withoutPlaceholder(value string) string {
	if inner, ok := strings.CutPrefix(value, "${"); ok {
		_, value, _ = strings.Cut(strings.TrimSuffix(inner, "}"), ":")
	}
	return value
}

// port is the number of the port.
func (f *facts) port() (string, bool) {
	if !f.Port.Set {
		return "", true
	}
	n, err := strconv.Atoi(strings.TrimSpace(withoutPlaceholder(f.Port.Value)))
	return strconv.Itoa(n), err == nil && n > 0 && n < 65536
}

// ownAddress is Bitbucket's connector as this machine reaches it. The loopback
// address belongs to a connector on all of them.
func (f *facts) ownAddress() string {
	if at := f.published(); at != "" {
		return "http://" + at
	}
	host, port := "127.0.0.1", setup.DefaultPort
	listens := f.Address.Value
	switch {
	case f.OwnTLS.Set && f.PlainPort != "":
		port, listens = f.PlainPort, f.plainAddress
	case f.Port.Set:
		port = f.Port.Value
	}
	if at, err := hostport.Parse(hostport.Bracket(listens) + ":" + port); err == nil && listens != "" && !at.Wildcard() && at.Host != "localhost" {
		host = hostport.Bracket(at.Host)
	}
	return "http://" + host + ":" + port
}

// published is where the connector of a Bitbucket in a container is reached from
// here, "" where it runs in none or nobody tells.
func (f *facts) published() string {
	c := f.Bitbucket.Container
	if c == nil {
		return ""
	}
	inside := f.Port.Value
	if o, ok := f.Bitbucket.Effective("server.port"); ok && o.Value != "" {
		inside = o.Value
	}
	at := c.Published[cmp.Or(inside, setup.DefaultPort)]
	if at != "" {
		f.Port = setup.Known{Value: at[strings.LastIndexByte(at, ':')+1:], Set: true, Why: "the container's published ports"}
	}
	return at
}

// contextCandidates are the paths under which the instance may answer now, the
// likeliest first: what its file says, the wanted one, the root.
func (f *facts) contextCandidates(p Probe) []string {
	var out []string
	add := func(path string) {
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
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
	if !p.Input.URL.IsZero() {
		add(p.Input.URL.TomcatPath())
	}
	if old, err := publicurl.ParsePath(p.Input.RedirectOldPath); err == nil {
		add(old)
	}
	add("")
	return out
}

func askVersion(ctx context.Context, upstream string, paths []string) string {
	ctx, done := context.WithTimeout(ctx, askTime)
	defer done()
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
	ctx, done := context.WithTimeout(ctx, askTime)
	defer done()
	in := setup.Instance{Upstream: upstream, Base: upstream + paths[0], State: bitbucket.Unreachable}
	for _, path := range paths {
		c, err := bitbucket.NewClient(upstream+path, bitbucket.Options{OwnTLS: true})
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
		if url, err := c.PublicBaseURL(ctx); err == nil {
			in.BaseURL = setup.Known{Value: url, Set: true, Why: "the application links manifest of " + in.Base}
		}
		return in
	}
	return in
}

// rememberSSH takes the SSH base URL from the run that set it and read it back,
// where nobody tells it without signing in and the base URL is still that run's.
func (f *facts) rememberSSH(stateDir string) {
	if f.Instance.SSH.Set || !f.Instance.BaseURL.Set {
		return
	}
	id, err := journal.LastCommitted(stateDir)
	if err != nil {
		return // none, or none that can be read: it stays unknown
	}
	plan, err := journal.Plan(stateDir, id)
	a := plan.Answers
	if err != nil || a.SSHListen == "" || a.Skips(setup.StepBaseURL) || len(plan.Pending) > 0 ||
		a.BaseURLMethod == setup.Manual || a.BaseURLMethod == setup.MethodSkip || f.Instance.BaseURL.Value != a.URL.BaseURL() {
		return
	}
	f.Instance.SSH = setup.Known{Value: setup.SSHBaseURL(a), Set: true, Why: "run " + id + ", which set it"}
	f.Instance.SSHActive = true
}
