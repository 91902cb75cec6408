package apply

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

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// frontWait is how long the front may take to come up.
const frontWait = 30 * time.Second

// serveFront reloads or starts the front.
func (a *Applier) serveFront(ctx context.Context, p setup.Plan, i int, s *setup.ServiceChange) error {
	if s.Target == "proxy" && s.Control.How == service.Manual {
		if a.Serve == nil {
			return nil // a person starts it; the result lists the command
		}
		return a.Serve(ctx, p.Answers.ProxyConfig)
	}
	if s.Target == "haproxy" {
		if err := portsFree(p); err != nil {
			return err
		}
		return a.reloadHAProxy(ctx, p, i, s)
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
	if !a.frontIsUp(p) {
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
	for _, r := range p.Ordered() {
		if s := p.At(r).Service; s != nil && s.Target != "bitbucket" {
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
