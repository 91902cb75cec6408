package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"bitgate/internal/child"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/proxy/config"
	proxyd "bitgate/proxy/process"
)

type proxyOptions struct {
	file       string
	url        string
	flags      config.Config
	nodes      []string
	user       string
	withParent bool
	replace    bool
	stopping   bool
	http2      bool
}

func newProxy(p *process) *cobra.Command {
	o := proxyOptions{}
	c := &cobra.Command{
		Use:   "proxy",
		Short: "Start the built-in proxy",
		Long: `Runs the built-in proxy in the foreground: TLS, the redirect of / to the context
path, at most --maxconn requests at a time to Bitbucket, health check, SSH
forwarding. Started as root it binds its ports and reads its keys, then goes on as
an unprivileged user. SIGTERM lets open requests end first.`,
		Example: `  bitgate proxy --config /etc/bitgate/proxy.yaml
  bitgate proxy --url https://git.example.com --upstream http://127.0.0.1:7990 --pem git.pem`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runProxy(c, p, o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.file, "config", "", "configuration `FILE` (YAML); the other flags are added on top of it")
	f.StringVar(&o.url, "url", "", "public `URL`")
	f.StringArrayVar(&o.flags.Listen, "listen", nil, "TLS `ADDR` (repeat; default: the public URL's port)")
	f.StringArrayVar(&o.flags.RedirectListen, "redirect-listen", nil, "plain HTTP `ADDR` that redirects to https (repeat)")
	f.StringVar(&o.flags.Upstream, "upstream", "", "Bitbucket's own connector `URL`")
	f.StringVar(&o.flags.PEM, "pem", "", "`FILE` with certificate, chain and key")
	f.StringVar(&o.flags.Cert, "cert", "", "certificate `FILE`")
	f.StringVar(&o.flags.Key, "key", "", "private key `FILE`")
	f.IntVar(&o.flags.MaxConn, "maxconn", 0, "`N` requests to Bitbucket at a time (default: 50)")
	f.StringVar(&o.flags.HealthPath, "health-path", "", "health check `PATH`, or none (default: the context path's /status)")
	f.StringVar(&o.flags.SSHListen, "ssh-listen", "", "`ADDR` that takes SSH")
	f.StringVar(&o.flags.SSHUpstream, "ssh-upstream", "", "Bitbucket's own SSH `ADDR`")
	f.StringVar(&o.flags.AccessLog, "access-log", "", "access log `FILE`, - for standard error")
	f.StringVar(&o.flags.AccessLogFormat, "access-log-format", "", "access log as `httplog|json` (default: httplog, HAProxy's)")
	f.StringArrayVar(&o.nodes, "node", nil, "`NAME=HOST:PORT` of one of several servers, instead of --upstream (repeat)")
	f.StringVar(&o.flags.MetricsListen, "metrics-listen", "", "`ADDR` or unix:/path of metrics and status page")
	f.StringVar(&o.flags.Handover, "handover", "", "`PATH` of a socket where the next process is given this one's, for an upgrade without a gap")
	f.StringArrayVar(&o.flags.TrustedProxies, "trusted-proxy", nil, "`CIDR` whose X-Forwarded-For is believed (repeat)")
	f.BoolVar(&o.http2, "http2", true, "offer HTTP/2 too")
	f.DurationVar(&o.flags.HSTS, "hsts", 0, "`DURATION` for which browsers come over https only; they cannot be made to forget (default: off)")
	f.StringVar(&o.user, "user", "", "`NAME` to become after binding, when started as root")
	f.BoolVar(&o.replace, "replace", false, "start this program in the place of the proxy that runs (handover), for the unit's ExecReload=")
	f.BoolVar(&o.stopping, "stopping", false, "say to the proxy that runs whether its stop is half of a restart, for the unit's ExecStop=")
	f.BoolVar(&o.withParent, "with-parent", false, "end when standard input ends")
	// An override of the unit may still have it; an upgrade must not stop that proxy.
	f.String("engine", "", "")
	for name, err := range map[string]error{
		"with-parent": f.MarkHidden("with-parent"),
		"stopping":    f.MarkHidden("stopping"),
		"engine":      f.MarkDeprecated("engine", "it is without effect, for the proxy has one engine: remove it"),
	} {
		if err != nil {
			panic(name + ": " + err.Error()) // a typo above
		}
	}
	c.AddCommand(&cobra.Command{
		Use: "open-keys FILE...", Hidden: true, Short: "Open the proxy's certificate files for it (the proxy starts this)", Args: args(1, 255),
		RunE: func(_ *cobra.Command, paths []string) error { return proxyd.ServeKeys(paths) },
	})
	return c
}

// ownProgram is this binary, also for a user that cannot reach its path. What is
// started by it is given programName as its argv[0]: a test binary is bitgate
// only under that name, and anything else would run its tests again.
const ownProgram = "/proc/self/exe"

// keyOpenerCommand lingers: it ends with its connection, and the proxy may go on as
// a new program, which would end the thread that started it.
func keyOpenerCommand(paths []string) child.Command {
	return child.Command{
		Name: ownProgram, Args: append([]string{"proxy", "open-keys", "--"}, paths...), Arg0: programName,
		Bare: true, Lingers: true,
	}
}

func reexec(env ...string) error {
	return child.Replace(ownProgram, append([]string{programName}, os.Args[1:]...), append(os.Environ(), env...))
}

func runProxy(c *cobra.Command, p *process, o proxyOptions) error {
	if o.stopping {
		return announceRestart(c.Context(), p)
	}
	cfg, err := proxyConfig(c, o)
	if err != nil {
		return err
	}
	ctx := c.Context()
	if o.replace && p.env(proxyd.ReplaceVariable) == "" {
		return replaceProxy(ctx, p, cfg)
	}
	if o.withParent {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			// The parent's end of the pipe closes with it, however it dies.
			_, _ = io.Copy(io.Discard, p.In)
			cancel()
		}()
	}
	err = proxyd.Run(ctx, cfg, surroundings(p, o))
	if errors.Is(err, context.Canceled) {
		return nil // a signal is how a proxy ends
	}
	return err
}

