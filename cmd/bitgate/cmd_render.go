package main

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/templates"
	"bitgate/tomcat"
)

func newRender(p *process) *cobra.Command {
	var shared *sharedFlags
	var remove bool
	var program string
	c := &cobra.Command{
		Use:   "render haproxy|systemd|server.xml|properties",
		Short: "Print what bitgate would write, to put in by hand",
		Long: `Prints the sections of haproxy.cfg for the installed HAProxy, the unit of the
built-in proxy, or the connector settings of Bitbucket for the given answers. It
looks at nothing but HAProxy's version and the names in a certificate that it can
read, and changes nothing.

With --remove it prints the haproxy.cfg of this machine (or --haproxy-cfg) as it
was before bitgate, byte for byte, for whoever takes bitgate's parts out by hand.`,
		Example: `  bitgate render haproxy --url https://git.example.com/bitbucket --pem /etc/haproxy/git.pem
  bitgate render haproxy --remove > haproxy.cfg.new`,
		ValidArgs: []string{"haproxy", "systemd", "server.xml", "properties"},
		Args:      args(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			a, _, err := shared.input(p)
			if err != nil {
				return err
			}
			if remove {
				return printWithout(c.Context(), p, args[0], a)
			}
			a, _ = setup.Resolve(setup.Facts{}, a, nil)
			text, err := render(c.Context(), p, args[0], program, a)
			if err != nil {
				return err
			}
			_, err = p.exact.Write([]byte(text))
			return err
		},
	}
	shared = addShared(c)
	c.Flags().StringVar(&program, "program", "", "`FILE` that the unit is to start (default: this program)")
	c.Flags().BoolVar(&remove, "remove", false, "print haproxy.cfg without bitgate's parts")
	return c
}

// printWithout prints the one file of HAProxy's set that holds parts of ours as
// it is without them.
func printWithout(ctx context.Context, p *process, what string, a setup.Answers) error {
	if what != "haproxy" {
		return usage("--remove is for haproxy", "the other texts are whole files or single lines")
	}
	installed, err := live.Detect(ctx, live.Search{Bin: a.HAProxyBin, Cfg: a.HAProxyCfg, Root: p.Root})
	if err != nil {
		return err
	}
	var held []haproxy.Merged
	for _, path := range installed.Files {
		file, err := atomicfile.Read(path)
		if err != nil {
			return err
		}
		without, err := haproxy.Remove(haproxy.Source{Path: path, Data: file.Data})
		if err != nil {
			return err
		}
		named := a.HAProxyCfg == "" || path == a.HAProxyCfg || filepath.Dir(path) == a.HAProxyCfg
		if named && len(without.Splices) > 0 {
			held = append(held, without)
		}
	}
	var names []string
	for _, h := range held {
		names = append(names, h.Path)
	}
	switch len(held) {
	case 0:
		return problem.New("nothing of bitgate's is in "+strings.Join(installed.Files, ", "), "", "name another file: --haproxy-cfg FILE")
	case 1:
		_, err = p.exact.Write(held[0].After)
		return err
	}
	return usage("several files hold parts of bitgate's: "+strings.Join(names, ", "), "name one: --haproxy-cfg FILE")
}

func render(ctx context.Context, p *process, what, program string, a setup.Answers) (string, error) {
	if what == "systemd" {
		if program == "" {
			program = p.Program
			if fault := detect.ProgramFault(program); fault != nil {
				p.errorText().Finding(*fault)
			}
		}
		return templates.SystemdUnit(templates.Unit{Program: program, Config: a.ProxyConfig})
	}
	if a.URL.IsZero() {
		return "", usage("missing: --url", "the text depends on the public URL")
	}
	c := tomcat.Connector{ProxyName: a.URL.ProxyName(), ProxyPort: a.URL.Port(), Scheme: "https", Secure: true, RedirectPort: a.URL.Port()}
	if a.LocalOnly {
		c.Address = "127.0.0.1"
	}
	switch what {
	case "haproxy":
		return renderHAProxy(ctx, p, a)
	case "server.xml":
		return tomcat.RenderServerXML(c, setup.UpstreamPort(a.Upstream), a.URL.TomcatPath()), nil
	case "properties":
		return tomcat.RenderProperties(c, a.URL.TomcatPath()), nil
	}
	return "", usage(what+" cannot be rendered", "use haproxy, systemd, server.xml or properties")
}

// renderHAProxy writes for the installed version, or for a current one where
// HAProxy is not installed here.
func renderHAProxy(ctx context.Context, p *process, a setup.Answers) (string, error) {
	installed, err := live.Detect(ctx, live.Search{Bin: a.HAProxyBin, Cfg: a.HAProxyCfg, Root: p.Root})
	if err != nil {
		return "", err
	}
	version := installed.Version
	if installed.Bin == "" {
		version = haproxy.Version{Major: 2, Minor: 8, Text: "2.8"}
	}
	nodes, err := node.ParseAll(a.Nodes)
	if err != nil {
		return "", usage("--node "+err.Error(), "")
	}
	upstream, secure := a.UpstreamAt()
	site := haproxy.Site{
		Settings: a.Settings, URL: a.URL, Listen: a.Listen, Bundle: a.PEM, Upstream: upstream, TLS: secure, Nodes: nodes, MaxConn: a.MaxConn,
		SSHListen: a.SSHListen, SSHUpstream: a.SSHUpstream, OldPath: a.RedirectOldPath, Version: version,
	}
	if m, err := certs.Load(certs.Paths{PEM: a.PEM, Cert: a.Cert, Key: a.Key, Chain: a.Chain}); err == nil { // else it is not there yet
		site.Names = m.Info().Names
	}
	site.Bundle = cmp.Or(site.Bundle, "/etc/haproxy/bitgate-"+a.URL.Host()+".pem")
	if a.URL.Port() == 443 && a.HTTPRedirect != setup.Never {
		site.RedirectListen = setup.RedirectAddresses(a)
	}
	return haproxy.Render(site)
}
