package apply

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"bitgate/haproxy/live"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/detect"
)

// frontWait is how long the front may take to come up.
const frontWait = 30 * time.Second

// serveFront reloads or starts the front.
func (a *Applier) serveFront(ctx context.Context, p setup.Plan, i int, s *setup.ServiceChange) error {
	if s.Target == "renewal" {
		return a.startTimer(ctx, i, s)
	}
	if s.Target == "proxy" && s.Control.How == service.Manual {
		if a.Serve == nil {
			return nil // a person starts it; the result lists the command
		}
		return a.Serve(ctx, p.Answers.ProxyConfig)
	}
	if s.Target == "haproxy" {
		if s.Swap == "" && s.Reloads() {
			if err := portsFree(p); err != nil {
				return err
			}
		}
		a.meetNeighbours(p, s)
		if err := a.reloadHAProxy(ctx, p, i, s, p.Served); err != nil || p.Answers.Front != setup.FrontTomcat {
			return err
		}
		return a.portsReleased(ctx, p)
	}
	return a.driveProxy(ctx, i, s)
}

// startTimer has the certificate renewed by the hour. Where the service manager does
// not do that, the site works all the same: a person is told, and the run stands.
func (a *Applier) startTimer(ctx context.Context, i int, s *setup.ServiceChange) error {
	err := service.Do(ctx, s.Control, s.Verb, a.log(i))
	if err == nil || ctx.Err() != nil {
		return err
	}
	a.notice(problem.Warning("renewal", "the timer that renews the certificate does not run: "+strings.Join(problem.Explain(err).Found, ": "),
		"the front serves a copy, and a renewed certificate would not reach it", "systemctl enable --now "+s.Control.Name+", or have bitgate cert renew run every hour"))
	return nil
}

// driveProxy starts, reloads or restarts the built-in proxy's unit, by its text of now.
func (a *Applier) driveProxy(ctx context.Context, i int, s *setup.ServiceChange) error {
	if s.Control.How == service.Systemd && s.Verb != service.Start {
		if err := service.ReadUnits(ctx, a.log(i)); err != nil {
			return err
		}
	}
	return service.Do(ctx, s.Control, s.Verb, a.log(i))
}

// log turns a program's output into events, line by line.
func (a *Applier) log(i int) io.Writer {
	return &lineWriter{tell: func(line string) {
		a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: line})
	}}
}

type lineWriter struct {
	tell func(string)
	part []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.part = append(w.part, b...)
	for {
		n := bytes.IndexByte(w.part, '\n')
		if n < 0 {
			return len(b), nil
		}
		w.tell(string(w.part[:n]))
		w.part = w.part[n+1:]
	}
}

// lookThroughFront asks {context}/status through the front on this machine,
// until it answers as Bitbucket does. The certificate's trust is verify's
// question: here no credential travels and only the answer's shape counts.
func (a *Applier) lookThroughFront(ctx context.Context, p setup.Plan) error {
	if !a.frontIsUp(p) || p.Kind == setup.KindCertificate { // Bitbucket may be down: that is no reason to go back to an old certificate
		return nil
	}
	if check.Down(p.Run.FrontAddress) {
		a.notice(problem.Finding{
			ID: "address", Level: problem.Note, Found: p.Run.FrontAddress + " is not up on this machine, so Bitbucket was not asked through the front",
			Why: "the front serves it from when the address comes here", Do: "bitgate verify, once it is here",
		})
		return nil
	}
	a.tell(setup.Event{Kind: setup.EventStart, Step: "check", Title: "ask " + p.Run.PublicStatus + " through the front", Change: -1})
	deadline := a.now().Add(frontWait)
	for {
		err := askFront(ctx, p)
		if err == nil {
			a.tell(setup.Event{Kind: setup.EventDone, Step: "check", Change: -1})
			return nil
		}
		if a.now().After(deadline) || ctx.Err() != nil {
			return problem.Wrap(err, "the front at "+p.Run.FrontAddress+" does not serve Bitbucket", "nobody could reach it", "see the front's log")
		}
		a.pause(ctx)
	}
}

// frontIsUp: the front was reloaded or started by this run (not left to a person).
func (a *Applier) frontIsUp(p setup.Plan) bool {
	if p.Answers.Front == setup.FrontTomcat {
		return slices.ContainsFunc(p.Changes(), setup.Change.RestartsBitbucket)
	}
	for _, c := range p.Changes() {
		if s := c.Service; s != nil && s.OfFront() {
			return s.Control.How != service.Manual || a.Serve != nil
		}
	}
	return false
}

