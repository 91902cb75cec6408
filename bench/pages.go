package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"bitgate/bench/browser"
	"bitgate/bench/load"
	"bitgate/bench/peer"
	"bitgate/bench/standin"
)

// documented is HAProxy as Atlassian's page has it, without HTTP/2: what a person who
// follows that page waits for.
const documented = "haproxy-page"

// trips there and back at which pages are loaded.
var trips = []time.Duration{0, 20 * time.Millisecond, 80 * time.Millisecond}

// What is waited for. A page is loaded by a browser that was never there, and again.
var waits = []string{"page", "page again", "git ls-remote", "git clone"}

// pages measures what a person waits for, through each peer and from several
// distances, in a browser and by Git.
type pages struct {
	*bench
	browser *browser.Browser
	backend net.Listener
	dir     string
	took    map[string][]time.Duration // by wait, trip and peer
	spent   map[string][]time.Duration // CPU of the peer, for each page with its repetition
}

func (b *bench) pages(ctx context.Context, dir string, out io.Writer) (err error) {
	p := &pages{bench: b, dir: dir, took: map[string][]time.Duration{}, spent: map[string][]time.Duration{}}
	if err := p.repository(); err != nil {
		return err
	}
	git, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	if p.backend, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	site := &http.Server{Handler: standin.Site(dir, filepath.Join(strings.TrimSpace(string(git)), "git-http-backend")), ReadHeaderTimeout: time.Minute}
	go func() { _ = site.Serve(p.backend) }() // ends with Close
	defer func() { err = errors.Join(err, site.Close()) }()
	b.settings.Backend = p.backend.Addr().String()
	return p.all(ctx, out)
}

// front is a peer that is far away.
type front struct {
	*peer.Peer
	far *peer.Distance
	url string
	at  string // address of far
}

func (p *pages) all(ctx context.Context, out io.Writer) (err error) {
	var fronts []*front
	var rules []string
	for i, name := range p.peers {
		started, err := peer.Start(p.settings, name)
		if err != nil {
			return err
		}
		defer started.Stop()
		f := &front{Peer: started, at: fmt.Sprintf("127.71.7.%d", i+1), url: "https://" + load.Host}
		if name != "bitgate" { // which answers under its own name alone
			f.url = fmt.Sprintf("https://p%d.%s", i, load.Host)
		}
		if f.far, err = peer.NewDistance(f.at+":443", started.Address); err != nil {
			return fmt.Errorf("pages are asked for at port 443, as people do, which takes root: %w", err)
		}
		defer f.far.Close()
		rules = append(rules, "MAP "+strings.TrimPrefix(f.url, "https://")+" "+f.at)
		fronts = append(fronts, f)
	}
	cert, err := readCertificate(p.settings.Cert)
	if err != nil {
		return err
	}
	if p.browser, err = browser.Start(filepath.Join(p.dir, "profile"), strings.Join(rules, ","), cert); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.browser.Close()) }()
	version, err := p.browser.Version(ctx)
	if err != nil {
		return err
	}
	for _, trip := range trips {
		for round := range p.rounds + 1 { // the first is for warming up
			for i := range fronts {
				if err := p.visit(ctx, fronts[(i+round)%len(fronts)], trip, round); err != nil {
					return err
				}
			}
			fmt.Fprintf(p.progress, "pages at %s: round %d of %d\n", trip, round, p.rounds)
		}
	}
	return p.write(out, version)
}

// visit makes one of each measurement; round 0 is forgotten.
func (p *pages) visit(ctx context.Context, f *front, trip time.Duration, round int) error {
	f.far.Set(trip)
	before, err := f.CPU()
	if err != nil {
		return err
	}
	cold, warm, err := p.browser.Loads(ctx, f.url+"/page", standin.Finished)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", f.Name, trip, err)
	}
	after, err := f.CPU()
	if err != nil {
		return err
	}
	took := []time.Duration{cold, warm}
	for _, args := range [][]string{{"ls-remote"}, {"clone", "-q", "--bare"}} {
		begun := time.Now()
		if err := p.git(ctx, f, args); err != nil {
			return fmt.Errorf("%s at %s: %w", f.Name, trip, err)
		}
		took = append(took, time.Since(begun))
	}
	if round == 0 {
		return nil
	}
	for i, what := range waits {
		p.took[key(what, trip, f.Name)] = append(p.took[key(what, trip, f.Name)], took[i])
	}
	p.spent[key("", trip, f.Name)] = append(p.spent[key("", trip, f.Name)], after-before)
	return nil
}

func (p *pages) git(ctx context.Context, f *front, args []string) error {
	to := filepath.Join(p.dir, "clone")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	args = append([]string{"-c", "http.sslVerify=false", "-c", "http.curloptResolve=" + strings.TrimPrefix(f.url, "https://") + ":443:" + f.at}, args...)
	args = append(args, f.url+"/scm/r.git")
	if slices.Contains(args, "clone") {
		args = append(args, to)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, "git", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, said)
	}
	return nil
}

// repository makes one of a few megabytes and a few hundred branches.
func (p *pages) repository() error {
	bare, work := filepath.Join(p.dir, "r.git"), filepath.Join(p.dir, "work")
	script := `set -e
git init -q --bare -b main "$1"; git init -q -b main "$2"; cd "$2"
git config user.name Ada; git config user.email ada@example.com
for i in $(seq 40); do head -c 100000 /dev/urandom > f$i; git add f$i; git commit -qm $i; done
for i in $(seq 200); do echo "create refs/heads/b$i HEAD"; done | git update-ref --stdin
git push -q --all "$1"`
	if said, err := exec.Command("sh", "-c", script, "sh", bare, work).CombinedOutput(); err != nil {
		return fmt.Errorf("repository: %w\n%s", err, said)
	}
	return nil
}

func key(what string, trip time.Duration, peer string) string {
	return fmt.Sprint(what, " ", trip, " ", peer)
}

func readCertificate(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New(file + " holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// write writes medians, with the lowest and the highest in brackets, and ratios to the documented HAProxy.
func (p *pages) write(out io.Writer, version string) error {
	fmt.Fprintf(out, "%s; a page of %d scripts and styles, %d pictures and %d REST calls; medians of %d (lowest to highest), in seconds, and how much of %s's that is.\n\n",
		version, standin.Assets, standin.Pictures, standin.Calls, p.rounds, documented)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(table, "| there and back\t| what\t| %s |\n|", strings.Join(p.peers, "\t| "))
	fmt.Fprintln(table, strings.Repeat("---|", 2+len(p.peers)))
	row := func(what string, trip time.Duration, all map[string][]time.Duration, name string) {
		fmt.Fprintf(table, "| %d ms\t| %s", trip.Milliseconds(), name)
		base := median(all[key(what, trip, documented)])
		for _, peer := range p.peers {
			took := all[key(what, trip, peer)]
			fmt.Fprintf(table, "\t| %.3f (%.3f to %.3f)", median(took).Seconds(), slices.Min(took).Seconds(), slices.Max(took).Seconds())
			if base > 0 {
				fmt.Fprintf(table, " %.2f", float64(median(took))/float64(base))
			}
		}
		fmt.Fprintln(table, " |")
	}
	for _, trip := range trips {
		for _, what := range waits {
			row(what, trip, p.took, what)
		}
		row("", trip, p.spent, "CPU of both pages")
	}
	return table.Flush()
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