// replaceProxy is the unit's ExecReload=. The new proxy runs as systemd's own child, in
// this process's environment, which names the socket of the service manager.
func replaceProxy(ctx context.Context, p *process, cfg config.Config) error {
	if p.env("NOTIFY_SOCKET") == "" {
		return usage("--replace is for a reload by systemd", "systemctl reload bitgate-proxy; without systemd start the new proxy without --replace, it takes over by itself")
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "--replace" })
	return proxyd.Replace(ctx, cfg, child.Command{
		Name: ownProgram, Args: args, Arg0: programName, Bare: true, Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
	}, notifyManager)
}

// surroundings of the proxy process, with what systemd says about it.
func surroundings(p *process, o proxyOptions) proxyd.Surroundings {
	s := proxyd.Surroundings{Log: p.Err, User: o.user, SpawnKeyOpener: keyOpenerCommand, Reexec: reexec}
	s.KeyFD, _ = strconv.Atoi(p.env(proxyd.KeysVariable)) // 0 where it is no number
	s.ReplaceFD, _ = strconv.Atoi(p.env(proxyd.ReplaceVariable))
	if !p.InTTY { // from a terminal it means that the terminal is gone
		s.Reload = p.Hangups
	}
	s.Notify = notifyManager
	if p.env("NOTIFY_SOCKET") != "" {
		s.Keep = func(name string, socket syscall.Conn) error { return keepSocket(p.env("NOTIFY_SOCKET"), name, socket) }
		announced := make(chan os.Signal, 1)
		signal.Notify(announced, restartSignal)
		s.Restart = announced
	}
	s.Watchdog, _ = daemon.SdWatchdogEnabled(false) // 0 where it is no number
	s.Sockets = func() []*os.File { return activation.Files(true) }
	return s
}