func askFront(ctx context.Context, p setup.Plan) error {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", p.Run.FrontAddress)
			},
			TLSClientConfig: &tls.Config{ServerName: p.Answers.URL.Host(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see lookThroughFront
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Answers.URL.Origin()+p.Run.PublicStatus, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil && p.Answers.CertRequired() && strings.Contains(err.Error(), "remote error: tls:") {
		return nil // it serves, and turns those away who have no certificate, as it is to
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusForbidden && len(p.Answers.Allow)+len(p.Answers.Deny) > 0 {
		return nil // it serves, and not this machine
	}
	var status struct{ State string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&status); err != nil || status.State == "" {
		return fmt.Errorf("%s answered %s, not as Bitbucket does", p.Run.PublicStatus, resp.Status)
	}
	return nil
}

// reloadHAProxy reloads it, and asks on its runtime socket, where it has one,
// whether the new configuration serves: a reload reports success although the
// new process could not start, and the old one goes on as if nothing had been.
// Without a socket the certificate that is to be shown, where it is known, tells it.
func (a *Applier) reloadHAProxy(ctx context.Context, p setup.Plan, i int, s *setup.ServiceChange, want *setup.Served) error {
	if s.Swap != "" {
		err := swapCertificate(ctx, cmp.Or(s.SwapSocket, p.Run.HAProxySocket), s.Swap)
		if err == nil {
			return nil
		}
		a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: err.Error() + "; it is reloaded instead"})
		if err := portsFree(p); err != nil {
			return err
		}
	}
	if s.Verb == service.Stop {
		return service.Do(ctx, s.Control, s.Verb, a.log(i))
	}
	before := ""
	if p.Run.HAProxySocket != "" && s.Control.How != service.Manual && s.Control.How != service.Never {
		before = a.worker(ctx, i, p.Run.HAProxySocket)
	}
	for range reloadTries {
		if err := service.Do(ctx, s.Control, s.Verb, a.log(i)); err != nil || before == "" && want == nil {
			return err
		}
		if before == "" {
			if a.shownWithin(ctx, want, frontWait/reloadTries) == nil {
				return nil
			}
			continue
		}
		if now := a.newWorker(ctx, p.Run.HAProxySocket, before); now != "" {
			a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: fmt.Sprintf("process %s serves the new configuration, in the place of %s", now, before)})
			return nil
		}
	}
	if before == "" {
		return nil // the proof says what is shown instead
	}
	return problem.New(fmt.Sprintf("HAProxy was told to reload, but process %s still serves with the configuration it had", before),
		"the new one passes haproxy -c, yet HAProxy did not start with it; a port that another program holds is the usual reason",
		"see its log (journalctl -u haproxy)")
}

// reloadTries: HAProxy overlooks a signal that meets it while it starts itself anew.
const reloadTries = 2

// worker is the process that serves, "" where HAProxy does not run or may not be asked.
// One that is late is asked again: it is there, and what it serves with is to be known.
func (a *Applier) worker(ctx context.Context, i int, socket string) string {
	for range silentLooks {
		pid, err := live.Worker(ctx, socket)
		if late, is := errors.AsType[net.Error](err); !is || !late.Timeout() {
			return pid
		}
		if !a.pause(ctx) {
			return ""
		}
	}
	a.tell(setup.Event{Kind: setup.EventLog, Change: i, Text: "HAProxy does not answer in time at " + socket + ": whether it serves the new configuration is not known"})
	return ""
}

// newWorker waits until another process than before serves; "" when none does.
func (a *Applier) newWorker(ctx context.Context, socket, before string) string {
	deadline := a.now().Add(frontWait / reloadTries)
	for a.now().Before(deadline) && ctx.Err() == nil {
		if now, err := live.Worker(ctx, socket); err == nil && now != before {
			return now
		}
		a.pause(ctx)
	}
	return ""
}

// portsFree looks once more who holds the ports: HAProxy that finds one taken
// makes its old process stop listening on all of them for two seconds, in the
// hope that it is the one that holds it, and every client is refused meanwhile.
func portsFree(p setup.Plan) error {
	held, err := detect.Listeners("/proc")
	if err != nil {
		return nil //nolint:nilerr // the plan was checked, and HAProxy will say
	}
	for _, f := range problem.Failures(check.Ports(setup.Facts{Listeners: held}, p)) {
		return f.Err()
	}
	return nil
}

// portsReleased waits until no front holds the ports that Bitbucket is about to take: a
// reload is done a moment after it was asked for, and Bitbucket tries once.
func (a *Applier) portsReleased(ctx context.Context, p setup.Plan) error {
	deadline := a.now().Add(frontWait)
	for {
		held, err := detect.Listeners("/proc")
		if err != nil {
			return nil //nolint:nilerr // Bitbucket's own start will say
		}
		i := slices.IndexFunc(p.Answers.Listen, func(l string) bool {
			h, is := setup.Holder(held, l)
			return is && (h.Process == "haproxy" || h.Ours())
		})
		if i < 0 {
			return nil
		}
		if a.now().After(deadline) || !a.pause(ctx) {
			return problem.New("the front still holds "+p.Answers.Listen[i]+" after it was to give it up", "Bitbucket could not start there", "see the front's log")
		}
	}
}

// swapCertificate hands over what lies in the bundle's file.
func swapCertificate(ctx context.Context, socket, path string) error {
	bundle, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	defer clear(bundle)
	return live.SwapCertificate(ctx, socket, path, bundle)
}
