package main

import (
	"context"
	"fmt"
	"os"

	"bitgate/internal/child"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// demoHAProxy stands for what a server already has: our sections are merged in.
const demoHAProxy = `global
    maxconn 200

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

# another service of this machine
listen existing
    bind 127.0.0.1:%d
    http-request deny deny_status 404
`

// haproxyGuard runs HAProxy ($1) with the file $2, leaves its process id in $3,
// and ends it at SIGTERM or at the end of standard input, which HAProxy itself
// does not read. A background job of sh reads /dev/null, hence descriptor 3.
const haproxyGuard = `exec 3<&0
"$1" -W -db -f "$2" 3<&- & pid=$!
echo $pid >"$3"
trap 'kill $pid; wait $pid; exit' TERM
(cat >/dev/null <&3; kill $$ 2>/dev/null) &
wait $pid`

// startHAProxy starts a real master-worker HAProxy; -db keeps it our child.
func (d *demoSite) startHAProxy(ctx context.Context) error {
	bin, err := findHAProxy()
	if err != nil {
		return err
	}
	d.bin = bin
	port, err := d.freePort()
	if err != nil {
		return err
	}
	cfg := d.path("front", "haproxy.cfg")
	if err := os.WriteFile(cfg, fmt.Appendf(nil, demoHAProxy, port), 0o644); err != nil {
		return err
	}
	log, err := os.Create(d.path("haproxy.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	d.haproxy, err = startServer(log, log, "/bin/sh", "-c", haproxyGuard, "guard", bin, cfg, d.path("haproxy.pid"))
	if err != nil {
		return err
	}
	if err := d.haproxy.listening(ctx, hostport.Addr{Host: "127.0.0.1", Port: port}.String(), frontStart); err != nil {
		text, _ := os.ReadFile(d.path("haproxy.log"))
		return problem.Wrap(err, "HAProxy did not start: "+string(text), "", "")
	}
	out(d.p.Out, "  HAProxy with a service of its own, configuration %s", cfg)
	return nil
}

func findHAProxy() (string, error) {
	if bin, err := child.Lookup("haproxy"); err == nil {
		return bin, nil
	}
	return "", problem.New("HAProxy is not installed", "--front haproxy runs a real one",
		"install it: apt install haproxy, or dnf install haproxy; or use bitgate demo --yes")
}
