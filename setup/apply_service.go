package setup

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/service"
)

// frontWait is how long the front may take to come up.
const frontWait = 30 * time.Second

// service restarts Bitbucket or brings the front up.
func (a *Applier) service(ctx context.Context, p Plan, i int, s *ServiceChange) error {
	if s.Target == "bitbucket" {
		return a.restartBitbucket(ctx, p, i, s.Control)
	}
	if s.Target == "proxy" && s.Control.How == service.Manual {
		if a.Serve == nil {
			return nil // a person starts it; the result lists the command
		}
		return a.Serve(ctx, p.Answers.ProxyConfig)
	}
	return service.Do(ctx, s.Control, s.Verb, a.log(i))
}

// log turns a program's output into events, line by line.
func (a *Applier) log(i int) io.Writer {
	return &lineWriter{tell: func(line string) {
		a.tell(Event{Kind: EventLog, Change: i, Text: line})
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

// restartBitbucket takes a last look, restarts, and waits for the new context.
func (a *Applier) restartBitbucket(ctx context.Context, p Plan, i int, ctl service.Control) error {
	if err := a.lastLook(ctx, p); err != nil {
		return err
	}
	return a.restartAndWait(ctx, i, ctl, p.Run.UpstreamAfter, p.Run.RestartTimeout)
}

// lastLook refuses to restart an instance that is in the middle of something:
// MAINTENANCE is a backup or a migration, STARTING a start that has its time.
func (a *Applier) lastLook(ctx context.Context, p Plan) error {
	for _, base := range []string{p.Run.UpstreamBefore, p.Run.UpstreamAfter} {
		state, _ := statusOf(ctx, base)
		switch state {
		case bitbucket.Unreachable:
			continue
		case bitbucket.Maintenance, bitbucket.Starting, bitbucket.Stopping:
			return problem.New(fmt.Sprintf("Bitbucket says %s at the last look before its restart", state),
				"a restart now would interrupt a backup, a migration or a start", "wait until it says RUNNING and start again")
		}
		return nil
	}
	return nil
}

// restartAndWait restarts and waits until base has answered well three times in
// a row: a command may return before the old process has even stopped.
func (a *Applier) restartAndWait(ctx context.Context, i int, ctl service.Control, base string, limit time.Duration) error {
	if ctl.How == service.Manual {
		if a.Ask == nil || a.Ask("Restart Bitbucket now", "bitgate waits for "+base+"/status. Say done when it has been restarted.",
			[]Decision{DecideDone, DecideBack}) != DecideDone {
			return problem.New("Bitbucket was not restarted", "", "")
		}
	} else if err := service.Do(ctx, ctl, service.Restart, a.log(i)); err != nil {
		return problem.Wrap(err, "Bitbucket could not be restarted", "", "see its log")
	}
	return a.waitRunning(ctx, i, base, limit)
}

func (a *Applier) waitRunning(ctx context.Context, i int, base string, limit time.Duration) error {
	deadline := a.now().Add(limit)
	last, good := "", 0
	for {
		state, detail := statusOf(ctx, base)
		if state == bitbucket.Running || state == bitbucket.FirstRun {
			if good++; good >= 3 {
				return nil
			}
		} else {
			good = 0
		}
		if string(state) != last {
			a.tell(Event{Kind: EventProgress, Change: i, Text: string(state)})
			last = string(state)
		}
		if a.now().After(deadline) {
			return problem.New(fmt.Sprintf("Bitbucket did not come up under %s within %s: %s %s", base, limit, state, detail),
				"the files are right, but nobody can work", "see its log; --restart-timeout gives it more time")
		}
		select {
		case <-ctx.Done():
			return problem.Wrap(ctx.Err(), "interrupted while Bitbucket was starting", "", "")
		case <-time.After(a.poll()):
		}
	}
}

// lookThroughFront asks {context}/status through the front on this machine,
// until it answers as Bitbucket does. The certificate's trust is verify's
// question: here no credential travels and only the answer's shape counts.
func (a *Applier) lookThroughFront(ctx context.Context, p Plan) error {
	if !a.frontIsUp(p) {
		return nil
	}
	a.tell(Event{Kind: EventStart, Step: "check", Title: "ask " + p.Run.PublicStatus + " through the front", Change: -1})
	deadline := a.now().Add(frontWait)
	for {
		err := askFront(ctx, p)
		if err == nil {
			a.tell(Event{Kind: EventDone, Step: "check", Change: -1})
			return nil
		}
		if a.now().After(deadline) || ctx.Err() != nil {
			return problem.Wrap(err, "the front at "+p.Run.FrontAddress+" does not serve Bitbucket", "nobody could reach it", "see the front's log")
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.poll()):
		}
	}
}

// frontIsUp: the front was reloaded or started by this run (not left to a person).
func (a *Applier) frontIsUp(p Plan) bool {
	for _, r := range p.Ordered() {
		if s := p.At(r).Service; s != nil && s.Target != "bitbucket" {
			return s.Control.How != service.Manual || a.Serve != nil
		}
	}
	return false
}

func askFront(ctx context.Context, p Plan) error {
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
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var status struct{ State string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&status); err != nil || status.State == "" {
		return fmt.Errorf("%s answered %s, not as Bitbucket does", p.Run.PublicStatus, resp.Status)
	}
	return nil
}
