package bitbuckettest

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"bitgate/internal/freeport"
)

// Options say which Bitbucket to be. The zero value of everything but Dir and
// Version is a running, freshly installed instance at the root context.
type Options struct {
	Dir     string // its folder; home and install directory are made in it
	Version string // "3.11.6" and older is Stash; up to 4.x server.xml, from 5.0 bitbucket.properties

	BaseURL string // stored base URL; "" is the connector's own address
	Context string // context path in its files at creation, e.g. "/bitbucket"; "" is the root
	Port    int    // connector port in its files at creation; 0 picks a free one
	Address string // loopback address of its machine, where connectors without an address listen; "" is 127.0.0.1
	Shared  string // shared folder of a cluster's home, used by several; "" is one of its own (3.2 and later)
	SSHPort int    // port of its SSH server; 0 picks a free one, -1 has SSH switched off

	AdminUser     string // "" is "admin"
	AdminPassword string // "" is "admin"
	TwoStep       bool   // the administrator is enrolled in two-step verification (8.0 and later)
	NoWebSudo     bool   // feature.websudo=false (9.0 and later have it on)
	Basic         *bool  // Basic authentication; nil is on before 10.0, off from 10.0

	AppLinks          map[string]string // addresses of linked applications by name; nil is a Jira and a Bamboo of example.com
	NoManifest        bool              // anonymous callers get no application link manifest
	ConfAPI           bool              // the ConfAPI plugin is installed
	PublicRepo        bool              // the repository can be read anonymously
	RelativeRedirects bool              // as Tomcat 10 does by default; else absolute as Tomcat 8 and 9

	State      string        // state after the first start; "" is RUNNING
	StartDelay time.Duration // how long it answers STARTING after each start
	DownTime   time.Duration // how long a restart keeps the ports closed

	// Middleware, if set, stands in front of everything: tests inject faults with it.
	Middleware func(http.Handler) http.Handler
	// Stdin ends Run when it reaches its end: whoever starts Run as a process of
	// its own passes the process's standard input. nil: only the context ends it.
	Stdin io.Reader
}

// States that /status reports. Only RUNNING and FIRST_RUN outlast a restart.
const (
	stateStarting    = "STARTING"
	stateFirstRun    = "FIRST_RUN"
	stateRunning     = "RUNNING"
	stateMaintenance = "MAINTENANCE"
	stateError       = "ERROR"
	stateStopping    = "STOPPING"
)

// withDefaults returns the release of the ports that it picked, too: they are held
// while the stand-in is down.
func (o Options) withDefaults(g generation) (_ Options, release func(), err error) {
	release = func() {}
	if o.Dir == "" {
		return o, release, errors.New("bitbuckettest: Options.Dir is empty")
	}
	o.Address = cmp.Or(o.Address, "127.0.0.1")
	o.AdminUser = cmp.Or(o.AdminUser, "admin")
	o.AdminPassword = cmp.Or(o.AdminPassword, "admin")
	o.State = cmp.Or(o.State, stateRunning)
	if o.Basic == nil {
		on := g.major < 10
		o.Basic = &on
	}
	for _, port := range []*int{&o.Port, &o.SSHPort} {
		if *port != 0 {
			continue
		}
		var one func()
		if *port, one, err = freeport.Hold(); err != nil {
			release()
			return o, release, err
		}
		before := release
		release = func() { before(); one() }
	}
	o.BaseURL = cmp.Or(o.BaseURL, "http://"+net.JoinHostPort(o.Address, strconv.Itoa(o.Port))+o.Context)
	return o, release, nil
}
