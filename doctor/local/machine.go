// Package local looks at the machine that the front or Bitbucket runs on, with
// or without any run of bitgate: what serves the public address, what its
// configuration says about it, and what Bitbucket's own files say. It reads, and
// changes nothing.
//
//	who listens on the public port      sockets, process table
//	    -> its configuration files      -f, -c of the process; else the usual places
//	    -> the section for the name     haproxy.go, nginx.go, apache.go
//	where Bitbucket lives               bitbucket.Detect
//	    -> connector, context path, ... instance.go
//
// What cannot be found out is left empty: the checks that need it are not made.
package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"bitgate/internal/hostport"
	"bitgate/internal/publicurl"
	"bitgate/internal/sockets"
)

// Where says what to look at. Only URL is required; what a run knows or the
// administrator says goes before what is found.
type Where struct {
	URL        publicurl.URL
	Root, Proc string // prefix of system paths, and the process table; tests have their own

	Home, Install, Version string // Bitbucket's
	HAProxyCfg, NginxConf  string
	Apache                 string // apache2.conf or httpd.conf
	Upstream               string // "http://127.0.0.1:7990", without the path
	Front                  string // program that a run set up, "haproxy" or "bitgate"; "" for none
	Listen                 []string

	StartFront, ReloadFront          string // commands
	StartBitbucket, RestartBitbucket string
	NoBitbucket                      bool // it is another machine's
}

// page is a path of Bitbucket's for which hardly anybody has a rule of its own.
func (w Where) page() string { return w.URL.TomcatPath() + "/projects" }

// Place is a line of a file.
type Place struct {
	File string
	Line int // 0: nowhere
}

func (p Place) String() string { return fmt.Sprintf("line %d of %s", p.Line, p.File) }

// Setting is something that a file says. One that it does not say has the value
// that the program takes then, and no line.
type Setting struct {
	Place
	Text  string // the line as it stands, without indentation; "" where it holds a secret
	Value string
}

// Set reports whether a file says it.
func (s Setting) Set() bool { return s.Line > 0 }

// Machine is what was found.
type Machine struct {
	Where
	Site     Site
	Instance Instance
}

// Look looks.
func Look(ctx context.Context, w Where) Machine {
	if w.Proc == "" {
		w.Proc = "/proc"
	}
	m := Machine{Where: w}
	m.Site = findSite(ctx, w)
	if !w.NoBitbucket {
		m.Instance = findInstance(ctx, w, m.upstreamPort())
	}
	if m.Upstream == "" && len(m.Site.Servers) > 0 && m.Site.Servers[0].Scheme == "http" {
		m.Upstream = "http://" + m.Site.Servers[0].Value
	}
	return m
}

// upstreamPort is the port where the front looks for Bitbucket, "" where it is not known.
func (m Machine) upstreamPort() string {
	if u, err := url.Parse(m.Upstream); err == nil && u.Port() != "" {
		return u.Port()
	}
	if len(m.Site.Servers) == 0 {
		return ""
	}
	_, port, _ := hostport.Cut(m.Site.Servers[0].Value)
	return port
}

// Here reports whether address, host:port or a bare one, is this machine's. names
// are looked up.
func Here(ctx context.Context, host string) bool {
	if at, err := hostport.Parse(host); err == nil && at.Host != "" {
		host = at.Host
	}
	var all []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		all = []netip.Addr{ip}
	} else {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if all, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return false
		}
	}
	own, err := sockets.Own(all...)
	return err == nil && (own || slices.ContainsFunc(all, func(ip netip.Addr) bool { return ip.Unmap().IsLoopback() }))
}
