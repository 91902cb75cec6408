package process

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"bitgate/internal/child"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/keys"
)

// Surroundings are what a proxy process gets from the program that it runs in.
type Surroundings struct {
	Log      io.Writer                // events, and the access log unless the configuration names a file
	User     string                   // to become, see DropPrivileges; "" means the configuration's
	Reload   <-chan os.Signal         // SIGHUP reads the certificates again and opens the access log anew, others do the latter; nil is never
	Notify   func(state string) error // tells the service manager (sd_notify(3)); nil where there is none
	Watchdog time.Duration            // how often it wants a sign of life (sd_watchdog_enabled(3)), 0 for never
	Sockets  func() []*os.File        // takes over the bound sockets that it passed (sd_listen_fds(3)); nil for none
	// Keep gives it a socket to pass to the next process (FDSTORE=1); nil where there is no store.
	Keep func(name string, socket syscall.Conn) error
	// Restart says that the stop that follows is half of a restart; nil is never.
	Restart <-chan os.Signal

	SpawnKeyOpener func(paths []string) child.Command // calls ServeKeys(paths) in a process of its own; nil: the proxy's user must be able to read a renewed key
	Reexec         func(env ...string) error          // starts this program anew in this process, with more variables (execve(2))
	KeyFD          int                                // descriptor from before that (KeysVariable), 0 for none
	ReplaceFD      int                                // descriptor where it says that it serves in the place of the process before (ReplaceVariable), 0 for none
}

// user to become, "" for the usual one.
func (s Surroundings) user(c config.Config) string { return cmp.Or(s.User, c.User) }

// Run is the whole life of a proxy process: bind, read keys, drop privileges,
// serve, and when ctx ends drain for at most the configuration's drain timeout.
// Started as root it changes the whole process for good, so nothing that needs
// root may follow.
func Run(ctx context.Context, c config.Config, s Surroundings) error {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return err
	}
	var opener *keys.Opener
	var err error
	root := os.Geteuid() == 0
	if !root { // it may start this program anew, so it comes before whatever is opened
		if opener, err = startKeyOpener(c, s); err != nil {
			return err
		}
	}
	sockets, before, err := findSockets(c, s)
	if err != nil {
		return err
	}
	if before != nil {
		s.Watchdog = cmp.Or(s.Watchdog, before.watchdog)
	}
	listeners, err := listen(c, sockets)
	if err != nil {
		return err
	}
	defer listeners.Close()
	if root { // it starts a process; clients that connect meanwhile wait in the bound sockets
		if opener, err = startKeyOpener(c, s); err != nil {
			return err
		}
	}
	log := s.Log
	var accessLog *logFile
	if c.AccessLog != "" && c.AccessLog != "-" {
		if accessLog, err = openLog(c.AccessLog, s.user(c)); err != nil {
			return err
		}
		defer accessLog.Close()
		log = accessLog
	}
	if root {
		if err := keysNotPlanted(c, s.user(c)); err != nil {
			return err
		}
	}
	p, err := proxy.NewWithKeys(c, log, opener)
	if err != nil {
		return err
	}
	if err := before.stillWaits(); err != nil { // it takes its place at the path back when it gives up later
		return err
	}
	offered, err := offer(c.Handover)
	if err != nil {
		return err
	}
	if err := DropPrivileges(s.user(c)); err != nil {
		return err
	}
	if err := accessLog.dropped(); err != nil {
		return err
	}
	ctx, retire := context.WithCancel(ctx)
	defer retire()
	manager := &notifier{notify: s.Notify, keep: s.Keep, log: p.Logf}
	if offered != nil {
		defer offered.Close()
		go handOver(p.Logf, offered, listeners, s.Watchdog, func() {
			manager.retire()
			retire()
		})
	}
	for _, line := range c.Obsolete {
		p.Logf("%s", line)
	}
	p.Logf("%s listens on %s, server %s", c.URL, strings.Join(listeners.Addresses(), " "), serverNames(c))
	defer tune()()
	return serve(ctx, c, p, listeners, before, sockets.stale(), accessLog, manager, s)
}

// serve serves until ctx ends, and drains.
func serve(ctx context.Context, c config.Config, p *proxy.Proxy, listeners proxy.Listeners, before *predecessor, stale inherited, accessLog *logFile, manager *notifier, s Surroundings) error {
	if err := before.stillWaits(); err != nil {
		return err
	}
	main, err := becomeMain(s.ReplaceFD)
	if err != nil {
		return err
	}
	beside, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer end()
	running.Go(func() { manager.watchdog(beside, p, s.Watchdog) })
	running.Go(func() {
		p.InspectKeys()
		giveBackMemory(beside)
	})
	running.Go(func() {
		for {
			select {
			case what := <-s.Reload:
				accessLog.reopen(p.Logf)
				if what == syscall.SIGHUP { // SIGUSR1 is about the log alone, as nginx has it, and so is SIGUSR2
					p.Reload()
				}
			case <-beside.Done():
				return
			}
		}
	})

	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(drained)
		limit, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
		defer cancel()
		if !manager.isRetired() && p.InFlight() > 0 && restarting(s.Restart) {
			p.Logf("restarting: serving on until what is open has ended, for at most %s", c.DrainTimeout)
			serveOn(limit, p)
		}
		open := p.InFlight()
		p.Logf("stopping: %d open, waiting for at most %s", open, c.DrainTimeout)
		manager.send(fmt.Sprintf("STOPPING=1\nSTATUS=stopping, %d open", open))
		if err := p.Drain(limit); err != nil {
			p.Logf("stopped: %v", err)
		}
	})
	manager.store(listeners, stale)
	// The sockets are bound: clients that connect from here on are answered.
	manager.send(readyState(c))
	if before != nil {
		// Both accept from here on; until the old one has closed its copies, some
		// connections go to it, and it answers them.
		go func() {
			if err := before.retire(); err != nil {
				p.Logf("the previous process does not stop: %v", err)
				return
			}
			main.serves()
		}()
	}
	err = p.Serve(context.WithoutCancel(ctx), listeners)
	if !stop() {
		<-drained
	}
	return err
}

func serverNames(c config.Config) string {
	if c.Upstream != "" {
		return c.Upstream
	}
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Name+"="+n.Address)
	}
	return strings.Join(all, " ")
}
