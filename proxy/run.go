package proxy

import (
	"context"
	"io"
	"os"
	"strings"

	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// Run is the whole life of a proxy process: bind, read keys, become user (see
// DropPrivileges; "" means the configuration's), serve, and when ctx ends drain
// for at most the configuration's drain timeout. Started as root it changes the
// whole process for good, so nothing that needs root may follow. log receives
// events, and the access log unless the configuration names a file for it.
func Run(ctx context.Context, c config.Config, log io.Writer, user string) error {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return err
	}
	listeners, err := Listen(c)
	if err != nil {
		return err
	}
	defer listeners.Close()
	if c.AccessLog != "" && c.AccessLog != "-" {
		file, err := os.OpenFile(c.AccessLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return problem.Wrap(err, "the access log cannot be written", "", "choose another file (access-log) or - for standard output")
		}
		defer file.Close()
		log = file
	}
	p, err := New(c, log)
	if err != nil {
		return err
	}
	if user == "" {
		user = c.User
	}
	if err := DropPrivileges(user); err != nil {
		return err
	}
	p.log.event("%s listens on %s, server %s", c.URL, strings.Join(listeners.addresses(), " "), c.Upstream)

	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(drained)
		p.log.event("stopping: %d open", p.open.count())
		limit, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
		defer cancel()
		if err := p.Drain(limit); err != nil {
			p.log.event("stopped: %v", err)
		}
	})
	err = p.Serve(context.WithoutCancel(ctx), listeners)
	if !stop() {
		<-drained
	}
	return err
}

func (l Listeners) addresses() []string {
	var all []string
	for _, listener := range l.all() {
		all = append(all, listener.Addr().String())
	}
	return all
}