// notifyManager does nothing without a service manager.
func notifyManager(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// restartSignal is ignored by a program that does not know it, such as a bitgate of
// before.
const restartSignal = syscall.SIGWINCH

// announceRestart is the unit's ExecStop=, which runs as root, for nobody else may ask
// systemd everywhere: it tells the proxy that the stop that follows is half of a restart.
func announceRestart(ctx context.Context, p *process) error {
	pid, err := strconv.Atoi(p.env("MAINPID"))
	if err != nil || pid <= 1 {
		return usage("--stopping is for the unit's ExecStop=, which systemd gives the main process", "systemctl stop bitgate-proxy")
	}
	if !service.Restarting(ctx, pid) {
		return nil
	}
	return syscall.Kill(pid, restartSignal)
}

// keepSocket gives the service manager a socket to keep, which go-systemd does not do.
func keepSocket(manager, name string, socket syscall.Conn) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	to, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	var sent error
	err = raw.Control(func(fd uintptr) { // File().Fd() would make the socket a blocking one
		sent = unix.Sendmsg(to, []byte("FDSTORE=1\nFDNAME="+name), unix.UnixRights(int(fd)), &unix.SockaddrUnix{Name: manager}, 0) // "@" begins an abstract name
	})
	return errors.Join(err, sent)
}

// proxyConfig is the file's configuration with the given flags on top.
func proxyConfig(c *cobra.Command, o proxyOptions) (config.Config, error) {
	nodes, err := node.ParseAll(o.nodes)
	if err != nil {
		return config.Config{}, usage("--node "+err.Error(), "")
	}
	o.flags.Nodes = nodes
	cfg := o.flags
	if o.file != "" {
		data, err := os.ReadFile(o.file)
		if err != nil {
			return cfg, problem.Wrap(err, "the configuration cannot be read", "", "").WithKind(problem.Usage)
		}
		if cfg, err = config.Parse(o.file, data); err != nil {
			return cfg, err
		}
		o.onto(c, &cfg)
	} else if o.url == "" || o.flags.Upstream == "" && len(o.flags.Nodes) == 0 {
		return cfg, usage("missing: --config, or --url, --upstream (or --node) and --pem", "see bitgate proxy --help")
	}
	if o.url != "" {
		if err := cfg.URL.UnmarshalText([]byte(o.url)); err != nil {
			return cfg, usage("--url: "+err.Error(), "")
		}
	}
	cfg = cfg.WithDefaults()
	return cfg, cfg.Validate()
}

// onto lets the flags that were given beat the file.
func (o proxyOptions) onto(c *cobra.Command, cfg *config.Config) {
	for name, set := range map[string]func(){
		"listen":            func() { cfg.Listen = o.flags.Listen },
		"redirect-listen":   func() { cfg.RedirectListen = o.flags.RedirectListen },
		"upstream":          func() { cfg.Upstream, cfg.Nodes = o.flags.Upstream, nil },
		"pem":               func() { cfg.PEM, cfg.Cert, cfg.Key = o.flags.PEM, "", "" },
		"cert":              func() { cfg.Cert, cfg.PEM = o.flags.Cert, "" },
		"key":               func() { cfg.Key, cfg.PEM = o.flags.Key, "" },
		"maxconn":           func() { cfg.MaxConn = o.flags.MaxConn },
		"health-path":       func() { cfg.HealthPath = o.flags.HealthPath },
		"ssh-listen":        func() { cfg.SSHListen = o.flags.SSHListen },
		"ssh-upstream":      func() { cfg.SSHUpstream = o.flags.SSHUpstream },
		"access-log":        func() { cfg.AccessLog = o.flags.AccessLog },
		"access-log-format": func() { cfg.AccessLogFormat = o.flags.AccessLogFormat },
		"node":              func() { cfg.Nodes, cfg.Upstream = o.flags.Nodes, "" },
		"metrics-listen":    func() { cfg.MetricsListen = o.flags.MetricsListen },
		"handover":          func() { cfg.Handover = o.flags.Handover },
		"trusted-proxy":     func() { cfg.TrustedProxies = o.flags.TrustedProxies },
		"http2":             func() { cfg.HTTP2 = &o.http2 },
		"hsts":              func() { cfg.HSTS = o.flags.HSTS },
	} {
		if c.Flags().Changed(name) {
			set()
		}
	}
}
