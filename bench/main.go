// Command bench measures bitgate's proxy beside HAProxy, nginx, Caddy and a tuned
// httputil.ReverseProxy: all at once, on loopback, on one core each, as CPU time
// per unit of work. It prints ratios; `make bench` runs it.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"bitgate/bench/peer"
	"bitgate/bench/report"
	"bitgate/bench/standin"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		switch args[0] { // what the benchmark starts of itself
		case "backend":
			l, err := net.Listen("tcp", args[1])
			if err != nil {
				return err
			}
			return standin.Backend(l)
		case "reverseproxy":
			return reverseProxy(args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	o := options{}
	flags.BoolVar(&o.quick, "quick", false, "one short round: whether everything works, not how fast it is")
	flags.BoolVar(&o.growth, "growth", false, "measure how the cost grows with connections, slots and loops, and draw it")
	flags.BoolVar(&o.pages, "pages", false, "measure what a person waits for instead: a page in Chromium, and Git, from several distances; give -peers, haproxy-page for HAProxy as documented")
	flags.BoolVar(&o.tool, "tool", false, "measure the command line instead: its start, and plans over large files")
	flags.IntVar(&o.rounds, "rounds", 9, "rounds of each measurement; up to three times as many more of a load while its goal may be met or missed")
	flags.StringVar(&o.only, "only", "", "regular expression of the measurements to make (default: all)")
	flags.StringVar(&o.peers, "peers", strings.Join(peer.Names(), ","), "peers to measure, comma separated")
	flags.StringVar(&o.bitgate, "bitgate", "", "bitgate's program (default: built from the folder above)")
	flags.StringVar(&o.from, "from", "", "results.json of several runs, comma separated: measure nothing and report them together")
	flags.StringVar(&o.out, "out", "", "folder for RESULTS.md, results.json and plots (default: only printed)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return o.run(ctx)
}

type options struct {
	quick, growth, tool, pages bool
	rounds                     int
	only, peers, bitgate, out  string
	from                       string
}

// together reports several runs that were made before.
func (o options) together() error {
	var runs []report.Report
	for name := range strings.SplitSeq(o.from, ",") {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		r, err := report.ReadJSON(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		runs = append(runs, r)
	}
	return o.write(runs...)
}

func (o options) run(ctx context.Context) error {
	if o.from != "" {
		return o.together()
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bitgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{
		peers: strings.Split(o.peers, ","), only: only, rounds: o.rounds, more: 3 * o.rounds, length: time.Second,
		requests: 30_000, handshakes: 600, idle: 5000, settle: 7 * time.Second, pack: filepath.Join(dir, "pack"), progress: os.Stderr,
	}
	if o.quick {
		b.rounds, b.more, b.requests, b.handshakes, b.idle, b.settle = 1, 0, 2000, 50, 200, time.Second
	}
	if err := b.prepare(dir, o.bitgate); err != nil {
		return err
	}
	if o.tool {
		return b.tool(ctx, os.Stdout)
	}
	backend, err := peer.Backend(b.settings)
	if err != nil {
		return err
	}
	defer backend.Stop()
	if o.pages {
		return b.pages(ctx, dir, os.Stdout)
	}
	if o.growth {
		return b.grow(ctx, o.out)
	}
	metrics, err := b.all(ctx)
	if err != nil {
		return err
	}
	r := report.Report{
		Date: time.Now().Format(time.DateOnly), Machine: machine(), Versions: versions(b.settings),
		Reference: peer.Reference, Peers: b.peers, Metrics: metrics,
	}
	if err := o.write(r); err != nil {
		return err
	}
	if n := voids(metrics, os.Stderr); n > 0 {
		return fmt.Errorf("%d measurements could not be made", n)
	}
	return nil
}

func (o options) write(runs ...report.Report) error {
	r := report.Merge(runs)
	if err := r.WriteTables(os.Stdout, ours); err != nil || o.out == "" {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := create(filepath.Join(o.out, "results.json"), r.WriteJSON); err != nil {
		return err
	}
	return create(filepath.Join(o.out, "RESULTS.md"), func(w io.Writer) error {
		fmt.Fprintf(w, "# What the proxy costs beside others\n\nWritten by `make bench`; CONTRIBUTING.md says how it measures.\n\n")
		if err := r.WriteTables(w, ours); err != nil || len(runs) == 1 {
			return err
		}
		return report.WriteVerdicts(w, runs, ours)
	})
}

func reverseProxy(args []string) error {
	pair, err := tls.LoadX509KeyPair(args[2], args[3])
	if err != nil {
		return err
	}
	slots, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	return standin.ReverseProxy(l, args[1], pair, slots)
}
