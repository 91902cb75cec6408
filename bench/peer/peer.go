package peer

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
	"time"
)

//go:embed configs
var configs embed.FS

var templates = template.Must(template.ParseFS(configs, "configs/*.tmpl"))

// Reference is HAProxy with connections kept open to the server: what every ratio is made with.
const Reference = "haproxy"

// Settings that every peer gets alike.
type Settings struct {
	Dir     string // for configurations and logs
	Self    string // the benchmark's own program, for the peers it brings along
	Bitgate string // bitgate's program
	Caddy   string // Caddy's program; "" leaves it out
	PEM     string // certificate and key in one file
	Cert    string
	Key     string
	Backend string // host:port
	Cores   string // that the peers run on, as taskset lists them
	Loops   int    // threads of each
	Slots   int    // requests at the back end at a time
}

// Peer is a running proxy.
type Peer struct {
	*Process
	Name    string
	Address string        // host:port that speaks TLS
	Ready   time.Duration // from its start until it accepted a connection
}

// program says how one peer is started; the variant is for its configuration.
type program struct {
	name, config, variant string
	pages                 bool // for pages alone
	argv                  func(s Settings, config, address string) []string
	env                   []string
}

// programs in the order in which they are measured: those that are compared most
// stand together, so that a machine's moods hit them alike.
func programs() []program {
	haproxy := func(_ Settings, config, _ string) []string { return []string{"haproxy", "-W", "-f", config} }
	return []program{
		{name: "bitgate", config: "bitgate.yaml.tmpl", argv: func(s Settings, config, _ string) []string {
			return []string{s.Bitgate, "proxy", "--config", config}
		}},
		{name: Reference, config: "haproxy.cfg.tmpl", variant: "keep-alive", argv: haproxy},
		{name: "haproxy-documented", config: "haproxy.cfg.tmpl", variant: "documented", argv: haproxy},
		{name: "haproxy-page", config: "haproxy.cfg.tmpl", variant: "page", argv: haproxy, pages: true},
		{name: "haproxy-64k", config: "haproxy.cfg.tmpl", variant: "64k", argv: haproxy},
		{name: "nginx", config: "nginx.conf.tmpl", argv: func(_ Settings, config, _ string) []string {
			return []string{"nginx", "-c", config, "-e", config + ".error"}
		}},
		{name: "caddy", config: "Caddyfile.tmpl", argv: func(s Settings, config, _ string) []string {
			return []string{s.Caddy, "run", "--adapter", "caddyfile", "--config", config}
		}},
		{name: "reverseproxy", argv: func(s Settings, _, address string) []string {
			return []string{s.Self, "reverseproxy", address, s.Backend, s.Cert, s.Key, strconv.Itoa(s.Slots)}
		}},
	}
}

// Names of the peers whose cost is measured, in the table's order.
func Names() []string {
	var names []string
	for _, p := range programs() {
		if !p.pages {
			names = append(names, p.name)
		}
	}
	return names
}

// Start starts the named peer and waits until it accepts connections.
func Start(s Settings, name string) (*Peer, error) {
	for _, p := range programs() {
		if p.name == name {
			return p.start(s)
		}
	}
	return nil, fmt.Errorf("no peer is named %q: there are %v", name, Names())
}

func (p program) start(s Settings) (*Peer, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(s.Dir, p.name+".conf")
	if p.config != "" {
		if err := p.write(s, config, address); err != nil {
			return nil, err
		}
	}
	argv := p.argv(s, config, address)
	begun := time.Now()
	process, err := run(s.Cores, filepath.Join(s.Dir, p.name+".out"), p.env, argv[0], argv[1:]...)
	if err != nil {
		return nil, err
	}
	for time.Since(begun) < 10*time.Second {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return &Peer{Process: process, Name: p.name, Address: address, Ready: time.Since(begun)}, nil
		}
		select {
		case <-process.exited:
			said, err := os.ReadFile(process.output)
			err = errors.Join(process.failure, err)
			return nil, fmt.Errorf("%s ended at its start (%w):\n%s", p.name, err, said)
		case <-time.After(200 * time.Microsecond):
		}
	}
	process.Stop()
	return nil, errors.New(p.name + " did not listen within 10 s")
}

func (p program) write(s Settings, file, address string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	err = templates.ExecuteTemplate(f, p.config, struct {
		Settings
		Port, Variant string
	}{s, port, p.variant})
	return errors.Join(err, f.Close())
}

// FreeAddress is a loopback address that nobody listens on. Not every peer can
// be given an open listener, so another program could take it; then the start fails.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Backend starts the server behind all peers, on the load's cores.
func Backend(s Settings) (*Process, error) {
	process, err := run("1", filepath.Join(s.Dir, "backend.out"), nil, s.Self, "backend", s.Backend)
	if err != nil {
		return nil, err
	}
	for range 1000 {
		if c, err := net.Dial("tcp", s.Backend); err == nil {
			return process, c.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
	process.Stop()
	return nil, errors.New("the back end did not listen within 5 s")
}
