package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/trusted"
	"bitgate/interview"
	"bitgate/proxy/config"
	"bitgate/setup"
)

type rehearseOptions struct {
	url, cfg, bin, candidate, sshListen, sshUpstream, oldPath string
	proxyConfig                                               string
	upstreams, accept                                         []string
	json                                                      bool
}

func newRehearse(p *process) *cobra.Command {
	o := rehearseOptions{}
	c := &cobra.Command{
		Use:   "rehearse",
		Short: "Try a front's configuration before the front loads it",
		Long: `Runs the present configuration and an edited copy of it in the installed HAProxy,
each cut off from this machine and its network, with recorders in the place of all
servers, and asks both the same questions. It says which requests of browsers, Git
and Git LFS would not reach Bitbucket, what would change for everybody else, and
which line is the cause. Nothing of the running HAProxy is touched.

Without --candidate the present configuration alone is tried, with --proxy-config
that of the built-in proxy. Who knows better than a finding accepts it by its id.`,
		Example: `  bitgate rehearse --url https://git.example.com/bitbucket
  cp /etc/haproxy/haproxy.cfg new.cfg && editor new.cfg
  bitgate rehearse --haproxy-cfg /etc/haproxy/haproxy.cfg --candidate new.cfg --url https://git.example.com
  bitgate rehearse --proxy-config /etc/bitgate/proxy.yaml`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runRehearse(c.Context(), p, o) },
	}
	f := c.Flags()
	f.StringVar(&o.url, "url", "", "Bitbucket's public `URL`")
	f.StringVar(&o.cfg, "haproxy-cfg", "", "HAProxy's configuration `FILE`; with one of the service's, all of the service's are loaded (default: the service's)")
	f.StringVar(&o.candidate, "candidate", "", "the `FILE` that is to take the place of --haproxy-cfg")
	f.StringArrayVar(&o.upstreams, "upstream", []string{"127.0.0.1:7990"}, "`ADDR` of Bitbucket's connector, as the server line has it (repeat for nodes)")
	f.StringVar(&o.sshListen, "ssh-listen", "", "`ADDR` that leads to Bitbucket's SSH server")
	f.StringVar(&o.sshUpstream, "ssh-upstream", "127.0.0.1:7999", "`ADDR` of Bitbucket's SSH server, as the server line has it")
	f.StringVar(&o.oldPath, "redirect-old-path", "", "former context `PATH` that is redirected")
	f.StringVar(&o.proxyConfig, "proxy-config", "", "try this `FILE` of the built-in proxy, which says the rest")
	f.StringArrayVar(&o.accept, "accept", nil, "`ID` of a finding that is meant, e.g. rehearsal-1f3a9c20 (repeat)")
	f.StringVar(&o.bin, "haproxy-bin", "", "HAProxy's program `FILE` (default: searched)")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.SortFlags = false
	return c
}

// maxCandidate is the size of the largest candidate, in bytes.
const maxCandidate = 16 << 20

// newStage is the hidden command that a rehearsal runs in (package stage).
func newStage(p *process) *cobra.Command {
	return &cobra.Command{
		Use: stage.Command, Short: "What a rehearsal runs in", Hidden: true, Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error { return stage.Run(p.In, p.exact) },
	}
}

func runRehearse(ctx context.Context, p *process, o rehearseOptions) error {
	for _, id := range o.accept {
		if err := interview.FindingID(id); err != nil {
			return usage("--accept: "+err.Error(), "")
		}
	}
	read := o.rehearsal
	if o.proxyConfig != "" {
		read = o.builtin
	}
	r, err := read(ctx, p)
	if err != nil {
		return err
	}
	report := r.Run(ctx)
	report.Accept(o.accept)
	if o.json {
		report.Why = p.asCalled(report.Why)
		if err := view.Value(p.Out, report); err != nil {
			return err
		}
	} else {
		rehearsed(p.text(), report)
	}
	switch {
	case !report.Rehearsed:
		return problem.New(report.Summary(), "", "")
	case !report.OK():
		return problem.New(report.Front+" would not do what it should with this configuration", "", "change what is named, and rehearse again; or accept it: --accept ID").WithKind(problem.Verify)
	}
	return nil
}

// builtin reads what is to be tried of the built-in proxy.
func (o rehearseOptions) builtin(_ context.Context, p *process) (stage.Rehearsal, error) {
	if o.url != "" || o.cfg != "" || o.candidate != "" {
		return stage.Rehearsal{}, usage("--proxy-config says all that is tried", "leave out --url, --haproxy-cfg and --candidate")
	}
	path, err := filepath.Abs(o.proxyConfig)
	if err != nil {
		return stage.Rehearsal{}, err
	}
	data, err := trusted.ReadFile("the configuration", path, maxCandidate)
	if err != nil {
		return stage.Rehearsal{}, problem.Wrap(err, "the configuration cannot be read", "", "").WithKind(problem.Usage)
	}
	c, err := config.Parse(path, data)
	if err != nil {
		return stage.Rehearsal{}, err
	}
	r := stage.Rehearsal{Program: p.Program, Proxy: &stage.Proxy{Path: path, Config: c}}
	r.Bitbucket = rehearsal.Bitbucket{URL: c.URL, Listen: c.Listen, OldPath: c.OldPath, SSHListen: c.SSHListen, Names: slices.Concat(c.Hosts, c.RedirectHosts), Plain: r.Proxy.Plain()}
	for _, n := range c.Servers() {
		r.Bitbucket.Upstreams = append(r.Bitbucket.Upstreams, n.Address)
	}
	for _, n := range c.SSHServers() {
		r.Bitbucket.SSHUpstream = append(r.Bitbucket.SSHUpstream, n.Address)
	}
	return r, nil
}

// rehearsal reads what is to be tried.
func (o rehearseOptions) rehearsal(ctx context.Context, p *process) (stage.Rehearsal, error) {
	if o.url == "" {
		return stage.Rehearsal{}, usage("missing: --url", "give Bitbucket's public URL")
	}
	url, err := publicurl.Parse(o.url)
	if err != nil {
		return stage.Rehearsal{}, usage("--url: "+err.Error(), "")
	}
	if o.cfg != "" {
		if o.cfg, err = filepath.Abs(o.cfg); err != nil {
			return stage.Rehearsal{}, err
		}
	}
	in, err := live.Detect(ctx, live.Search{Bin: o.bin, Cfg: o.cfg, Root: p.Root})
	if err != nil {
		return stage.Rehearsal{}, err
	}
	if in.Bin == "" {
		return stage.Rehearsal{}, problem.New("HAProxy is not installed", "a rehearsal runs the real program", "install it, or name it: --haproxy-bin FILE")
	}
	r, err := stage.Of(in, p.Program)
	if err != nil {
		return r, err
	}
	r.Bitbucket = rehearsal.Bitbucket{URL: url, OldPath: o.oldPath, SSHListen: o.sshListen, SSHUpstream: []string{o.sshUpstream}}
	for _, u := range o.upstreams {
		at, _ := setup.Answers{Upstream: strings.TrimSuffix(u, "/")}.UpstreamAt()
		r.Bitbucket.Upstreams = append(r.Bitbucket.Upstreams, at)
	}
	if r.After, err = readSet(in.Files); err != nil || o.candidate == "" {
		return r, err
	}
	return r, o.compare(&r)
}

// compare puts the candidate in the place of its file.
func (o rehearseOptions) compare(r *stage.Rehearsal) error {
	data, err := trusted.ReadFile("the candidate", o.candidate, maxCandidate)
	if err != nil {
		return problem.Wrap(err, "the candidate cannot be read", "", "").WithKind(problem.Usage)
	}
	r.Before = slices.Clone(r.After)
	at := 0
	if o.cfg != "" {
		at = slices.IndexFunc(r.After, func(s haproxy.Source) bool { return s.Path == o.cfg })
	}
	if at < 0 || o.cfg == "" && len(r.After) != 1 {
		return usage("it is not clear which file the candidate takes the place of", "name it: --haproxy-cfg FILE")
	}
	r.After[at].Data = data
	return nil
}

func readSet(files []string) ([]haproxy.Source, error) {
	var out []haproxy.Source
	for _, path := range files {
		f, err := atomicfile.Read(path)
		if err != nil {
			return nil, err
		}
		if !f.Absent {
			out = append(out, haproxy.Source{Path: f.Path, Data: f.Data})
		}
	}
	if len(out) == 0 {
		return nil, problem.New(strings.Join(files, ", ")+" does not exist", "", "name the configuration: --haproxy-cfg FILE").WithKind(problem.Usage)
	}
	return out, nil
}

// rehearsed prints a report for people.
func rehearsed(text *view.Text, r rehearsal.Report) {
	if !r.Rehearsed {
		return // that is the error
	}
	fmt.Fprintf(text.W, "%s  (%.1f s)\n", text.Style.Bold(r.Summary()), r.Took.Seconds())
	text.Findings(r.List()[1:])
}
